"""A workbook (.xlsx): the one sheet with rows, its cells as a person reads them."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path

from confuselt.sheets.layout import RECORDS, Layout, lay_out
from confuselt.sheets.words import written


@dataclass(frozen=True)
class Workbook:
    """The sheet of a workbook.

    Attributes
    ----------
    path : Path
    layout : Layout
    records : list of list of str
        All that are not blank, of one width.
    """

    path: Path
    layout: Layout
    records: list[list[str]]

    def rows(self) -> Iterator[list[str]]:
        """Rows under the header, each as wide as the header; blank ones are passed over."""
        yield from self.records[self.layout.above + 1 :]


def open_workbook(path: Path, sheet: str | None = None) -> Workbook:
    """Read a workbook: a sheet of it by name where it has that, else the one with rows.

    Raises
    ------
    ValueError
        It is none, it is protected, or several of its sheets have rows.
    """
    found = path.stat()
    return _open(path, sheet, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=32)
def _open(path: Path, wanted: str | None, size: int, changed: int) -> Workbook:
    # Only here: every plan of a run looks at tables, and few are workbooks.
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, OSError) as error:
        raise ValueError(
            f"{path}: cannot be read as a workbook ({error}); is it protected by a password, or another kind of file?"
        ) from None
    sheets = {}
    for sheet in [s for s in book.worksheets if s.title == wanted] or book.worksheets:
        records = [tuple(_text(value) for value in row) for row in sheet.iter_rows(values_only=True)]
        if filled := [record for record in records if any(cell.strip() for cell in record)]:
            sheets[sheet.title] = filled
    book.close()
    if len(sheets) != 1:
        names = ", ".join(repr(name) for name in sheets)
        raise ValueError(
            f"{path}: several sheets have rows ({names}); save the wanted one as a file of its own"
            if sheets
            else f"{path}: no sheet has a row; wanted are a header and rows"
        )
    ((title, records),) = sheets.items()
    # read_only sheets give rows of unequal width.
    width = max(len(record) for record in records)
    records = [list(record) + [""] * (width - len(record)) for record in records]
    layout = lay_out(records[:RECORDS])
    notes = (*layout.notes, *([f"its sheet '{title}' is read"] if len(book.sheetnames) > 1 else []))
    return Workbook(path, Layout(layout.header, layout.above, notes), records)


def _text(value: object) -> str:
    """A typed cell as text; a date as 2020-03-01."""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time | timedelta):
        return str(value)
    return written(value) or ""
