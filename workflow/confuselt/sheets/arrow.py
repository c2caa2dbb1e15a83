"""Parquet or Feather: a table whose columns have types."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather, ipc

from confuselt.sheets.layout import Layout, named


@dataclass(frozen=True)
class Arrow:
    """A table of typed columns.

    Attributes
    ----------
    path : Path
    layout : Layout
    """

    path: Path
    layout: Layout

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """Some columns by name, or all in order: a name may stand twice then."""
        if self.path.suffix == ".feather":
            return feather.read_table(self.path, columns)
        if columns is not None:
            return pq.read_table(self.path, columns=columns)
        with pq.ParquetFile(self.path) as file:
            return file.read()


def open_arrow(path: Path) -> Arrow:
    """Read the names of the columns; ValueError where the file is neither Parquet nor Feather (version 2)."""
    try:
        schema = pq.read_schema(path) if path.suffix == ".parquet" else ipc.open_file(path).schema
    except (pa.ArrowInvalid, OSError) as error:
        what = "Parquet" if path.suffix == ".parquet" else "Feather (version 2)"
        raise ValueError(f"{path}: cannot be read as {what} ({str(error).splitlines()[0]})") from None
    return Arrow(path, Layout(tuple(named(schema.names)), 0, ()))
