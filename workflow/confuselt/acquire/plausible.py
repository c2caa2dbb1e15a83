"""Whether the endpoints of a cohort can be what they are called: said before a run, and in the report."""

from itertools import permutations

import numpy as np

from confuselt.acquire.units import DAYS_PER

NEARLY_ALL = 0.85  # share of events from which on a user is asked whether the coding is upside down
LONGEST_YEARS = 60
FEWEST = 10  # patients under which times say nothing of their unit

Times = dict[str, tuple[np.ndarray, np.ndarray]]


def follow_up(days: np.ndarray, event: np.ndarray) -> str:
    """How many patients and events there are, and how long patients were followed.

    Parameters
    ----------
    days, event : (n,) float64
        NaN where unknown.
    """
    days, event = _known(days, event)
    if not len(days):
        return "no patient has a time and an event"
    years, alive = days / DAYS_PER["years"], event == 0
    middle = f"{np.median(years[alive]):.1f} years without an event (median), " if alive.any() else ""
    return f"{int(event.sum())} events of {len(days)} patients, followed {middle}{years.max():.1f} years at most"


def odd_endpoint(name: str, days: np.ndarray, event: np.ndarray, horizons: list[int]) -> list[str]:
    """A line for everything that looks like a coding upside down or a wrong unit.

    Parameters
    ----------
    name : str
        The endpoint.
    days, event : (n,) float64
        NaN where unknown.
    horizons : list of int
        Days at which survival is scored.
    """
    days, event = _known(days, event)
    if not len(days):
        return []
    key, said = f"tasks.survival '{name}'", []
    if event.sum() == 0:
        said.append(f"{name}: nobody of {len(event)} patients has an event; check {key} (event, event_is)")
    elif event.mean() >= NEARLY_ALL:
        said.append(
            f"{name}: {int(event.sum())} of {len(event)} patients have an event; if that is upside down, name what is "
            f"an event: {key}: event_is: [...]"
        )
    if len(days) < FEWEST:
        return said
    if days.min() == days.max():
        said.append(f"{name}: all {len(days)} patients have the same time ({days[0]:g} days); check {key} (time)")
    elif days.max() < min(horizons):
        said.append(
            f"{name}: nobody is followed to the first horizon ({min(horizons)} days): the longest time is "
            f"{days.max():g} days; check {key} (unit: days, weeks, months, years), or set horizons"
        )
    elif days.max() > LONGEST_YEARS * DAYS_PER["years"]:
        said.append(
            f"{name}: the longest time is {days.max() / DAYS_PER['years']:.0f} years; check {key} (unit, factor)"
        )
    return said


def contradictions(times: Times) -> list[str]:
    """A line for patients whose endpoints cannot be true together; looked at where there is an endpoint ``os``.

    Nobody is seen after their death, and who died of the disease has died.

    Parameters
    ----------
    times : dict of str to ((n,) float64, (n,) float64)
        Days and event of every endpoint, over the same patients.
    """
    said = []
    for death, other in permutations(times, 2):
        if death != "os":
            continue
        (dead_days, dead), (days, event) = times[death], times[other]
        after = int(((dead == 1) & (days > dead_days + 1)).sum())
        if after:
            said.append(f"{death} and {other}: {after} patients are followed for {other} after their death; check both")
        alive = int(((dead == 0) & (event == 1)).sum()) if other == "dss" else 0
        if alive:
            said.append(
                f"{death} and {other}: {alive} patients died of the disease and are alive in {death}; check both"
            )
    return said


def _known(days: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    there = np.isfinite(days) & np.isfinite(event)
    return days[there], event[there]
