"""A reporting checklist as data: what each item asks, and a function that answers it from a run."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from confuselt.report.run import Run

FILLED, PART, YOURS = "filled", "in part", "yours to write"
YES, PROBABLY, NO, UNKNOWN = "yes", "probably", "no", "not known"
Anchor = Literal["", "found", "believed", "people", "performance", "looked", "everything"]


@dataclass(frozen=True)
class Said:
    """An answer.

    Attributes
    ----------
    state : str
        `FILLED`, `PART` or `YOURS` of a reporting item; `YES`, `PROBABLY`, `NO` or `UNKNOWN` of a question on bias.
    words : str
        Whole sentences.
    where : str
        Section of the page where it stands, '' for none.
    """

    state: str
    words: str
    where: Anchor = ""


@dataclass(frozen=True)
class Item:
    """What a checklist asks.

    Attributes
    ----------
    number : str
        As the checklist counts.
    part : str
        Its heading there.
    asks : str
        In words of our own.
    answer : callable
        Of a run.
    """

    number: str
    part: str
    asks: str
    answer: Callable[[Run], Said]


def yours(words: str) -> Callable[[Run], Said]:
    """An answer that no program can give, whatever the run."""
    return lambda run: Said(YOURS, words)


def answered(items: Iterable[Item], run: Run) -> list[dict]:
    """A row per item: ``number, part, asks, state, words, where``."""
    rows = []
    for item in items:
        said = item.answer(run)
        about = {"number": item.number, "part": item.part, "asks": item.asks}
        rows.append(about | {"state": said.state, "words": said.words, "where": said.where})
    return rows


def count_states(rows: list[dict], states: Iterable[str]) -> dict[str, int]:
    """How many rows have each state, in this order."""
    counts = Counter(row["state"] for row in rows)
    return {state: counts[state] for state in states}
