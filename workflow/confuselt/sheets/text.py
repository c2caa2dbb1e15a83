"""A delimited text file: its encoding, separator and decimal mark are found, not asked for."""

import codecs
import csv
import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO

from confuselt.sheets.layout import RECORDS, Layout, lay_out, shifted, titles
from confuselt.sheets.words import said

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
HEAD = 1 << 22  # bytes by which a file is judged
# First bytes of files that are no text, and what they are.
OTHERS = {
    b"PK\x03\x04": "a workbook or a zip archive: give it its own ending (.xlsx), or unpack it",
    b"PAR1": "Parquet: name it .parquet",
    b"\x89HDF": "HDF5",
    b"\xd0\xcf\x11\xe0": "a workbook of an old kind (.xls): save it as .xlsx or .csv",
    b"%PDF": "a PDF",
}
SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=.\"?\s*", re.I)  # as Excel writes above a header
WEB_PAGE = re.compile(r"\s*<(!doctype|html|\?xml)", re.I)
COMMA, POINT = (re.compile(rf"[+-]?\d*{mark}\d+([eE][+-]?\d+)?") for mark in (",", r"\."))
WHOLE = re.compile(r"[+-]?\d+")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


@dataclass(frozen=True)
class Text:
    """A delimited file.

    Attributes
    ----------
    path : Path
    encoding : str
    separator : str
    comments : int
        Lines above the header that begin with ``#`` (or are blank).
    commas : frozenset of int
        Columns whose numbers have a decimal comma.
    layout : Layout
    """

    path: Path
    encoding: str
    separator: str
    comments: int
    commas: frozenset[int]
    layout: Layout

    def rows(self) -> Iterator[list[str]]:
        """Rows under the header in file order, each as wide as the header; blank ones are passed over.

        Raises
        ------
        ValueError
            A row with too few or too many cells, an open quote, other bytes than the encoding's.
        """
        # Only the first bytes were judged.
        encoding = _encoding(self.path, *_state(self.path), None)
        width, whole = len(self.layout.header), _records(self.path, encoding, self.separator, self.comments)
        for number, row in enumerate(whole, -self.layout.above):
            if number < 1:
                continue
            if len(row) > width and not any(cell.strip() for cell in row[width:]):
                row = row[:width]  # cells that a spreadsheet left behind
            if len(row) != width:
                raise ValueError(
                    f"{self.path}: row {number} has {len(row)} cells, the header has {width}; "
                    "is a separator missing, or a cell with one not quoted?"
                )
            for i in self.commas:
                row[i] = self._pointed(row[i], i, number)
            yield row

    def _pointed(self, cell: str, column: int, number: int) -> str:
        """A number with its decimal comma as a point."""
        plain = cell.strip()
        if POINT.fullmatch(plain):
            raise ValueError(
                f"{self.path}: row {number}: '{plain}' has a decimal point, other numbers of column "
                f"'{self.layout.header[column]}' a decimal comma; write all of them alike"
            )
        return plain.replace(",", ".") if COMMA.fullmatch(plain) else cell


def open_text(path: Path) -> Text:
    """Find out how a delimited file (.csv, .tsv, .txt, each also .gz) is written.

    Raises
    ------
    ValueError
        It is no such file: empty, a web page, a workbook under another name, bytes of no known encoding.
    """
    return _open(path, *_state(path))


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=32)
def _open(path: Path, size: int, changed: int) -> Text:
    usual = "," if path.name.lower().removesuffix(".gz").endswith(".csv") else "\t"
    encoding = _encoding(path, size, changed, HEAD)
    lines = _head(path, encoding)
    comments, hash_header = _comments(lines, usual)
    lines = lines[comments:]
    if hash_header:
        lines[0] = lines[0].lstrip("\ufeff#")
    separator = _separator(lines, usual)
    records = _parsed(lines, separator) or list(islice(_records(path, encoding, separator, comments), RECORDS))
    if not records:
        raise ValueError(f"{path}: the file has no row; wanted are a header and rows")
    layout = lay_out(records)
    rows = records[layout.above + 1 :]
    commas = frozenset() if separator == "," else _decimal_commas(path, layout.header, rows)
    notes = list(layout.notes)
    if encoding not in ("utf-8-sig", "utf-8"):
        notes.append(f"read as {encoding}, it is no UTF-8")
    if separator != usual:
        notes.append(f"its cells are separated by {SEPARATORS[separator]}")
    if comments:
        notes.append(f"{comments} line{'s' * (comments > 1)} above the header that begin with # (or sep=) are left out")
    if commas:
        named = ", ".join(repr(layout.header[i]) for i in sorted(commas)[:4]) + (", …" if len(commas) > 4 else "")
        notes.append(f"numbers of {named} have a decimal comma")
    layout = Layout(layout.header, layout.above, tuple(notes))
    return Text(path, encoding, separator, comments, commas, layout)


@lru_cache(maxsize=32)
def _encoding(path: Path, size: int, changed: int, judged: int | None) -> str:
    """Encoding of the first bytes (None: of all)."""
    with _opened(path) as file:
        start = file.read(1024)
        if other := next((what for mark, what in OTHERS.items() if start.startswith(mark)), None):
            raise ValueError(f"{path}: this is no text, it is {other}")
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        odd, even = start[1::2], start[::2]
        if start.count(0) > len(start) // 4:
            return "utf-16-le" if odd.count(0) > even.count(0) else "utf-16-be"
        decoder, block, left = codecs.getincrementaldecoder("utf-8")(), start, judged
        try:
            while block:
                decoder.decode(block)
                left = None if left is None else left - len(block)
                block = b"" if left is not None and left <= 0 else file.read(1 << 20)
            if left is None:
                decoder.decode(b"", final=True)
            return "utf-8-sig"
        except UnicodeDecodeError:
            return "cp1252"
        except (gzip.BadGzipFile, EOFError) as error:
            raise ValueError(f"{path}: cannot be unpacked ({error}); is the file whole?") from None


def _opened(path: Path) -> IO[bytes]:
    compressed = path.open("rb").read(2) == b"\x1f\x8b"
    if compressed != (path.suffix.lower() == ".gz"):
        raise ValueError(f"{path}: the file {'is' if compressed else 'is not'} compressed by gzip: correct its ending")
    return gzip.open(path) if compressed else path.open("rb")


def _lines(path: Path, encoding: str) -> Iterator[str]:
    try:
        with _opened(path) as file, io.TextIOWrapper(file, encoding=encoding, newline="") as handle:
            for line in handle:
                if "\0" in line:
                    raise ValueError(f"{path}: a byte 0 stands in it; this is no text; save it as CSV UTF-8")
                yield line
    except (UnicodeError, gzip.BadGzipFile, EOFError) as error:
        raise ValueError(
            f"{path}: the bytes are neither UTF-8 nor {encoding} ({error}); is the file whole? Save it as CSV UTF-8"
        ) from None


def _head(path: Path, encoding: str) -> list[str]:
    """The first lines, not more than are judged."""
    found, size = [], 0
    for line in _lines(path, encoding):
        found.append(line)
        size += len(line)
        if len(found) >= RECORDS or size > HEAD:
            break
    if found and WEB_PAGE.match("".join(found[:3])):
        raise ValueError(f"{path}: this is a web page or XML and no table; has the download failed?")
    return found


def _comments(lines: list[str], usual: str) -> tuple[int, bool]:
    """Lines to pass over that begin with # (cBioPortal, GDC), and whether the last of these is the header instead."""
    if lines and SEPARATOR_LINE.fullmatch(lines[0]):
        return 1, False
    count = next((i for i, line in enumerate(lines) if line.strip() and not line.lstrip("\ufeff").startswith("#")), 0)
    marked = [i for i in range(count) if lines[i].strip()]
    if not marked:
        return 0, False
    separator = _separator(lines[count:], usual)
    last, below = (next(iter(_parsed([line], separator)), []) for line in (lines[marked[-1]], lines[count]))
    numbers = any(re.fullmatch(r"-?\d+([.,]\d+)?", cell.strip()) for cell in below)
    header = len(marked) == 1 and len(last) == len(below) > 1 and numbers
    return (marked[-1] if header else count), header


def _separator(lines: list[str], usual: str) -> str:
    """The separator by which the first records have one width."""
    widths = {mark: _width(_parsed(lines, mark)) for mark in SEPARATORS}
    if any(mark in (lines[0] if lines else "") for mark in SEPARATORS if mark != " "):
        widths[" "] = 0
    best = max(widths, key=widths.get)
    plain = widths[usual] > 1 and (widths[best] < 2 * widths[usual] or len(lines) == 1)
    return usual if plain or widths[best] < 2 else best


def _width(records: list[list[str]]) -> int:
    """Width of the header, where most of the first records have it; else 0."""
    records = records[titles(records) :]
    if not records:
        return 0
    top, rows = records[0], records[1:]
    width = len(top) + (bool(rows) and shifted(top, rows[0]))
    alike = sum(len(r) == width or (len(r) > width and not any(c.strip() for c in r[width:])) for r in rows)
    # Names alone count: a column of row names may be decimals behind commas.
    return len(top) if 2 * alike >= len(rows) else 0


def _parsed(lines: list[str], separator: str) -> list[list[str]]:
    """Records of some lines that are not blank; none where they cannot be cut so. The last may end in a quote."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    found = []
    try:
        for row in reader:
            found.append(row)
    except csv.Error:
        if reader.line_num < len(lines):
            return []
    return [row for row in found if any(cell.strip() for cell in row)]


def _records(path: Path, encoding: str, separator: str, comments: int) -> Iterator[list[str]]:
    """Every record that is not blank, from the line after the comments on."""
    lines = _lines(path, encoding)
    for _ in range(comments):
        next(lines)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        yield from (row for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise ValueError(
            f"{path}: line {reader.line_num + comments} cannot be read ({error}); "
            "is a quote left open, or is this another kind of file?"
        ) from None


def _decimal_commas(path: Path, header: tuple[str, ...], rows: list[list[str]]) -> frozenset[int]:
    """Columns of numbers some of which have a decimal comma; ValueError where '1,234' may be either."""
    found = set()
    for i, name in enumerate(header):
        cells = [row[i].strip() for row in rows if i < len(row)]
        commas = [cell for cell in cells if COMMA.fullmatch(cell)]
        # A column with other text in it, lists such as 1,2,3 for one, is no column of numbers.
        if not commas or any(not COMMA.fullmatch(c) and said(c) is not None and not WHOLE.fullmatch(c) for c in cells):
            continue
        if all(THOUSANDS.fullmatch(cell) for cell in commas):
            raise ValueError(
                f"{path}: column '{name}': '{commas[0]}' may be a number with a decimal comma or a whole number of "
                "thousands; write numbers with a decimal point and without marks between thousands"
            )
        found.add(i)
    return frozenset(found)
