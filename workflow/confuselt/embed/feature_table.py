"""A stream as one table: a row per instance, ids beside the features."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.embed.bag_file import check_coords, check_features
from confuselt.sheets.read import check_counters, read_matrix, repeated, row_number
from confuselt.unusable import Unusable

PLACE = ["x", "y"]


class FeatureTable:
    """Bags of a ready-made table, held in memory whole: such tables have few rows per slide.

    Parameters
    ----------
    path : Path
        The user's table.
    key : str
        ``acquire.id_column``.

    Attributes
    ----------
    names : list of str
        Feature columns, in order.

    Raises
    ------
    ValueError
        A column is no number, numbers the rows, or stands twice, or there is no feature column.
    """

    def __init__(self, path: Path, key: str) -> None:
        table = read_matrix(path, (key, "slide_id"))
        check_counters(table, path)
        place = [table.names.index(c) for c in PLACE] if {*PLACE} <= {*table.names} else []
        features = [i for i, name in enumerate(table.names) if name not in PLACE]
        self.names = [table.names[i] for i in features]
        if not self.names:
            raise ValueError(f"{path}: no feature column beside the ids")
        if twice := repeated(table.names):
            raise ValueError(
                f"{path}: features {twice[:5]} stand in several columns; keep one of each, or rename the others"
            )
        self._path = path
        with np.errstate(over="ignore"):
            self._features = table.values[:, features].astype(np.float32)
        self._coords = table.values[:, place] if place else None
        self._rows = _positions(table.ids["slide_id"] if "slide_id" in table.ids else table.ids[key])

    @property
    def columns(self) -> str:
        """Sixteen hex digits over the feature columns in order."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()[:16]

    def read(self, slide: str) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, d) float32 and coordinates (n, 2) int32; Unusable for a bad row.

        Coordinates are zeros where the table has none.
        """
        rows = self._rows.get(slide)
        if rows is None:
            raise Unusable(f"{self._path.name}: no row of slide {slide}")
        where = f"{self._path.name} row {row_number(int(rows[0]))} (slide {slide})"
        features = self._features[rows]
        check_features(features, where)
        if self._coords is None:
            return features, np.zeros((len(rows), 2), np.int32)
        return features, check_coords(self._coords[rows], len(rows), f"{where}: columns x, y")


def _positions(slide: pd.Series) -> dict[str, np.ndarray]:
    codes, values = pd.factorize(slide)
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(order) else []
    return {values[codes[part[0]]]: part for part in parts}
