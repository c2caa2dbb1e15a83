"""Nuclei of slides that another tool has found: a file per slide."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.cells.nuclei_file import read_nuclei
from confuselt.cells.places import Extent, check_on_tiles
from confuselt.cells.roles import suggested
from confuselt.slides.files import sampled
from confuselt.unusable import Unusable

MOST_SAID = 12  # types of a file that a message names


@dataclass(frozen=True)
class FromFiles:
    """Nuclei of slides, from files.

    Attributes
    ----------
    data : Path
        Where relative paths start.
    pattern : str
        Path of a slide's file, ``{slide_id}`` for its id.
    roles : dict of str to str
        Role of each type that the files name.
    origin : {"slide", "bounds"}, optional
        Where places begin on a slide that the scanner has seen in part: at its corner, or at that of the part.
    """

    data: Path
    pattern: str
    roles: dict[str, str]
    origin: str | None = None

    def path(self, row: dict) -> Path:
        """File of a slide."""
        return self.data / self.pattern.replace("{slide_id}", row["slide_id"])

    def facts(self, row: dict) -> tuple:
        """What the nuclei of a slide hang on beside the slide."""
        path = self.path(row)
        return "table", sampled(path) if path.is_file() else None, sorted(self.roles.items()), self.origin

    def recipe(self) -> dict:
        """What finds them."""
        return {"name": "table", "trained_on": []}

    def nuclei(self, row: dict, tiles: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """Nuclei of the file, columns of `NUCLEI`; every tile can be used, and nuclei were sought in each.

        Parameters
        ----------
        row : dict
            Sheet row with the columns of ``tile/index``.
        tiles : DataFrame
            Columns of ``tile/grid``.

        Raises
        ------
        Unusable
            There is no file, or it cannot be used: see `read_nuclei`.
        """
        path = self.path(row)
        if not path.is_file():
            raise Unusable(f"cells.nuclei: no file of nuclei: {path}")
        found = read_nuclei(path, self._extent(row, path.name))
        unknown = sorted(set(found["type"].dropna()) - self.roles.keys())
        if unknown:
            hint = ", ".join(f"{name}: {role}" for name, role in suggested(unknown[:MOST_SAID]).items())
            raise Unusable(f"{path.name}: types of nuclei without a role; add to cells.roles, if it is so: {hint}")
        check_on_tiles(found, tiles, int(row["tile_px"]), path.name)
        every = np.ones(len(tiles), bool)
        return found, every, every

    def _extent(self, row: dict, where: str) -> Extent:
        left, top = int(row["bounds_x"]), int(row["bounds_y"])
        if (left or top) and self.origin is None:
            raise Unusable(
                f"{where}: the scanner has seen this slide from ({left}, {top}) on; say in cells.origin where the "
                "places of its nuclei begin: bounds, there (QuPath), or slide, at the corner of the whole (OpenSlide)"
            )
        begin = (left, top) if self.origin == "bounds" else (0, 0)
        return Extent(float(row["mpp"]), int(row["width"]), int(row["height"]), *begin)
