"""Read a user's table: .parquet, .csv or .tsv, and say precisely what is wrong with it."""

import difflib
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq


def columns_of(path: Path) -> list[str]:
    """Column names without reading the rows."""
    if path.suffix == ".parquet":
        return list(pq.read_schema(path).names)
    with path.open(encoding="utf-8-sig") as handle:
        return [c.strip().strip('"') for c in handle.readline().rstrip("\r\n").split(_separator(path))]


def read_sheet(path: Path, columns: list[str] | None = None, ids: tuple[str, ...] = ("patient_id", "slide_id", "sample_id")) -> pd.DataFrame:
    """Read a table; ids, sites, labels and the like stay text as written.

    Parameters
    ----------
    path : Path
        .parquet, .csv, .tsv or .txt (tab).
    columns : list of str, optional
        Columns to read; a missing one is a ValueError with close names.
    ids : tuple of str
        Columns read as text: '007' stays '007', and 1, 2, (empty) do not become '1.0', '2.0'.

    Returns
    -------
    DataFrame
        Rows in file order. Text is stripped; what is blank, or what pandas takes for missing (NA, NaN, None, ...), is None.
    """
    present = columns_of(path)
    for column in columns or []:
        if column not in present:
            raise ValueError(f"{path}: no column '{column}'{closest(column, present)}")
    if path.suffix == ".parquet":
        table = pq.read_table(path, columns=columns)
        frame = table.to_pandas()
        frame = frame.reset_index() if frame.index.name in (columns or present) else frame
        for column in {*ids} & {*table.column_names}:
            frame[column] = [_written(v) for v in table[column].to_pylist()]
    else:
        frame = pd.read_csv(path, sep=_separator(path), usecols=columns, dtype=dict.fromkeys(ids, str), encoding="utf-8-sig")
    for column in ids:
        if column in frame:
            frame[column] = frame[column].map(lambda v: None if pd.isna(v) or str(v).strip() == "" else str(v).strip())
    return frame


def _written(value: object) -> str | None:
    if value is None or value != value:  # NaN
        return None
    # A column of whole numbers with a gap is stored as floats: nobody wrote the '.0'.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def slide_fault(slide_id: str) -> str | None:
    """Why files cannot be named after a slide: those of a stage lie beside ``index.parquet`` and ``features.h5``."""
    if "/" in slide_id or slide_id.startswith(".") or slide_id in ("index", "features"):
        return f"slide '{slide_id}': files are named after a slide; give it an id without '/', without '.' at the start, other than index and features"
    return None


def closest(name: str, known: list[str]) -> str:
    """``"; closest: 'a', 'b'"``, or nothing where no name is close."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.75)
    return f"; closest: {', '.join(repr(n) for n in near)}" if near else ""


def row_number(position: int) -> int:
    """Number of a row as a person counts it: the first row under the header is 1."""
    return position + 1


def _separator(path: Path) -> str:
    return "," if path.suffix == ".csv" else "\t"
