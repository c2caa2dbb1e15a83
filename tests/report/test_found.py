"""The first screen: values against chance, what was planted and what contradicts it.

One sentence instead of forty rows; no interval that says nothing.
"""

import numpy as np
import pandas as pd
import pytest

from confuselt.config.learning import Plan
from confuselt.evaluate.comparisons import comparisons_table
from confuselt.evaluate.intervals import useless
from confuselt.report.answers import answers, joint_model, not_compared, too_small
from confuselt.report.found import clear_of_chance, found_figure, in_words, missing_controls, panels, shown_arms
from confuselt.report.page import _interval
from confuselt.report.planted import against, needed, planted, sentence

PLAN = Plan().model_dump(mode="json")
CFG = {"evaluate.primary": "os", "evaluate.plan": PLAN}
TASKS = [("os", "harrell_c"), ("pam50", "auc_macro")]
ARMS = [
    ("wsi-scratch-cells", "wsi"),
    ("rna-scratch", "rna"),
    ("both-scratch-cells", "both"),
    ("both-pretrained-cells", "wsi"),
    ("clinical", "clinical"),
]
OWN = {"simulate.effect": 3.0, "simulate.modalities": "own", "simulate.cells": "own", "simulate.shared": "relevant"}


def scores(low=0.6, high=0.8, lost=()):
    rows = [
        {"arm": a, "draw": 0, "inputs": i, "task": t, "metric": m, "value": 0.7, "low": low, "high": high}
        for t, m in TASKS
        for a, i in ARMS
        if a not in lost
    ]
    rows += [
        {
            "arm": "permuted",
            "draw": d,
            "inputs": "both",
            "task": t,
            "metric": m,
            "value": v,
            "low": v - 0.1,
            "high": v + 0.1,
        }
        for t, m in TASKS
        for d, v in ((1, 0.45), (2, 0.55))
    ]
    return pd.DataFrame(rows).assign(fold=-1, status="ok")


def retrieved():
    rows = [
        {
            "model": m,
            "draw": 0,
            "direction": d,
            "stratum": s,
            "k": k,
            "recall": v,
            "low": v - 0.1,
            "high": v + 0.1,
            "chance": 0.24,
        }
        for m, v in (("tile-cells", 0.7), ("tile", 0.6), ("mispaired", 0.25))
        for d in ("wsi-to-rna", "rna-to-wsi")
        for s in ("all", "within-site")
        for k in (5, 10)
    ]
    return pd.DataFrame(rows).assign(fold=-1, status="ok")


def contrast(question, task="os", verdict="cannot tell", **change):
    row = {
        "family": "primary",
        "arm_a": "a",
        "arm_b": "b",
        "metric": "harrell_c",
        "difference": 0.05,
        "low": -0.1,
        "high": 0.2,
        "n": 90,
        "events": 60,
    }
    return {
        **row,
        "question": question,
        "task": task,
        "verdict": verdict,
        "detectable": 0.2,
        "events_needed": 900.0,
        "status": "ok",
        **change,
    }


def few(question, task, events=7, **change):
    reason = f"described, not compared: {events} events, 50 needed (evaluate.min_events)"
    return contrast(question, task, status="not available", reason=reason, events=events, **change)


def test_a_missing_control_is_said_with_its_reason():
    rows = {"fold": [-1, 0], "status": ["not available", "ok"], "reason": ["no RNA", None]}
    said = missing_controls(
        pd.DataFrame({"arm": ["permuted", "permuted"], **rows}), pd.DataFrame({"model": ["tile", "tile"], **rows})
    )
    assert said == [
        "No control (outcomes permuted) stands beside these numbers: no RNA.",
        "No control (pairs shuffled) stands beside these numbers: not among evaluate.controls.kinds.",
    ]
    told = pd.DataFrame({"arm": ["permuted"], "model": ["mispaired"], "fold": [-1], "status": ["ok"], "reason": [None]})
    assert missing_controls(told, told) == []


def test_slides_rna_and_both_stand_beside_chance_and_controls():
    shown = panels(scores(), retrieved(), TASKS, PLAN)
    assert [p["name"] for p in shown] == ["os", "pam50", "retrieval"]
    assert [r["name"] for r in shown[0]["rows"]] == ["slides", "RNA", "both", "outcomes permuted"]
    control = shown[0]["rows"][3]
    assert (control["value"], control["low"], control["high"]) == pytest.approx((0.5, 0.35, 0.65)), (
        "the mean of draws within the widest of their bounds"
    )
    assert [(r["name"], r["value"], r["chance"]) for r in shown[2]["rows"]] == [
        ("slide → RNA", 0.7, 0.24),
        ("RNA → slide", 0.7, 0.24),
        ("pairs shuffled", 0.25, 0.24),
    ]
    assert clear_of_chance(shown[0]) == ["slides", "RNA", "both"] and "Clear of chance: slides, RNA, both" in in_words(
        shown[0]
    )
    assert len(found_figure(shown).axes) == 3
    assert (
        shown_arms(shown)
        == "slides: wsi-scratch-cells, RNA: rna-scratch, both: both-scratch-cells, outcomes permuted: permuted"
    )


def test_what_is_not_there_has_no_row_and_useless_intervals_no_line():
    shown = panels(scores(0.0, 1.0, lost=("rna-scratch", "wsi-scratch-cells")), retrieved().iloc[:0], TASKS, PLAN)
    assert [p["name"] for p in shown] == ["os", "pam50"] and [r["name"] for r in shown[0]["rows"]] == [
        "slides",
        "both",
        "outcomes permuted",
    ]
    assert shown[0]["rows"][0]["arm"] == "both-pretrained-cells", "the joint model with slides alone stands in"
    assert (
        "slides 0.70, both 0.70, outcomes permuted 0.50 [0.35, 0.65]" in in_words(shown[0])
        and clear_of_chance(shown[0]) == []
    )
    lines = [
        line for line in found_figure(shown).axes[0].lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"
    ]
    assert len(lines) == 1, "the control's, no other"
    assert panels(scores().iloc[:0], retrieved().iloc[:0], TASKS, PLAN) == [] and found_figure([]) is None


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.6, 0.8, False), (0.0, 1.0, True), (-0.6, 0.5, True), (np.nan, 0.7, True), (-np.inf, np.inf, True)],
)
def test_an_interval_that_holds_everything_says_nothing(low, high, said):
    assert useless(low, high) == said and (_interval(low, high) == "–") == said


def test_ratios_and_slopes_may_be_wide():
    assert _interval(0.4, 2.1, bounded=False) == "[0.40, 2.10]" and _interval(0.4, np.inf, bounded=False) == "–"


@pytest.mark.parametrize(
    ("slides", "change", "helps"),
    [
        (True, {}, {"modality": True, "pretraining": None, "cells": None}),
        (False, {}, {"modality": True, "pretraining": None, "cells": True}),
        (False, {"cells": "redundant"}, {"modality": True, "pretraining": None, "cells": False}),
        (False, {"modalities": "redundant"}, {"modality": False, "pretraining": None, "cells": None}),
        (False, {"shared": "irrelevant"}, {"modality": True, "pretraining": False, "cells": True}),
        (True, {"effect": 0.0}, {"modality": False, "pretraining": False, "cells": False}),
    ],
)
def test_what_was_planted_follows_the_config(slides, change, helps):
    truth = planted(slides, OWN | {f"simulate.{k}": v for k, v in change.items()})
    assert {q: t.helps for q, t in truth.items()} == helps
    said = sentence(truth, 3.0)
    assert (
        said.startswith("Planted with effect 3: ")
        and ("a second modality" in said)
        and ("must help" in said) == (True in helps.values())
    )


def test_an_answer_against_what_was_planted_is_named():
    truth = planted(True, OWN)
    rows = [
        contrast("modality", verdict="no"),
        contrast("pretraining", verdict="yes"),
        contrast("modality", "pfi", verdict="cannot tell"),
    ]
    assert against(truth, comparisons_table(rows)) == ["os: 'no' for a second modality, which must help"]
    nothing = planted(True, OWN | {"simulate.effect": 0.0})
    assert against(
        nothing, comparisons_table([contrast("cells", verdict="yes"), contrast("cells", "retrieval", verdict="yes")])
    ) == ["os: 'yes' for cells, which cannot help"]
    assert against(nothing, comparisons_table([few("cells", "os")])) == []


def test_what_an_open_question_would_need_is_a_number_only_where_it_can_be_planned_by():
    table = comparisons_table(
        [contrast("modality", verdict="yes"), contrast("pretraining"), contrast("cells", events_needed=48_633.0)]
    )
    assert needed(table, "os") == (
        "To tell a difference of 0.03 on os apart from none: pretraining would need 900 events (here 60), "
        "cells would need far more patients than this cohort has (60 events)."
    )
    assert needed(table, "pam50") == ""
    lines = [a["lines"][0] for a in answers(table, CFG)]
    assert (
        "to see 0.03 it would need 900 events (here 60)" in lines[1]
        and "48" not in lines[2]
        and "far more patients" in lines[2]
    )


def test_too_few_events_are_one_sentence_not_a_row_per_contrast():
    questions = ("modality", "pretraining", "cells")
    rows = [few(q, t, e) for q in questions for t, e in (("os", 7), ("pfi", 9))] + [
        few("single-input", "os", 6, family="non-inferiority")
    ]
    rows += [
        contrast(
            q,
            "os",
            status="not available",
            reason="x is not among the arms of this run; y is not among the arms of this run",
        )
        for q in questions
    ]
    rows += [
        contrast(q, "pam50", status="not available", reason="no fold in which both sides could learn pam50")
        for q in questions
    ]
    table = comparisons_table(rows)
    # One contrast over fewer patients says nothing of a task whose others were made.
    partly = pd.concat([table, table.assign(status="ok", reason=None)])
    assert too_small(partly) == []
    assert [line[:44] for line in not_compared(partly)[:2]] == [
        "os: 4 contrasts are over too few events: des",
        "pfi: 3 contrasts are over too few events: de",
    ]
    assert too_small(table) == [
        (
            "Too few events to compare anything on os (6 to 7 events), pfi (9 events): "
            "50 are needed (evaluate.min_events), so they are described, not compared."
        )
    ]
    assert not_compared(table) == [
        *too_small(table),
        "3 contrasts with arms that this run does not train (x, y) are left out.",
        "pam50: 3 contrasts are not available: no fold in which both sides could learn pam50.",
    ]
    assert joint_model(table) == [] and not_compared(comparisons_table([contrast("modality")])) == []
    only = answers(comparisons_table([few(q, "os") for q in questions]), CFG)
    assert [(a["verdict"], a["lines"]) for a in only] == [("not compared", ["No task has enough events."])] * 3


def test_a_difference_that_could_be_anything_has_no_interval():
    (line,) = answers(comparisons_table([contrast("modality", low=-0.9, high=1.0, detectable=1.4)]), CFG)[0]["lines"]
    assert "no interval: it would hold every difference there can be" in line and "-0.9" not in line
