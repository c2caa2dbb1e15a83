"""Read a user's table, and say precisely what is wrong with it.

Header and rows go through one parser. What a cell says is decided in `words`; what a column means, by whoever reads it.
"""

import csv
import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from confuselt.sheets.words import number, said, stripped, written

SUFFIXES = (".parquet", ".csv", ".tsv", ".txt")
# Names that pandas and pyarrow give to a column that has none.
UNNAMED = ("Unnamed: ", "__index_level_")
OTHERS = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars"}
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


def header_of(path: Path) -> list[str]:
    """Names of all columns as they stand in the file, stripped; '' for a column without a name. Rows are not read."""
    if path.suffix == ".parquet":
        return _named(_schema(path).names)
    return _Text(path).header


def columns_of(path: Path) -> list[str]:
    """Names of the columns that have one."""
    return [name for name in header_of(path) if name]


def read_sheet(path: Path, columns: list[str] | None = None, codes: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a table as text: '007' stays '007', and 1, 2, (empty) do not become '1.0', '2.0'.

    Parameters
    ----------
    path : Path
        .parquet, .csv, .tsv or .txt (tab).
    columns : list of str, optional
        Columns to read; a missing one is a ValueError with close names. Columns without a name are never read.
    codes : tuple of str
        Columns of codes, in which words stand for themselves: NA is a tissue source site of TCGA.

    Returns
    -------
    DataFrame
        Rows in file order, of a text file without those where every cell is blank. A cell is stripped text, or None
        where it says nothing (see `words.MISSING`).

    Raises
    ------
    ValueError
        The file is no such table: a row with too few or too many cells, an open quote, other bytes than UTF-8, a name
        that stands twice.
    """
    header = header_of(path)
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
    if path.suffix == ".parquet":
        table = pq.read_table(path, columns=wanted)
        texts = {name: [written(value) for value in table.column(name).to_pylist()] for name in wanted}
        return pd.DataFrame(
            {name: [_cell(text, name in codes) for text in cells] for name, cells in texts.items()},
            columns=wanted,
            dtype=object,
        )
    at = [header.index(column) for column in wanted]
    rows = [[_cell(row[i], name in codes) for i, name in zip(at, wanted, strict=True)] for row in _Text(path).rows()]
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
    header = header_of(path)
    at = [i for i, name in enumerate(header) if name and name not in ids]
    names = [header[i] for i in at]
    sheet = read_sheet(path, [name for name in dict.fromkeys(header) if name in ids])
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            table = file.read()  # by position: a name may stand twice
        columns = [_numbers_of(table.column(i)) for i in at]
        values = np.column_stack([c[0] for c in columns]) if at else np.zeros((len(sheet), 0))
        texts = np.array([c[1] for c in columns], int)
    else:
        values, texts = _numbers_of_rows(_Text(path).rows(), at)
    worded = [f"'{names[i]}'" for i in np.flatnonzero(texts > np.isfinite(values).sum(0))]
    if worded:
        more = f" and {len(worded) - 5} more" if len(worded) > 5 else ""
        raise ValueError(
            f"{path}: columns {', '.join(worded[:5])}{more} are not numeric; "
            f"this table holds ids ({', '.join(ids)}) and numbers only: take them out"
        )
    return Matrix(sheet, names, values)


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


class _Text:
    """A delimited file: its header, and its rows as lists of cells, as many as the header has names."""

    def __init__(self, path: Path) -> None:
        self._path, self._separator = path, "," if path.suffix == ".csv" else "\t"
        records = self._records()
        top = next(records, None)
        if top is None:
            raise ValueError(f"{path}: the file has no row; wanted are a header and rows")
        first = next(records, None)
        # R's write.table gives no name to the column of row names.
        self._shift = (
            first is not None
            and len(first) == len(top) + 1
            and bool(first[-1].strip())
            and all(cell.strip() for cell in top)
        )
        self.header = _named([""] * self._shift + top)
        if len(top) == 1 and (
            other := next((mark for mark in OTHERS if mark in top[0] and mark != self._separator), None)
        ):
            raise ValueError(
                f"{path}: the header '{top[0][:60]}' is one name; "
                f"the cells seem to be separated by {OTHERS[other]}, wanted is {OTHERS[self._separator]} "
                f"({'.csv' if self._separator == ',' else '.tsv, .txt'}): save it so, or give the file another ending"
            )

    def rows(self) -> Iterator[list[str]]:
        """Rows under the header in file order; blank ones are passed over."""
        records, width = self._records(), len(self.header)
        next(records)
        for position, row in enumerate(records):
            if len(row) > width and not any(cell.strip() for cell in row[width:]):
                row = row[:width]  # cells that a spreadsheet left behind
            if len(row) != width:
                raise ValueError(
                    f"{self._path}: row {row_number(position)} has {len(row)} cells, the header has {width}; "
                    "is a separator missing, or a cell with one not quoted?"
                )
            yield row

    def _line(self, line: str) -> str:
        if "\0" in line:
            raise ValueError(
                f"{self._path}: a byte 0 stands in it; this is no text in UTF-8; save it as CSV UTF-8, or as .parquet"
            )
        return line

    def _records(self) -> Iterator[list[str]]:
        """Every line that is not blank, cut into cells."""
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as handle:
                reader = csv.reader(
                    map(self._line, handle), delimiter=self._separator, skipinitialspace=True, strict=True
                )
                yield from (row for row in reader if any(cell.strip() for cell in row))
        except UnicodeDecodeError:
            raise ValueError(f"{self._path}: this is no text in UTF-8; save it as CSV UTF-8, or as .parquet") from None
        except csv.Error as error:
            raise ValueError(
                f"{self._path}: line {reader.line_num} cannot be read ({error}); "
                "is a quote left open, or is this another kind of file?"
            ) from None


def _named(names: list[str]) -> list[str]:
    plain = [stripped(name) for name in names]
    return ["" if name.startswith(UNNAMED) else name for name in plain]


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]})") from None


def _cell(text: str | None, code: bool) -> str | None:
    """What a cell says; a code says what is written."""
    return None if text is None else (stripped(text) or None) if code else said(text)


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
