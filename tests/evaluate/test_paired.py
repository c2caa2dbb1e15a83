"""Two experiments side by side: paired where folds test the same patients, and nowhere else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from confuselt.evaluate.intervals import corrected_t
from confuselt.evaluate.paired import Evaluated, agreement, paired
from confuselt.evaluate.schema import METRICS, RETRIEVAL
from confuselt.report.compared import SECTIONS, Compared, differing

FOLDS = [(repeat, fold) for repeat in (0, 1) for fold in range(3)]
PEOPLE = [f"P{i:02d}" for i in range(30)]


def experiment(name, values, swapped=(), arm="wsi-scratch-cells", events=4):
    """One arm, one endpoint, a label; `values` per fold; in swapped folds another patient is tested."""
    metrics, predictions = [], []
    rng = np.random.default_rng(0)
    for value, (repeat, fold) in zip(values, FOLDS, strict=True):
        people = PEOPLE[fold::3][:9] + (["P99"] if (repeat, fold) in swapped else PEOPLE[fold::3][9:])
        key = {"arm": arm, "inputs": "wsi", "task": "os", "repeat": repeat, "fold": fold, "draw": 0, "missing_rate": 0}
        metrics.append({**key, "metric": "harrell_c", "value": value, "n": 10, "events": events, "status": "ok"})
        predictions += [{**key, "patient_id": p, "output": "risk", "value": rng.normal()} for p in people]
    whole = {**key, "metric": "harrell_c", "repeat": -1, "fold": -1, "value": np.mean(values), "n": 30, "events": 12}
    metrics.append({**whole, "low": 0.4, "high": 0.8, "status": "ok"})
    retrieval = pd.DataFrame(columns=list(RETRIEVAL.columns))
    return Evaluated(name, pd.DataFrame(predictions), pd.DataFrame(metrics, columns=list(METRICS.columns)), retrieval)


FIRST, SECOND = [0.6, 0.7, 0.65, 0.62, 0.71, 0.66], [0.64, 0.76, 0.66, 0.69, 0.73, 0.7]


def test_a_difference_is_over_folds_with_the_corrected_t():
    (row,) = paired(experiment("a", FIRST), experiment("b", SECOND)).to_dict("records")
    gaps = np.subtract(SECOND, FIRST)
    wide = corrected_t(gaps.mean(), gaps, 3)
    assert row["difference"] == pytest.approx(gaps.mean()) and (row["low"], row["high"]) == (wide.low, wide.high)
    assert row["p"] == wide.p and (row["folds"], row["of"], row["n"], row["reason"]) == (6, 6, 30, None)
    assert (row["first"], row["second"]) == (np.mean(FIRST), np.mean(SECOND))


def test_sides_swapped_change_the_sign():
    one, other = (
        paired(*sides).iloc[0]
        for sides in (
            (experiment("a", FIRST), experiment("b", SECOND)),
            (experiment("b", SECOND), experiment("a", FIRST)),
        )
    )
    assert one["difference"] == -other["difference"] and one["low"] == -other["high"]


def test_folds_that_test_others_are_left_out():
    swapped = [(0, 1), (1, 0)]
    (row,) = paired(experiment("a", FIRST), experiment("b", SECOND, swapped)).to_dict("records")
    kept = [i for i, fold in enumerate(FOLDS) if fold not in swapped]
    assert (row["folds"], row["of"]) == (4, 6)
    by_repeat = [np.subtract(SECOND, FIRST)[[i for i in kept if FOLDS[i][0] == r]].mean() for r in (0, 1)]
    assert row["difference"] == pytest.approx(np.mean(by_repeat))
    # Test and training patients are as many as before, however many folds are left.
    wide = corrected_t(row["difference"], np.subtract(SECOND, FIRST)[kept], 3)
    assert (row["low"], row["high"]) == pytest.approx((wide.low, wide.high)) and row["n"] == 20


def test_one_fold_in_common_in_either_repeat_is_an_interval():
    (row,) = paired(experiment("a", FIRST), experiment("b", SECOND, [f for f in FOLDS if f[1] > 0])).to_dict("records")
    assert row["folds"] == 2 and row["low"] < row["difference"] < row["high"]


def test_a_fold_without_a_value_is_not_counted():
    (row,) = paired(experiment("a", FIRST), experiment("b", [np.nan, *SECOND[1:]])).to_dict("records")
    assert (row["folds"], row["of"], row["n"]) == (5, 6, 20)


def test_what_has_no_value_by_fold_says_so_and_no_control_is_an_arm():
    sides = [experiment(name, values) for name, values in (("a", FIRST), ("b", SECOND))]
    slope = {"metric": "calibration_slope", "repeat": -1, "fold": -1, "value": 1.1}
    told = []
    for side in sides:
        one = side.metrics.iloc[[-1]].assign(**slope)
        told.append(replace(side, metrics=pd.concat([side.metrics, one], ignore_index=True)))
    rows = paired(*told).set_index("metric")
    assert rows.loc["calibration_slope", "reason"] == "has no value by fold" and rows.loc["harrell_c", "folds"] == 6


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"swapped": FOLDS}, "no fold tests the same patients with as many events"),
        ({"events": 5}, "no fold tests the same patients with as many events"),
        ({"swapped": FOLDS[1:]}, "one fold gives no interval"),
    ],
)
def test_nothing_is_compared_that_is_not_paired(changes, reason):
    (row,) = paired(experiment("a", FIRST), experiment("b", SECOND, **changes)).to_dict("records")
    assert row["reason"] == reason and not np.isfinite(row["low"])
    assert np.isfinite(row["first"]) and np.isfinite(row["second_low"]), "each side's own value stands"


def test_an_arm_of_one_side_is_no_difference():
    rows = paired(experiment("a", FIRST), experiment("b", SECOND, arm="rna-scratch"))
    assert dict(zip(rows["arm"], rows["reason"], strict=True)) == {
        "wsi-scratch-cells": "not in b",
        "rna-scratch": "not in a",
    }


def test_agreement_knows_ranks_and_not_units():
    first, second = experiment("a", FIRST), experiment("b", SECOND)
    stretched = second.predictions.assign(value=np.exp(3 * second.predictions["value"]))
    (row,) = agreement(first, Evaluated("b", stretched, second.metrics, second.retrieval)).to_dict("records")
    assert row["value"] == pytest.approx(1) and row["n"] == 30
    turned = second.predictions.assign(value=-second.predictions["value"])
    (row,) = agreement(first, Evaluated("b", turned, second.metrics, second.retrieval)).to_dict("records")
    assert row["value"] < -0.9


def labelled(name, called, classes=("a", "b"), arm="wsi-scratch-cells"):
    """One arm, one label: the class that everybody is called, or one after the other."""
    base = experiment(name, FIRST, arm=arm)
    order = {person: i for i, person in enumerate(PEOPLE)}
    parts = []
    for c in classes:
        is_it = [float((called or classes[order[p] % len(classes)]) == c) for p in base.predictions["patient_id"]]
        parts.append(base.predictions.assign(task="kind", output=f"p_{c}", value=is_it))
    metrics = base.metrics.assign(task="kind", metric="auc_macro")
    return Evaluated(name, pd.concat(parts, ignore_index=True), metrics, base.retrieval)


def said(section, *sides, made=([], [])):
    """What a section of the page says first, and its facts."""
    content = next(s for s in SECTIONS if s.name == section).make(Compared(*sides, made))
    return content.result, content.facts


def test_labels_of_other_classes_are_another_task():
    (row,) = paired(labelled("a", None), labelled("b", None, ("a", "b", "c"))).to_dict("records")
    assert row["reason"] == "the classes differ" and not np.isfinite(row["difference"])
    (row,) = paired(labelled("a", None), labelled("b", None)).to_dict("records")
    assert row["folds"] == 6 and row["reason"] is None


def test_the_most_probable_class_is_of_all_that_a_side_knows():
    (row,) = agreement(labelled("a", "a"), labelled("b", "c", ("a", "b", "c"))).to_dict("records")
    assert row["value"] == 0, "nobody is called alike, though no class but c is on one side alone"


def test_agreement_that_cannot_be_said_has_a_reason():
    (row,) = agreement(labelled("a", "b"), labelled("b", "b")).to_dict("records")
    assert row["reason"] == "cannot be said: the same class for everybody" and row["n"] == 30
    assert said("agreement", labelled("a", "b"), labelled("b", "b"))[0] == (
        "How alike predictions are is not told: cannot be said: the same class for everybody."
    )
    flat = experiment("a", FIRST)
    flat = replace(flat, predictions=flat.predictions.assign(value=0.5))
    (row,) = agreement(flat, experiment("b", SECOND)).to_dict("records")
    assert row["reason"] == "cannot be said: the same risk for everybody"
    others = experiment("a", FIRST), experiment("b", SECOND, arm="rna-scratch")
    assert said("agreement", *others)[0] == "No arm, input and task is predicted by both."


def test_a_difference_without_an_interval_is_no_missing_patient():
    result, _ = said("results", experiment("a", FIRST), experiment("b", SECOND, FOLDS[1:]))
    assert result == "No difference has an interval: one fold gives no interval."
    result, _ = said("results", experiment("a", FIRST), experiment("b", SECOND, FOLDS))
    assert result.startswith("Nothing is compared: no fold tests the same patients")


@pytest.mark.parametrize(("swapped", "reason"), [((), None), (FOLDS, "no fold tests the same patients with as many")])
def test_retrieval_is_compared_where_no_arm_is_shared(swapped, reason):
    sides = experiment("a", FIRST), experiment("b", SECOND, swapped, arm="rna-scratch")
    found = [
        {"model": "tile-cells", "draw": 0, "direction": "wsi-to-rna", "stratum": "all", "k": 10, "status": "ok"}
        | {"repeat": repeat, "fold": fold, "recall": value, "n": 10}
        for value, (repeat, fold) in zip(FIRST, FOLDS, strict=True)
    ]
    table = pd.DataFrame(found, columns=list(RETRIEVAL.columns))
    told = paired(*(replace(side, retrieval=table) for side in sides)).set_index("task").loc["retrieval"]
    assert told["folds"] == (0 if reason else 6) and (told["reason"] or "").startswith(reason or "")


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (("x", "x"), None),
        (("x", "y"), "read from tables of another content"),
        (("", ""), "not known of both"),
        ((None, "x"), "not known of both"),
    ],
)
def test_outcomes_that_may_differ_are_told(contents, words):
    made = tuple([{"rule": "read_outcomes", "settings": {"content": c}}] if c is not None else [] for c in contents)
    outcomes = said("results", experiment("a", FIRST), experiment("b", SECOND), made=made)[1]["outcomes"]
    assert outcomes is None if words is None else words in outcomes


def test_settings_that_differ_are_told_by_rule():
    def made(epochs, torch, code="c", more=()):
        settings = {"experiment": str(epochs), "finetune.epochs": epochs, "evaluate.plan": {"k": 10}}
        rows = [
            {"stage": "finetune", "rule": r, "code": code, "settings": settings, "versions": {"torch": torch}}
            for r in ("finetune_arm", *more)
        ]
        return rows

    assert differing(made(5, "2.1"), made(5, "2.1")) == []
    rows = differing(made(5, "2.1", more=["other"]), made(6, "2.2"))
    assert {(r["kind"], r["rule"], r["key"], r["first"], r["second"]) for r in rows} == {
        ("setting", "finetune: finetune_arm", "finetune.epochs", "5", "6"),
        ("rule", "finetune: other", "", "ran", "–"),
        ("version", "every rule", "torch", "2.1", "2.2"),
    }
    twice = [dict(row, rule=rule) for rule in ("finetune_arm", "fit_baseline") for row in made(6, "2.1")]
    once = [dict(row, rule=rule) for rule in ("finetune_arm", "fit_baseline") for row in made(5, "2.1")]
    (row,) = differing(once, twice)
    assert row["rule"] == "finetune: finetune_arm, finetune: fit_baseline"
