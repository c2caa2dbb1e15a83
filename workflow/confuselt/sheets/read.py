"""Read a user's table, and say precisely what is wrong with it.

Header and rows go through one parser. What a cell says is decided in `words`; what a column means, by whoever reads it.
"""

import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from confuselt.sheets.annotated import open_annotated
from confuselt.sheets.arrow import Arrow, open_arrow
from confuselt.sheets.text import Text, open_text
from confuselt.sheets.words import NONE, number, said, stripped, written
from confuselt.sheets.workbook import Workbook, open_workbook

ARROW = (".parquet", ".feather")
TEXT = (".csv", ".tsv", ".txt")
SUFFIXES = (*ARROW, ".xlsx", ".h5ad", *TEXT, *(f"{suffix}.gz" for suffix in TEXT))
FEWEST_ROWS = 10  # under which a count upwards may be chance


@dataclass(frozen=True)
class Matrix:
    """A table of numbers with id columns.

    Attributes
    ----------
    ids : DataFrame
        Text, a row per row of `values`.
    names : list of str
        Of the columns of `values`, in order; a name may stand twice.
    values : (n, len(names)) float64
        NaN where a cell says nothing or is no number.
    """

    ids: pd.DataFrame
    names: list[str]
    values: np.ndarray


def ending_of(path: Path) -> str | None:
    """Which of `SUFFIXES` a file's name ends in, without regard to case; None for another."""
    return next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)


def header_of(path: Path) -> list[str]:
    """Names of all columns as they stand in the file, stripped; '' for a column without a name."""
    return list(_open(path).layout.header)


def notes_of(path: Path) -> list[str]:
    """How a table is read, where that is not as the name of its file says: a sentence each."""
    return list(_open(path).layout.notes)


def columns_of(path: Path) -> list[str]:
    """Names of the columns that have one."""
    return [name for name in header_of(path) if name]


def read_sheet(
    path: Path,
    columns: list[str] | None = None,
    codes: tuple[str, ...] = (),
    sheet: str | None = None,
    nones: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Read a table as text: '007' stays '007', and 1, 2, (empty) do not become '1.0', '2.0'.

    Parameters
    ----------
    path : Path
        One of `SUFFIXES`. Separator, encoding, decimal mark and lines above the header are found.
    columns : list of str, optional
        Columns to read; a missing one is a ValueError with close names. Columns without a name are never read.
    codes : tuple of str
        Columns of codes, in which words stand for themselves: NA is a tissue source site of TCGA.
    sheet : str, optional
        Of a workbook, read where it is there; without it the one sheet with rows.
    nones : tuple of str
        Columns in which ``none`` is kept as a word: no event, or nothing known.

    Returns
    -------
    DataFrame
        Rows in file order, of a text file without those where every cell is blank. A cell is stripped text, or None
        where it says nothing (see `words.MISSING`).

    Raises
    ------
    ValueError
        The file is no such table: a row with too few or too many cells, an open quote, bytes of no encoding, a name
        that stands twice.
    """
    source = _open(path, sheet)
    header = source.layout.header
    wanted = columns if columns is not None else [name for name in header if name]
    for column in wanted:
        if column not in header:
            raise ValueError(f"{path}: no column '{column}'{closest(column, [n for n in header if n])}")
        if header.count(column) > 1:
            places = ", ".join(str(i + 1) for i, name in enumerate(header) if name == column)
            raise ValueError(
                f"{path}: column '{column}' stands {header.count(column)} times (columns {places}); "
                "keep one, or rename the others"
            )
    if isinstance(source, Arrow):
        table = source.table(wanted)
        texts = {name: [written(value) for value in table.column(name).to_pylist()] for name in wanted}
        return pd.DataFrame(
            {name: [_cell(text, name in codes, name in nones) for text in cells] for name, cells in texts.items()},
            columns=wanted,
            dtype=object,
        )
    at = [header.index(column) for column in wanted]
    kinds = [(i, name in codes, name in nones) for i, name in zip(at, wanted, strict=True)]
    rows = [[_cell(row[i], code, none) for i, code, none in kinds] for row in source.rows()]
    return pd.DataFrame(rows, columns=wanted, dtype=object)


def read_matrix(path: Path, ids: tuple[str, ...]) -> Matrix:
    """Read a table of numbers; every column but `ids` is one of numbers.

    Parameters
    ----------
    path : Path
    ids : tuple of str
        Columns read as text, those that the table has.

    Raises
    ------
    ValueError
        As `read_sheet`, and for a column that mostly holds text.
    """
    source = _open(path)
    header = source.layout.header
    at = [i for i, name in enumerate(header) if name and name not in ids]
    names = [header[i] for i in at]
    sheet = read_sheet(path, [name for name in dict.fromkeys(header) if name in ids])
    what = f"this table holds ids ({', '.join(ids)}) and numbers only: take them out"
    return Matrix(sheet, names, _numbers(source, at, what))


def read_turned(path: Path, at: list[int], key: str) -> Matrix:
    """Read a table of numbers whose rows are what other tables have in columns.

    Parameters
    ----------
    path : Path
        The first column names the rows.
    at : list of int
        Columns of numbers; their names are the ids.
    key : str
        Column of the ids.

    Returns
    -------
    Matrix
        A row per column of the file.
    """
    source = _open(path)
    if isinstance(source, Arrow):
        first = [written(value) for value in source.table().column(0).to_pylist()]
    else:
        first = [row[0] for row in source.rows()]
    names, ids = [_cell(cell, True) or "" for cell in first], [source.layout.header[i] for i in at]
    if nameless := [row_number(i) for i, name in enumerate(names) if not name]:
        raise ValueError(f"{path}: row {nameless[0]} has no name in its first column")
    return Matrix(pd.DataFrame({key: ids}, dtype=object), names, _numbers(source, at, "take them out").T)


def check_counters(table: Matrix, path: Path) -> None:
    """Raise ValueError for a column that numbers the rows.

    0, 1, 2, … or 1, 2, 3, … is the index of some program, and would be taken for a measurement.
    """
    count = len(table.values)
    if count < FEWEST_ROWS:
        return
    rows = np.arange(count, dtype=float)
    for name, column in zip(table.names, table.values.T, strict=True):
        if np.array_equal(column - column[0], rows) and column[0] in (0, 1):
            raise ValueError(
                f"{path}: column '{name}' numbers the rows ({column[0]:g} to {column[-1]:g}); "
                "it is an index, take it out"
            )


def repeated(names: list[str]) -> list[str]:
    """Names that stand more than once, in order."""
    return [name for name, count in Counter(names).items() if count > 1]


def closest(name: str, known: list[str]) -> str:
    """``"; closest: 'a', 'b'"``, or nothing where no name is close; one that differs by case alone stands alone."""
    same = [other for other in known if other.casefold() == name.casefold()]
    near = same[:3] or difflib.get_close_matches(name, known, n=3, cutoff=0.75)
    return f"; closest: {', '.join(repr(n) for n in near)}" if near else ""


def row_number(position: int) -> int:
    """Number of a row as a person counts it: the first row under the header is 1, blank rows are not counted."""
    return position + 1


def _open(path: Path, sheet: str | None = None) -> Text | Workbook | Arrow:
    """The table behind a path, opened as its ending says."""
    if not path.is_file():
        raise ValueError(f"{path} is absent")
    ending = ending_of(path)
    if ending in ARROW:
        return open_arrow(path)
    if ending == ".h5ad":
        return open_annotated(path)
    return open_workbook(path, sheet) if ending == ".xlsx" else open_text(path)


def _cell(text: str | None, code: bool, none: bool = False) -> str | None:
    """What a cell says; a code says what is written, and where `none` is set so does that word."""
    if text is None:
        return None
    return (stripped(text) or None) if code or (none and stripped(text).lower() == NONE) else said(text)


def _numbers(source: Text | Workbook | Arrow, at: list[int], advice: str) -> np.ndarray:
    """Columns `at` as numbers, (rows, columns) float64; ValueError with the advice where one mostly holds text."""
    if isinstance(source, Arrow):
        table = source.table()
        columns = [_numbers_of(table.column(i)) for i in at]
        values = np.column_stack([c[0] for c in columns]) if at else np.zeros((table.num_rows, 0))
        texts = np.array([c[1] for c in columns], int)
    else:
        values, texts = _numbers_of_rows(source.rows(), at)
    if worded := [f"'{source.layout.header[at[i]]}'" for i in np.flatnonzero(texts > np.isfinite(values).sum(0))]:
        more = f" and {len(worded) - 5} more" if len(worded) > 5 else ""
        raise ValueError(f"{source.path}: columns {', '.join(worded[:5])}{more} are not numeric; {advice}")
    return values


def _numbers_of(column: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    """Values as float64, and how many cells are words."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), 0
    cells = [_cell(written(value), False) for value in column.to_pylist()]
    values = np.array([number(cell) for cell in cells], float)
    return values, sum(cell is not None and value != value for cell, value in zip(cells, values, strict=True))


def _numbers_of_rows(rows: Iterator[list[str]], at: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The same for the columns `at` of a delimited file, row by row.

    A matrix of text would need ten times the memory.
    """
    found, texts = [], np.zeros(len(at), int)
    cut = itemgetter(*at) if len(at) > 1 else lambda row: tuple(row[i] for i in at)
    for row in rows:
        cells = cut(row)
        try:
            found.append(np.fromiter(map(float, cells), float, len(cells)))
        except ValueError:
            words = [said(cell) for cell in cells]
            values = np.array([number(word) for word in words], float)
            texts += np.array([word is not None for word in words], bool) & np.isnan(values)
            found.append(values)
    return np.stack(found) if found else np.zeros((0, len(at))), texts
