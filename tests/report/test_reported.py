"""TRIPOD+AI and PROBAST filled from a run: every item, nothing invented, cohorts of every kind."""

import re
from collections import Counter

import pandas as pd
import pytest
from report.cohort_on_disk import LABELS, SURVIVAL, Cohort, run_of

from confuselt.report import probast, tripod
from confuselt.report.checklist import FILLED, NO, PART, PROBABLY, UNKNOWN, YES, YOURS, answered
from confuselt.report.page import SECTIONS, rendered
from confuselt.report.sections import reported

COHORTS = {
    "as usual": Cohort(),
    "labels alone": Cohort(survival=()),
    "endpoints alone": Cohort(labels=()),
    "no sites": Cohort(sites=0, config=(("acquire", {"site": None}), ("split", {"group": "patient"}))),
    "torn sites": Cohort(torn=True, config=(("split", {"from": "file"}),)),
    "slides alone": Cohort(rna=False, config=(("finetune", {"arms": ["wsi-scratch-cells"]}),)),
    "slides": Cohort(cut=True, config=(("embed", {"encoder": "efficientnet-lite0"}),)),
    "one site": Cohort(sites=1, torn=True, config=(("split", {"group": "patient"}),)),
    "simulated": Cohort(config=(("acquire", {"source": "simulate"}), ("simulate", {"level": "features"}))),
    "scaled outside": Cohort(config=(("rna", {"matrix": "normalised", "scaled_outside": True, "genes": None}),)),
}
# What no run can know: intended use, ethics, money, interests, registration, sharing of data, patients' part.
NEVER_FILLED = {"1", "2", "3a", "3b", "3c", "6c", "8b", "14", "17", "18a", "18b", "18d", "18e", "19", "27b", "27c"}


@pytest.fixture(params=COHORTS, scope="module")
def shown(request, tmp_path_factory):
    """Name of a cohort, its items, its questions, and the page."""
    run = run_of(tmp_path_factory.mktemp("run"), COHORTS[request.param])
    items, questions = answered(tripod.ITEMS, run), answered(probast.ITEMS, run)
    return request.param, items, questions, rendered("x", [reported.SECTION], run, {})[0]


def by_number(rows):
    return {row["number"]: row for row in rows}


def test_every_item_is_there_once_and_in_order():
    numbers = [item.number for item in tripod.ITEMS]
    assert [int(re.match(r"\d+", n)[0]) for n in numbers] == sorted(int(re.match(r"\d+", n)[0]) for n in numbers)
    assert len(set(numbers)) == len(numbers) and {int(re.match(r"\d+", n)[0]) for n in numbers} == set(range(1, 28))
    assert {n for n in numbers if n.startswith(("12", "18"))} == {f"12{c}" for c in "abcdefg"} | {
        f"18{c}" for c in "abcdef"
    }
    asked = [item.number for item in probast.ITEMS if item.number != "AI"]
    assert asked == [f"{d}.{q}" for d, last in ((1, 2), (2, 3), (3, 6), (4, 9)) for q in range(1, last + 1)]


def test_no_row_fills_what_a_program_cannot_know(shown):
    _, items, questions, _ = shown
    assert {row["state"] for row in items} == {FILLED, PART, YOURS}
    assert {row["state"] for row in questions} <= {YES, PROBABLY, NO, UNKNOWN}
    assert {row["number"] for row in items if row["state"] == YOURS} >= NEVER_FILLED
    # What is judged outside of the tables is not known from them.
    assert {by_number(questions)[n]["state"] for n in ("1.2", "2.3", "3.1", "3.4")} == {UNKNOWN}
    about = [row["state"] for row in questions if "elsewhere" in row["asks"] or "groups" in row["asks"]]
    assert about == [NO, PROBABLY]


def test_answers_are_whole_sentences_and_lead_to_sections_of_the_page(shown):
    _, items, questions, page = shown
    anchors = {section.name for section in SECTIONS} - {"reported"}
    for row in (*items, *questions):
        assert re.search(r"^[A-Z0-9].*\.$", row["words"], re.S) or row["words"][0].islower(), row
        assert row["words"].endswith(".") and "  " not in row["words"] and ".." not in row["words"], row
        assert not re.search(r"\b(nan|None|none to|inf)\b", row["words"]), row
        assert row["where"] in {"", *anchors}
    assert set(re.findall(r'href="#(\w+)"', page.split("</nav>")[1])) == {
        row["where"] for row in (*items, *questions)
    } - {""}


def test_the_first_sentence_counts_the_rows(shown):
    _, items, questions, page = shown
    result = re.search(r'<p class="result">(.*?)</p>', page)[1].replace("&#39;", "'")
    n = Counter(row["state"] for row in (*items, *questions))
    assert f"Of {len(items)} entries of TRIPOD+AI this run fills {n[FILLED]}, {n[PART]} in part" in result
    assert f"and {n[YOURS]} are the authors' to write" in result and f"cannot answer {n[UNKNOWN]}." in result
    assert f"of {len(questions)} questions on bias it answers {n[YES]} with yes, {n[PROBABLY]} with prob" in result
    assert sum(n.values()) == 52 + 24 and page.count("<tr") == len(items) + len(questions) + 2


def test_numbers_are_those_of_the_run(shown):
    name, items, _, _ = shown
    said = {number: row["words"] for number, row in by_number(items).items()}
    assert "59 patients are used and 1 were left out" in said["20a"]
    assert "52 have slides and RNA, 5 slides only, 2 RNA only" in said["11"] or name == "slides alone"
    assert "age (known for 58 patients)" in said["11"] and "seed 23" in said["12a"] and "seed 23" in said["18f"]
    assert "2 repeats of 3 folds" in said["12a"] and "(asked for: 20% of the training side)" in said["12a"]
    assert re.search(r"Analysis plan [0-9a-f]{16} was written", said["18c"])
    if name != "labels alone":
        # Of the 59 the first four lack os, and every second one has the event.
        assert "os (27 events among 55 patients)" in said["20a"] and "os (4 patients)" in said["11"]
    if name != "endpoints alone":
        assert "pam50 (Basal 44, LumA 15)" in said["20a"] and "pam50 LumA, 15 of 59" in said["13"]


def test_a_label_alone_is_told_without_times_events_or_censoring(tmp_path):
    run = run_of(tmp_path, COHORTS["labels alone"])
    items, questions = answered(tripod.ITEMS, run), answered(probast.ITEMS, run)
    words = " ".join(row["words"] for row in (*items, *questions))
    assert not re.search(r"follow-up of patients|[Ee]vents of|Censoring|survival curve|Harrell", words)
    assert by_number(questions)["4.1"]["words"].startswith("15 patients in the smallest class of pam50")
    assert by_number(questions)["4.7"]["state"] == YES


@pytest.mark.parametrize(
    ("name", "number", "state", "words"),
    [
        ("as usual", "3.3", NO, "Defined on RNA: pam50"),
        ("as usual", "3.5", NO, "Defined on RNA: pam50"),
        ("endpoints alone", "3.3", YES, "No endpoint"),
        ("endpoints alone", "3.5", UNKNOWN, "not in the tables"),
        ("as usual", "1.1", UNKNOWN, ""),
        ("simulated", "1.1", NO, "simulated"),
        ("as usual", "2.1", UNKNOWN, "ready-made"),
        ("slides", "2.1", PROBABLY, "One program"),
        ("slides", "2.2", YES, ""),
        ("as usual", "4.1", NO, "27 events of os"),
        ("as usual", "4.1", NO, "(cells stream), and genes beside them."),
        ("slides alone", "4.1", NO, "(cells stream). Events"),
        ("as usual", "4.3", NO, "5 of 60 patients"),
        ("as usual", "4.6", PROBABLY, "dealt with for pfi. Intervals draw whole sites"),
        ("no sites", "4.6", PROBABLY, "No site is known: patients count as independent"),
        ("one site", "4.6", PROBABLY, "One site is known: patients count as independent"),
        ("as usual", "4.7", YES, "Harrell's C, observed/expected and calibration slope"),
        ("as usual", "4.8", YES, ""),
        ("scaled outside", "4.8", NO, "scaled over all patients"),
        ("as usual", "AI", YES, "No site stands in training and test"),
        ("torn sites", "AI", NO, "Sites tested in more than one fold: 6"),
        ("no sites", "AI", UNKNOWN, "No site is known"),
    ],
)
def test_questions_on_bias_are_answered_by_what_the_run_is(tmp_path, name, number, state, words):
    questions = answered(probast.ITEMS, run_of(tmp_path, COHORTS[name]))
    first = next(row for row in questions if row["number"] == number)
    assert first["state"] == state and words in first["words"]


@pytest.mark.parametrize(
    ("name", "number", "state", "words"),
    [
        ("as usual", "5a", PART, "tables of the user's own"),
        ("simulated", "5a", FILLED, "no patient is in it"),
        ("as usual", "6a", PART, "6 sites"),
        ("no sites", "6a", YOURS, "No site is known"),
        ("no sites", "12d", YOURS, "No site is known"),
        ("as usual", "12c", PART, "10 arms (gated attention over tiles; a network of genes; both joined), 5 of them"),
        ("slides alone", "12c", PART, "1 arm (gated attention over tiles), 0 of them pretrained; trained by Cox"),
        ("slides alone", "9a", FILLED, "There is no RNA"),
        ("slides alone", "11", FILLED, "0 have slides and RNA, 57 slides only, 0 RNA only, 2 neither"),
        ("as usual", "7", PART, "came as features; values of RNA were"),
        ("slides", "7", PART, "cut into tiles"),
        ("as usual", "8a", PART, "os at 365 days; pfi at 1095 and 1825 days, competing with os; pam50 in the classes"),
        ("as usual", "12b", FILLED, "RNA (counts): vst, then standard"),
        ("scaled outside", "12b", FILLED, "RNA (normalised): standard"),
        ("scaled outside", "9a", FILLED, "Of RNA all genes"),
        ("as usual", "12a", FILLED, "folds hold whole sites"),
        ("no sites", "12a", FILLED, "folds hold single patients"),
        ("torn sites", "12a", FILLED, "folds were read from a table"),
        ("as usual", "16", FILLED, "test folds hold other sites"),
        ("torn sites", "16", FILLED, "test folds hold other patients"),
        ("as usual", "12a", FILLED, "and tests 19 to 20, whom no step has seen."),
        ("scaled outside", "12a", FILLED, "and tests 19 to 20. RNA was scaled over all patients, those tested too"),
        ("one site", "12d", YOURS, "One site is known to the run"),
        ("as usual", "12d", PART, "6 sites: intervals by drawing whole sites"),
        ("endpoints alone", "13", FILLED, "No class is predicted"),
        # Six sites in three folds of two: twenty patients each, but for the one who was left out.
        ("as usual", "21", FILLED, "19 to 20 are tested. Events of a test fold: os 9 and pfi 9 to 10."),
    ],
)
def test_items_say_what_the_run_is(tmp_path, name, number, state, words):
    row = by_number(answered(tripod.ITEMS, run_of(tmp_path, COHORTS[name])))[number]
    assert row["state"] == state and words in row["words"]


@pytest.mark.parametrize(
    ("known", "stands", "words"),
    [
        (True, ["age", "site"], "Within parts of the cohort by age"),
        (True, ["site"], "No part by a covariate is large enough; values stand by site."),
        (False, ["site", "pam50"], "No covariate is known; values stand by site and pam50."),
        (False, [], "No part of the cohort is large enough."),
    ],
)
def test_parts_that_have_values_are_told(tmp_path, known, stands, words):
    run = run_of(tmp_path, Cohort())
    row = run.tables["strata"].iloc[0].to_dict()
    run.tables["strata"] = pd.DataFrame([row | {"stratum": name} for name in stands], columns=list(row))
    if not known:
        run.tables["covariates"] = run.tables["covariates"].drop(columns="covariate_age")
    assert words in by_number(answered(tripod.ITEMS, run))["23a"]["words"]
    assert words in answered(probast.ITEMS, run)[-1]["words"]


def test_a_changed_plan_and_encoders_that_saw_the_cohort_are_no_yes(tmp_path):
    run = run_of(tmp_path, Cohort(config=(("embed", {"trained_on": ["TCGA"]}),)))
    run.__dict__["models"] = {"rna-scratch": {"plan": "another"}}
    said = by_number(answered(probast.ITEMS, run))
    assert said["3.2"]["state"] == NO and "rna-scratch" in said["3.2"]["words"]
    protocol = by_number(answered(tripod.ITEMS, run))["18c"]
    assert "not the one under which rna-scratch had been trained" in protocol["words"]
    assert said["4.8"]["state"] == PROBABLY and "models that saw TCGA" in said["4.8"]["words"]


def test_the_simulated_cohort_is_said_to_be_one(shown):
    name, _, _, page = shown
    assert ("The cohort is simulated: what is asked about patients" in page) == (name == "simulated")


def test_tasks_of_these_cohorts_are_what_the_tests_say():
    assert [t["name"] for t in (*SURVIVAL, *LABELS)] == ["os", "pfi", "pam50"]
