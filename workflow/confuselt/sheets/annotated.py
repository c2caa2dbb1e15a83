"""AnnData (.h5ad) as a table with a gene in every row and a sample in every column, named by var and obs."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from confuselt.sheets.arrow import Arrow
from confuselt.sheets.layout import Layout, named

GENE = "gene"


@dataclass(frozen=True)
class Annotated(Arrow):
    """X of an AnnData file; layers, raw and the columns of obs and var are not read."""

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """A row per gene: its name, and its value in every sample."""
        changed = self.path.stat()
        table = _table(self.path, self.layout.header, changed.st_size, changed.st_mtime_ns)
        return table if columns is None else table.select(columns)


@lru_cache(maxsize=1)
def _table(path: Path, header: tuple[str, ...], size: int, changed: int) -> pa.Table:
    import h5py
    from anndata.io import read_elem  # only here: headers are read without it

    with h5py.File(path) as file:
        values, genes = read_elem(file["X"]), file["var"][file["var"].attrs["_index"]].asstr()[()]
    values = values if isinstance(values, np.ndarray) else values.toarray()
    return pa.Table.from_arrays([pa.array(named(genes)), *map(pa.array, values)], names=list(header))


def open_annotated(path: Path) -> Annotated:
    """Read the names of the samples; ValueError where the file is no AnnData, or has no values."""
    import h5py  # only here: few cohorts have such a file, and every plan of a run looks at tables

    try:
        with h5py.File(path) as file:
            if not {"obs", "var", "X"} <= set(file):
                raise ValueError(f"{path}: cannot be read as AnnData: it holds {', '.join(file) or 'nothing'}")
            samples = named(file["obs"][file["obs"].attrs["_index"]].asstr()[()])
    except (OSError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: cannot be read as AnnData ({str(error).splitlines()[0]})") from None
    return Annotated(path, Layout((GENE, *samples), 0, ("X is read, a sample per row of obs, a gene per row of var",)))
