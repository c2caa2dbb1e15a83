"""What the columns of an endpoint, a label or a covariate say: decided once per column, for the whole cohort."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.acquire.units import DAYS_PER
from confuselt.sheets.read import closest, row_number
from confuselt.sheets.words import NONE, number

# Both are understood wherever they stand, alone or together with numbers.
TRUE, FALSE = "true", "false"
# A column called so counts 1 = nothing happened as often as 1 = event.
REVERSED = re.compile(
    r"cens|alive|living|survived|survivor|vital|"
    r"(event|disease|relapse|recurrence|progression|metastasis)[ ._-]?free|no[nt]?[ ._-]?event",
    re.I,
)
WITH_WORDS = re.compile(r"-?\d+([.,]\d+)?\W*\D*")  # 52 years, 61 y, 52,3
FEW_LEVELS = 10  # of a covariate of classes that begin with a number: 1a, 1b, 2
BOUND = re.compile(r"(?:[<>]=?|[≤≥])\s*(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?)\s*\+")
ROW = re.compile(r"^\S+ row \d+: ")
# Of a time: a date, or a duration in words.
DATED = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([ T].*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}[ -]?[A-Za-z]{3,9}[ -]?\d{2,4}"
)
SPELT = re.compile(r"-?\d+([.,]\d+)?\s*(d|w|m|y|days?|weeks?|months?|mos?|years?|yrs?)\b.*", re.I)


@dataclass(frozen=True)
class Coding:
    """What each value of an event column means.

    Attributes
    ----------
    means : dict of str to float
        Value as written to 1 (event) or 0 (censored).
    """

    means: dict[str, float]

    def of(self, values: pd.Series) -> np.ndarray:
        """(n,) float64: 1, 0, NaN where nothing is written."""
        return values.map(self.means).to_numpy(float)

    def words(self) -> str:
        """``event: Dead; censored: Alive``."""
        sides = {side: [repr(v) for v, m in self.means.items() if m == side] for side in (1.0, 0.0)}
        return "; ".join(
            f"{name}: {', '.join(sides[side]) or 'none'}" for name, side in (("event", 1.0), ("censored", 0.0))
        )


def decide_events(values: pd.Series, task: dict, file: str) -> Coding:
    """Which values of an event column are events.

    {0, 1}, true and false are understood; anything else needs ``event_is``: these values are events, all others are
    not.

    Parameters
    ----------
    values : Series of (str or None)
    task : dict
        An entry of ``tasks.survival``.
    file : str

    Raises
    ------
    ValueError
        Names the column, its values and the key.
    """
    found = list(dict.fromkeys(values.dropna()))
    nones = [v for v in found if v.lower() == NONE]
    found = [v for v in found if v not in nones]
    key, column = f"tasks.survival '{task['name']}': event_is", event_column(task)
    where = f"{file}: event column '{column}' of '{task['name']}'"
    shown = ", ".join(repr(v) for v in found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
    simple = task["event_is"] is None and all(_plain(v) in (0.0, 1.0, TRUE, FALSE) for v in found)
    if nones and not simple:
        raise ValueError(
            f"{where} says {nones[0]!r} {int(values.isin(nones).sum())} times, beside {shown}: that no event happened, "
            "or that nothing is known? Write 'no' for the one, and leave cells of the other empty"
        )
    if task["event_is"] is not None:
        wanted = {_plain(v) for v in task["event_is"]}
        wanted |= {
            word
            for v, word in ((True, "yes"), (False, "no"))
            if v in [w for w in task["event_is"] if isinstance(w, bool)]
        }  # YAML reads yes as true
        others = [v for v in found if _plain(v) not in wanted]
        absent = [] if wanted & {_plain(v) for v in found} else task["event_is"]
        absent = absent or [
            v for v in task["event_is"] if closest(str(v), others) and _plain(v) not in {_plain(f) for f in found}
        ]
        if found and absent:
            first = absent[0]
            raise ValueError(
                f"{where} never says {str(first)!r} ({key}); it holds {shown}{closest(str(first), others)}"
            )
        return Coding({v: float(_plain(v) in wanted) for v in found})
    means = {v: {TRUE: 1.0, FALSE: 0.0}.get(_plain(v), _plain(v)) for v in found}
    if unclear := [v for v, m in means.items() if m not in (0.0, 1.0)]:
        raise ValueError(
            f"{where} holds {shown}: {unclear[0]!r} is neither 0, 1, true nor false. "
            f"Say which values are events with {key}: [...]"
        )
    if found and REVERSED.search(column):
        raise ValueError(
            f"{where}: by its name 1 may mean that nothing happened (it holds {shown}). "
            f"Say which value is an event with {key}: [0], or [1]"
        )
    return Coding(means)


def event_column(task: dict) -> str:
    """Column with the event of an endpoint."""
    return task["event"] or f"{task['name']}_event"


def time_columns(task: dict) -> list[str]:
    """Columns with the time of an endpoint; the first that says something counts."""
    return [task["time"]] if isinstance(task["time"], str) else task["time"] or [f"{task['name']}_days"]


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of every row of the clinical table.

    Attributes
    ----------
    days, event : (n,) float64
        NaN where the endpoint is not known.
    faults : dict of int to str
        Position to why its outcome is dropped: a value that cannot be used.
    halves : dict of int to str
        The same for half an outcome, the other half being blank.
    given : int
        Rows in which anything is written.
    coding : str
        What the values of the event column mean.
    """

    days: np.ndarray
    event: np.ndarray
    faults: dict[int, str]
    halves: dict[int, str]
    given: int
    coding: str


def read_endpoint(raw: pd.DataFrame, task: dict, file: str) -> Endpoint | None:
    """Days and events of an endpoint; None where the table has no such columns.

    Parameters
    ----------
    raw : DataFrame
        The clinical table as text.
    task : dict
        An entry of ``tasks.survival``.
    file : str
    """
    named = time_columns(task)
    if not {*named, event_column(task)} <= set(raw):
        return None
    times, events, column = raw[named].bfill(axis=1)[named[0]], raw[event_column(task)], " or ".join(named)
    coding = decide_events(events, task, file)
    _check_times(times, task, column, file)
    event, time = coding.of(events), np.array([number(t) for t in times], float)
    faults, halves = {}, {}
    for i, (text, value) in enumerate(zip(times, time, strict=True)):
        if text is None and np.isnan(event[i]):
            continue
        if text is None:
            halves[i] = f"{column} is missing but {event_column(task)} is not"
        elif not np.isfinite(value):
            faults[i] = f"{column} '{text}' is no number"
        elif value < 0:
            faults[i] = f"{column} {value:g} is negative"
        elif np.isnan(event[i]):
            halves[i] = f"{event_column(task)} is missing but {column} is not"
    days = time * task["factor"] * DAYS_PER[task["unit"]]
    for i in (*faults, *halves):
        days[i] = event[i] = np.nan
    faults, halves = (
        {i: f"{file} row {row_number(i)}: {task['name']} dropped, {fault}" for i, fault in found.items()}
        for found in (faults, halves)
    )
    return Endpoint(days, event, faults, halves, int((times.notna() | events.notna()).sum()), coding.words())


def _check_times(times: pd.Series, task: dict, column: str, file: str) -> None:
    """Raise ValueError where most times are dates, or have their unit behind them."""
    written, key = times.dropna(), f"tasks.survival '{task['name']}'"
    dated, spelt = ([v for v in written if kind.fullmatch(v)] for kind in (DATED, SPELT))
    if 2 * len(dated) > len(written):
        raise ValueError(
            f"{file}: column '{column}' holds dates ('{dated[0]}'); wanted is the time from diagnosis to the event or "
            f"the last contact: subtract the dates, or name another column with {key}: time"
        )
    if 2 * len(spelt) > len(written):
        raise ValueError(
            f"{file}: column '{column}' says '{spelt[0]}'; wanted are plain numbers, their unit with {key}: unit"
        )


def read_label(raw: pd.DataFrame, task: dict, file: str) -> tuple[list[str | None], dict[int, str]]:
    """Class of each patient (None: not known), and position to what is wrong with a value."""
    column = task["column"] or task["name"]
    if column not in raw:
        return [None] * len(raw), {}
    classes, faults = [], {}
    for i, value in enumerate(raw[column]):
        text = task["aliases"].get(value, value) if value is not None else None
        if text is not None and text not in task["classes"]:
            faults[i] = (
                f"{file} row {row_number(i)}: {task['name']} '{text}' is none of {task['classes']} (column '{column}'; "
                "another spelling of a class goes into the label's aliases)"
            )
            text = None
        classes.append(text)
    return classes, faults


def read_covariate(values: pd.Series, name: str, file: str) -> tuple[pd.Series, dict[int, str]]:
    """A covariate as numbers, written as text, where most of its values are numbers; as classes otherwise.

    Parameters
    ----------
    values : Series of (str or None)
    name, file : str

    Returns
    -------
    Series of (str or None)
        Of numbers: canonical text, a bound ('>=90') as the number that it names, anything else None.
    faults : dict of int to str
        Position to what was made of a value that is no plain number.

    Raises
    ------
    ValueError
        Most values are numbers with something behind them: a unit, a decimal comma.
    """
    numbers = np.array([number(v) for v in values], float)
    bounds = {
        i: bound
        for i, v in enumerate(values)
        if v is not None and np.isnan(numbers[i]) and (bound := BOUND.fullmatch(v))
    }
    numeric = int(np.isfinite(numbers).sum()) + len(bounds)
    others = values[values.notna() & ~np.isfinite(numbers)]
    worded = others[[WITH_WORDS.fullmatch(v) is not None for v in others]]
    if worded.nunique() > FEW_LEVELS and len(worded) > values.notna().sum() / 2:
        raise ValueError(
            f"{file}: covariate '{name}' says {', '.join(repr(v) for v in worded.unique()[:3])}: "
            "write plain numbers, without unit and with a decimal point"
        )
    if numeric <= values.notna().sum() - numeric:
        return values, {}
    faults = {}
    for i, value in enumerate(values):
        if value is None or np.isfinite(numbers[i]):
            continue
        if i in bounds:
            numbers[i] = float(bounds[i][1] or bounds[i][2])
            faults[i] = f"{file} row {row_number(i)}: {name} '{value}' read as {numbers[i]:g}"
        else:
            faults[i] = f"{file} row {row_number(i)}: {name} '{value}' is no number, most of the column are: missing"
    return pd.Series(
        [None if not np.isfinite(n) else f"{n:.15g}" for n in numbers], index=values.index, dtype=object
    ), faults


def check_readable(read: dict[str, tuple[int, list[str]]], share: float, path: Path) -> None:
    """Raise ValueError where more than `share` of what is written of an endpoint or label cannot be read.

    Parameters
    ----------
    read : dict of str to (int, list of str)
        Task to how many patients have something written, and what is wrong with those that cannot be read.
    share : float
        ``max_excluded``.
    path : Path
        The clinical table.
    """
    told = []
    for task, (given, faults) in read.items():
        if given and len(faults) / given > share:
            alike = Counter(ROW.sub("", fault) for fault in faults)
            first = {ROW.sub("", fault): fault for fault in reversed(faults)}
            shown = [f"{n} times, first {first[f]}" if n > 1 else first[f] for f, n in alike.most_common(20)]
            lines = "\n".join(f"  {fault}" for fault in shown)
            more = f"\n  and {len(alike) - 20} other faults" if len(alike) > 20 else ""
            told.append(
                f"{task}: {len(faults)} of {given} values cannot be used, "
                f"more than max_excluded ({share:.0%}):\n{lines}{more}"
            )
    if told:
        raise ValueError(f"{path}: " + "\n".join(told))


def _plain(value: object) -> object:
    """A value by which two spellings are the same: 1, '1', '1.0' and True's text in any case."""
    text = str(value).strip().lower()
    found = number(text)
    return text if np.isnan(found) else found
