"""AnnData (.h5ad) as a table with a gene in every row and a sample in every column, named by var and obs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from confuselt.sheets.arrow import Arrow
from confuselt.sheets.layout import Layout

GENE = "gene"


@dataclass(frozen=True)
class Annotated(Arrow):
    """X of an AnnData file; layers, raw and the columns of obs and var are not read."""

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """A row per gene: its name, and its value in every sample."""
        import anndata as ad  # only here: headers are read without it

        found = ad.read_h5ad(self.path)
        values = found.X if isinstance(found.X, np.ndarray) else found.X.toarray()
        arrays = [pa.array(found.var_names.astype(str)), *map(pa.array, values)]
        table = pa.Table.from_arrays(arrays, names=list(self.layout.header))
        return table if columns is None else table.select(columns)


def open_annotated(path: Path) -> Annotated:
    """Read the names of the samples; ValueError where the file is no AnnData, or has no values."""
    import h5py  # only here: few cohorts have such a file, and every plan of a run looks at tables

    try:
        with h5py.File(path) as file:
            if not {"obs", "var", "X"} <= set(file):
                raise ValueError(f"{path}: cannot be read as AnnData: it holds {', '.join(file) or 'nothing'}")
            samples = [str(name) for name in file["obs"][file["obs"].attrs["_index"]].asstr()[()]]
    except (OSError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: cannot be read as AnnData ({str(error).splitlines()[0]})") from None
    return Annotated(path, Layout((GENE, *samples), 0, ("X is read, a sample per row of obs, a gene per row of var",)))
