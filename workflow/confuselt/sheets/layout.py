"""Where a table begins: the records above its header, the name that row names lack."""

from collections.abc import Sequence
from dataclasses import dataclass

from confuselt.sheets.words import stripped

# Names that pandas and pyarrow give to a column that has none.
UNNAMED = ("Unnamed: ", "__index_level_")
RECORDS = 200  # by which a table is judged


@dataclass(frozen=True)
class Layout:
    """What the first records of a table say of all.

    Attributes
    ----------
    header : tuple of str
        Stripped; '' for a column without a name.
    above : int
        Records above the header.
    notes : tuple of str
        How the table is read, where that is not as its name says.
    """

    header: tuple[str, ...]
    above: int
    notes: tuple[str, ...]


def lay_out(records: Sequence[list[str]]) -> Layout:
    """Find the header among the first records, none of which is blank; there must be one."""
    above = titles(records)
    top, first = records[above], next(iter(records[above + 1 :]), None)
    header = [""] * shifted(top, first) + top
    notes = [f"the line '{_first(record)[:60]}' above the header is left out" for record in records[:above]]
    return Layout(tuple(named(header)), above, tuple(notes))


def titles(records: Sequence[list[str]]) -> int:
    """How many leading records are a title over the table: one cell with something in it, above rows with more."""
    count = 0
    for record, below in zip(records, records[1:], strict=False):
        if not (record and record[0].strip() and _filled(record) == 1 and max(map(_filled, (below, *records))) > 2):
            break
        count += 1
    return count


def shifted(top: list[str], first: list[str] | None) -> bool:
    """Whether rows have one cell more than the header: R's write.table gives no name to the column of row names."""
    return (
        first is not None
        and len(first) == len(top) + 1
        and bool(first[-1].strip())
        and all(cell.strip() for cell in top)
    )


def named(names: Sequence[str]) -> list[str]:
    """Names of columns, stripped; '' for one that has none."""
    plain = [stripped(name) for name in names]
    return ["" if name.startswith(UNNAMED) else name for name in plain]


def _filled(record: list[str]) -> int:
    return sum(bool(cell.strip()) for cell in record)


def _first(record: list[str]) -> str:
    return next(cell.strip() for cell in record if cell.strip())
