"""What can hardly be: units, times and codings that a cohort's endpoints give away."""

import numpy as np
import pandas as pd
import pytest

from confuselt.acquire.outcomes import read_endpoint
from confuselt.acquire.plausible import contradictions, follow_up, odd_endpoint
from confuselt.report.cohort_page import odd_outcomes

RNG = np.random.default_rng(3)
DAYS, EVENT = RNG.uniform(30, 4000, 60), (np.arange(60) % 3 == 0).astype(float)
TASK = {"name": "os", "time": "t", "event": "e", "event_is": None, "unit": "days", "factor": 1.0, "horizons": [1095]}


def test_a_plausible_endpoint_is_no_matter_of_words():
    assert odd_endpoint("os", DAYS, EVENT, [1095]) == []
    assert follow_up(DAYS, EVENT).startswith("20 events of 60 patients, followed ")
    assert f"{DAYS.max() / 365.25:.1f} years at most" in follow_up(DAYS, EVENT)


@pytest.mark.parametrize(
    ("days", "event", "said"),
    [
        (DAYS / 30, EVENT, "nobody is followed to the first horizon \\(1095 days\\): .*unit: days, weeks, months"),
        (DAYS * 30, EVENT, "the longest time is 3.. years; check tasks.survival 'os' \\(unit, factor\\)"),
        (DAYS * 0 + 7, EVENT, "all 60 patients have the same time \\(7 days\\)"),
        (DAYS, EVENT * 0, "nobody of 60 patients has an event"),
        (DAYS, EVENT * 0 + 1, "60 of 60 patients have an event; if that is upside down"),
    ],
)
def test_an_odd_endpoint_is_told(days, event, said):
    (line,) = odd_endpoint("os", days, event, [1825, 1095])
    assert pd.Series([line]).str.contains(said).item()
    table = pd.DataFrame({"os_days": days, "os_event": event})
    assert odd_outcomes(table, [{"name": "os", "horizons": [1825, 1095]}]) == [line]


def test_endpoints_that_contradict_each_other_are_told():
    later, event = DAYS + 400, EVENT.copy()
    times = {"pfi": (later, event), "os": (DAYS, EVENT), "dss": (DAYS, 1 - EVENT)}
    assert contradictions(times) == [
        "os and pfi: 20 patients are followed for pfi after their death; check both",
        "os and dss: 40 patients died of the disease and are alive in os; check both",
    ]
    assert contradictions({"os": (DAYS, EVENT), "pfi": (DAYS - 9, EVENT), "dss": (DAYS, EVENT)}) == []
    assert contradictions({"pfi": (later, event), "dss": (DAYS, EVENT)}) == []


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2014-03-01", "c.csv: column 't' holds dates \\('2014-03-01'\\); wanted is the time from diagnosis"),
        ("1.3.2014", "holds dates"),
        ("01-Mar-2014", "holds dates"),
        ("365 days", "column 't' says '365 days'; wanted are plain numbers, their unit with .* unit"),
        ("12 mo", "says '12 mo'"),
    ],
)
def test_times_that_are_dates_or_durations_stop_the_run(time, said):
    raw = pd.DataFrame({"t": [time] * 6 + [None, "3"], "e": ["1", "0"] * 4}, dtype=object)
    with pytest.raises(ValueError, match=said):
        read_endpoint(raw, TASK, "c.csv")
    raw["t"] = [time, *["5"] * 7]
    assert len(read_endpoint(raw, TASK, "c.csv").faults) == 1, "a single one is a fault of its patient"


def test_the_first_time_that_says_something_counts():
    """As GDC's clinical tables have it: days to death, else to the last follow-up."""
    died, seen = ["400", None, None, "-1"], ["300", "900", None, "10"]
    raw = pd.DataFrame({"died": died, "seen": seen, "dead": ["Dead", "Alive", "Alive", "Dead"]}, dtype=object)
    task = {**TASK, "time": ["died", "seen"], "event": "dead", "event_is": ["Dead"]}
    found = read_endpoint(raw, task, "c.csv")
    assert found.days[:2].tolist() == [400, 900] and found.event[:2].tolist() == [1, 0]
    assert found.halves == {2: "c.csv row 3: os dropped, died or seen is missing but dead is not"}
    assert found.faults == {3: "c.csv row 4: os dropped, died or seen -1 is negative"}
    assert read_endpoint(raw.drop(columns="seen"), task, "c.csv") is None
