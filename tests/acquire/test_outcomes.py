"""What the columns of an outcome say is decided once per column, or the run stops before any job."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sources import check

from confuselt.acquire.clinical import read_outcomes
from confuselt.acquire.outcomes import (
    check_readable,
    decide_events,
    read_covariate,
    read_endpoint,
    read_label,
)
from confuselt.acquire.sources import table_notes
from confuselt.config.validate import ConfigFault, validate

OS = {"name": "os", "time": "months", "event": "dead", "event_is": None, "unit": "months", "factor": 1.0}


def events(*values, **task):
    return (
        decide_events(pd.Series(values, dtype=object), {**OS, **task}, "clinical.csv")
        .of(pd.Series(values, dtype=object))
        .tolist()
    )


@pytest.mark.parametrize(
    ("values", "task", "means"),
    [
        (("1", "0", "1.0", None), {}, [1, 0, 1, np.nan]),
        (("True", "FALSE", None), {}, [1, 0, np.nan]),
        (("Dead", "Alive", None), {"event_is": ["Dead"]}, [1, 0, np.nan]),
        (("DEAD", "alive"), {"event_is": ["dead"]}, [1, 0]),
        (("1:DECEASED", "0:LIVING"), {"event_is": ["1:DECEASED"]}, [1, 0]),
        (("2", "1", "2.0"), {"event_is": [2]}, [1, 0, 1]),
        (("2", "1"), {"event_is": ["2"]}, [1, 0]),
        (("Dead", "Alive"), {"event_is": ["Dead", 2]}, [1, 0]),
        (("0", "1"), {"event_is": [0], "event": "censorship"}, [1, 0]),
        (("yes", "no"), {"event_is": [True]}, [1, 0]),
        (
            ("dead of disease", "dead of other cause", "alive"),
            {"event_is": ["dead of disease", "dead of other cause"]},
            [1, 1, 0],
        ),
    ],
)
def test_codings_that_are_understood(values, task, means):
    np.testing.assert_array_equal(events(*values, **task), means)


@pytest.mark.parametrize(
    ("values", "task", "said"),
    [
        (
            ("1", "2"),
            {},
            (
                "event column 'dead' of 'os' holds '1', '2': "
                "'2' is neither 0, 1, true nor false.*tasks.survival 'os': event_is"
            ),
        ),
        (("0", "1", "9"), {}, "'9' is neither"),
        (("Dead", "Alive"), {}, "'Dead' is neither"),
        (("0:LIVING", "1:DECEASED"), {}, "holds '0:LIVING', '1:DECEASED'"),
        (("yes", "no"), {}, "'yes' is neither"),
        (
            ("0", "1"),
            {"event": "censorship"},
            "by its name 1 may mean that nothing happened.*event_is: \\[0\\], or \\[1\\]",
        ),
        (("0", "1"), {"event": "OS_Censored"}, "by its name 1 may mean"),
        (("0", "1"), {"event": "alive"}, "by its name 1 may mean"),
        (("0", "1"), {"event": "event_free"}, "by its name 1 may mean"),
        (("0", "1"), {"event": "vital_status"}, "by its name 1 may mean"),
        (("Deceased", "Alive"), {"event_is": ["Dead"]}, "never says 'Dead'.*it holds 'Deceased', 'Alive'"),
        (("Deceased", "Dead", "Alive"), {"event_is": ["Dead", "Deceasd"]}, "never says 'Deceasd'.*closest: 'Deceased'"),
        (("0.5", "1"), {}, "'0.5' is neither"),
        (("-1", "1"), {}, "'-1' is neither"),
    ],
)
def test_anything_else_stops_and_names_values_and_key(values, task, said):
    with pytest.raises(ValueError, match=said):
        events(*values, **task)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([None, "0", "1", "0.0", "1.0", "true", "False", "2", "Dead", "LIVING", "x"]), max_size=12)
)
def test_no_coding_is_guessed(values):
    """Whatever stands there: a value is read as what it says, or nothing is read."""
    says = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "true": 1, "False": 0}
    try:
        found = events(*values)
    except ValueError:
        assert set(values) - {None} - set(says)
        return
    assert not set(values) - {None} - set(says)
    np.testing.assert_array_equal(found, [says.get(v, np.nan) for v in values])


def test_the_run_stops_before_any_job(tmp_path):
    columns = {"patient_id": "P1", "site": "S", "age": 50, "stage": "I", "months": 3, "subtype": "A"}
    with pytest.raises(ValueError, match="clinical.csv: event column 'dead' of 'os' holds 'Dead'"):
        check(tmp_path, columns={**columns, "dead": "Dead"})
    tasks = {"survival": [{"name": "os", "time": "months", "event": "dead", "event_is": ["Dead"]}], "labels": []}
    check(tmp_path, columns={**columns, "dead": "Dead"}, tasks=tasks)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "nobody of 40"),
        (0.3, None),
        (0.9, "36 of 40 patients have an event; if that is upside down"),
        (1, "40 of 40"),
    ],
)
def test_nobody_or_nearly_everybody_with_an_event_is_said_on_the_terminal(tmp_path, share, said):
    event = (np.arange(40) < share * 40).astype(int)
    months = 1000 + np.arange(40)
    facts = pd.DataFrame({"patient_id": [f"P{i}" for i in range(40)], "site": "S", "months": months, "dead": event})
    facts.to_csv(tmp_path / "clinical.csv", index=False)
    pd.DataFrame({"patient_id": ["P1"], "f": [1.0]}).to_csv(tmp_path / "tile.csv", index=False)
    acquire = {"source": "local", "tile": "tile.csv", "cells": None, "rna": None, "clinical": "clinical.csv"}
    endpoint = {"name": "os", "time": "months", "event": "dead", "horizons": [365]}
    notes = table_notes(
        validate(
            {
                "data": str(tmp_path),
                "tasks": {"survival": [endpoint], "labels": []},
                "acquire": acquire,
                "evaluate": {"primary": "os"},
            }
        )
    )
    assert (
        notes[0].startswith("tasks.survival 'os': event: ")
        and f"; {int(event.sum())} events of 40 patients, followed " in notes[0]
        and len(notes) == (2 if said else 1)
        and (not said or said in notes[1])
    )


def test_too_many_values_that_cannot_be_read_end_the_run_per_endpoint_and_label(tmp_path):
    raw = pd.DataFrame(
        {"months": ["1", "x", "-2", None, "4"], "dead": ["1", "0", "0", None, None], "kind": ["A", "B", "Q", None, "A"]}
    )
    found = read_endpoint(raw, OS, "clinical.csv")
    assert (
        sorted(found.faults) == [1, 2]
        and sorted(found.halves) == [4]
        and found.given == 4
        and np.isfinite(found.days).tolist() == [True] + 4 * [False]
    )
    labels, faults = read_label(
        raw, {"name": "kind", "column": None, "classes": ["A", "B"], "aliases": {}}, "clinical.csv"
    )
    assert labels == ["A", "B", None, None, "A"] and list(faults) == [2]
    read = {"os": (found.given, list(found.faults.values())), "kind": (4, list(faults.values()))}
    check_readable(read, 0.5, tmp_path / "clinical.csv")
    with pytest.raises(
        ValueError,
        match=(
            "(?s)clinical.csv: os: 2 of 4 values .*more than max_excluded \\(30%\\):.*"
            "row 2: os dropped, months 'x' is no number"
        ),
    ) as error:
        check_readable(read, 0.3, tmp_path / "clinical.csv")
    assert "kind" not in str(error.value)
    with pytest.raises(ValueError, match="(?s)os: 2 of 4.*kind: 1 of 4"):
        check_readable(read, 0.2, tmp_path / "clinical.csv")


def test_an_alias_to_nothing_leaves_a_class_out_on_purpose():
    raw = pd.DataFrame({"kind": ["A", "Normal"]})
    assert read_label(
        raw, {"name": "kind", "column": None, "classes": ["A", "B"], "aliases": {"Normal": None}}, "c.csv"
    ) == (["A", None], {})


def test_words_that_are_missing_everywhere_can_be_no_class_and_no_event():
    for tasks in (
        {"labels": [{"name": "k", "classes": ["A", "Unknown"]}]},
        {"survival": [{"name": "os", "event_is": ["n/a"]}]},
    ):
        with pytest.raises(ConfigFault, match="is read as missing in every table"):
            validate({"tasks": tasks})


@pytest.mark.parametrize(
    ("values", "read", "faults"),
    [
        (["50", "61.5", None], ["50", "61.5", None], {}),
        (
            ["50", ">=90", "90+", "< 18"],
            ["50", "90", "90", "18"],
            {1: "'>=90' read as 90", 2: "'90+' read as 90", 3: "'< 18' read as 18"},
        ),
        (["50", "60", "about 70"], ["50", "60", None], {2: "'about 70' is no number, most of the column are: missing"}),
        (["I", "II", "3"], ["I", "II", "3"], {}),
        ([None, None], [None, None], {}),
        (["1a", "1b", "2", "3a"] * 9, ["1a", "1b", "2", "3a"] * 9, {}),
    ],
)
def test_a_covariate_has_one_type_in_the_whole_cohort(values, read, faults):
    found, said = read_covariate(pd.Series(values, dtype=object), "age", "c.csv")
    assert found.tolist() == read and list(said) == list(faults) and all(faults[i] in said[i] for i in faults)


@pytest.mark.parametrize("written", ["{} years", "{}y", "{},5", "{} J."])
def test_numbers_with_a_unit_or_a_comma_are_no_classes(written):
    values = pd.Series([written.format(40 + i) for i in range(20)], dtype=object)
    with pytest.raises(
        ValueError, match="c.csv: covariate 'age' says '40.*write plain numbers, without unit and with a decimal point"
    ):
        read_covariate(values, "age", "c.csv")


def test_an_event_column_whose_word_for_nothing_happened_reads_as_missing_is_told(tmp_path):
    """`-` for no relapse: the patients without an event would all be gone."""
    facts = pd.DataFrame(
        {"patient_id": [f"P{i}" for i in range(40)], "site": "S", "months": 5, "dead": ["-"] * 30 + ["distant"] * 10}
    )
    facts.to_csv(tmp_path / "clinical.csv", index=False)
    pd.DataFrame({"patient_id": ["P1"], "f": [1.0]}).to_csv(tmp_path / "tile.csv", index=False)
    acquire = {"source": "local", "tile": "tile.csv", "cells": None, "rna": None, "clinical": "clinical.csv"}
    tasks = {"survival": [{"name": "os", "time": "months", "event": "dead", "event_is": ["distant"]}], "labels": []}
    notes = table_notes(
        validate({"data": str(tmp_path), "tasks": tasks, "acquire": acquire, "evaluate": {"primary": "os"}})
    )
    assert (
        "30 of 40 patients have a time or an event alone (the other is blank, or a word for nothing) and are left out"
        in notes[0]
    )


def test_outcomes_of_a_cohort_to_predict_on_are_not_read(tmp_path):
    columns = {"patient_id": "P1", "site": "S", "age": 50, "stage": "I", "months": 3, "dead": 1, "subtype": "A"}
    (tmp_path / "there").mkdir()
    predict = {"name": "unseen", "data": str(tmp_path / "there")}
    pd.DataFrame({"patient_id": ["P9"], "f": [1.0]}).to_csv(tmp_path / "there/tile.csv", index=False)
    pd.DataFrame({k: [v] for k, v in {**columns, "dead": "0:LIVING", "age": "50 years"}.items()}).to_csv(
        tmp_path / "there/clinical.csv", index=False
    )
    check(tmp_path, "unseen", columns=columns, predict=predict)


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_none_in_a_column_of_events_is_asked_about_and_never_guessed(tmp_path, ending):
    """It may say that no event happened; beside 0 and 1 it says that nothing is known."""
    path = tmp_path / f"c.{ending}"
    cfg = {"acquire.id_column": "patient_id", "acquire.site": None, "tasks.labels": []}

    def outcomes(values, **task):
        table = pd.DataFrame({"patient_id": list("abcd"), "months": 5.0, "dead": values, "none": "none"})
        {"csv": table.to_csv, "xlsx": table.to_excel, "parquet": table.to_parquet}[ending](path, index=False)
        return read_outcomes(path, {**cfg, "tasks.survival": [{**OS, **task}]}).rows["os_event"].tolist()

    for task in ({}, {"event_is": ["relapse"]}):
        with pytest.raises(ValueError, match=r"'dead' of 'os' says 'none' 2 times, beside 'relapse', 'lost': that no"):
            outcomes(["relapse", "none", "none", "lost"], **task)
    np.testing.assert_array_equal(outcomes(["1", "None", "0", "none"]), [1, np.nan, 0, np.nan])


def test_values_that_are_no_class_are_counted_by_what_they_say(tmp_path):
    table = pd.DataFrame({"kind": ["BRCA_A", "BRCA_B", "BRCA_A", "A"]})
    _, faults = read_label(table, {"name": "sub", "column": "kind", "classes": ["A", "B"], "aliases": {}}, "c.csv")
    with pytest.raises(ValueError) as said:
        check_readable({"sub": (4, list(faults.values()))}, 0.2, tmp_path / "c.csv")
    text = str(said.value)
    assert "2 times, first c.csv row 1: sub 'BRCA_A' is none of ['A', 'B'] (column 'kind'; another spelling" in text
    assert "\n  c.csv row 2: sub 'BRCA_B'" in text and text.count("\n") == 2
