"""Rows of metrics: over folds, edge cases said in words, never a crash or a silent NaN."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from confuselt.config.learning import Plan
from confuselt.evaluate.comparisons import compare, comparisons_table
from confuselt.evaluate.metrics import competing_events, metric_rows, metrics_table, unavailable_rows
from confuselt.evaluate.resample import Resampling
from confuselt.evaluate.schema import COMPARISONS, METRICS
from confuselt.evaluate.scores import Scorer
from confuselt.finetune.targets import Targets
from confuselt.survival.ipcw import Censoring, brier_terms, integrate
from confuselt.tables import check_table

CFG = {"evaluate.min_events": 20, "evaluate.min_fold_events": 10, "evaluate.plan": Plan().model_dump()}
DAYS = (200, 400)


def predictions_of(arm, ids, fold_of, risk, label, classes="abc", inputs="wsi"):
    values = {("os", "risk"): risk, **{("os", f"surv_{d}"): np.exp(-d / 500 * np.exp(risk)) for d in DAYS}}
    values |= {("kind", f"p_{c}"): 0.2 + 0.4 * (label == k) for k, c in enumerate(classes)}
    parts = [
        pd.DataFrame(
            {
                "patient_id": ids,
                "arm": arm,
                "draw": 0,
                "inputs": inputs,
                "repeat": 0,
                "fold": fold_of,
                "task": t,
                "output": o,
                "value": v,
            }
        )
        for (t, o), v in values.items()
    ]
    return pd.concat(parts, ignore_index=True)


def world(n=150, seed=0, arms=("wsi-scratch-cells",), change=lambda days, event, label, fold: None):
    rng = np.random.default_rng(seed)
    ids, fold_of, truth = [f"P{i:03d}" for i in range(n)], np.arange(n) % 3, rng.normal(size=n)
    days, follow = rng.exponential(500 / np.exp(truth)), rng.uniform(300, 2000, n)
    event, days, label = (days <= follow).astype(float), np.minimum(days, follow), rng.integers(0, 3, n)
    change(days, event, label, fold_of)
    targets = Targets(ids, {"os": (days, event)}, {"kind": label}, {"kind": list("abc")}, {"os": [400]})
    rows = pd.concat(
        [predictions_of(a, ids, fold_of, truth + 0.5 * rng.normal(size=n), label) for a in arms], ignore_index=True
    )
    train = {(0, f): [p for p, g in zip(ids, fold_of, strict=True) if g != f] for f in range(3)}
    resampling = Resampling(
        [[p for p, g in zip(ids, fold_of, strict=True) if g == f] for f in range(3)],
        {p: f"S{i % 15}" for i, p in enumerate(ids)},
        100,
        1,
    )
    return Scorer(rows, targets, resampling), train


def table_of(scorer, train):
    table = metrics_table(metric_rows(scorer, train, {}, {}, CFG))
    check_table(table, METRICS)
    # Nothing is silently missing: a row has a value, or a status and a reason that say why not.
    said = table["status"].eq("not available") & table["reason"].notna()
    assert (table["value"].notna() | said).all(), table[~(table["value"].notna() | said)]
    return table


def whole(table, metric, horizon=None):
    rows = table[(table["metric"] == metric) & (table["fold"] == -1)]
    return rows[rows["horizon_days"] == horizon].iloc[0] if horizon else rows.iloc[0]


def test_skill_is_one_minus_the_ratio_of_integrated_brier_scores():
    scorer, train = world()
    table = table_of(scorer, train)
    ours = reference = 0.0
    for fold in range(3):
        frame = scorer.tables("wsi-scratch-cells", 0, "wsi", "os")[0, fold]
        days, event = scorer.targets.take(list(frame.index)).survival["os"]
        weights, at = Censoring(*scorer.targets.take(train[0, fold]).survival["os"]), np.array(DAYS, float)
        ours += integrate(brier_terms(frame[["surv_200", "surv_400"]].to_numpy(), days, event, at, weights), at).sum()
        constant = np.tile(weights.survival.at(at), (len(days), 1))
        reference += integrate(brier_terms(constant, days, event, at, weights), at).sum()
    assert whole(table, "ibs_skill")["value"] == pytest.approx(1 - ours / reference)
    assert whole(table, "ibs_skill")["value"] > 0.1 and whole(table, "auc_time", 400)["value"] > 0.7
    assert 0.7 < whole(table, "observed_expected", 400)["value"] < 1.4


def test_calls_are_scored_over_all_folds_of_a_repeat():
    scorer, train = world()
    table = table_of(scorer, train)
    frames = [scorer.tables("wsi-scratch-cells", 0, "wsi", "kind")[0, f] for f in range(3)]
    called = np.concatenate([f.to_numpy().argmax(1) for f in frames])
    label = np.concatenate([scorer.targets.take(list(f.index)).labels["kind"] for f in frames])
    assert whole(table, "f1_macro")["value"] == pytest.approx(f1_score(label, called, average="macro"))
    assert whole(table, "balanced_accuracy")["value"] == pytest.approx(balanced_accuracy_score(label, called))
    assert whole(table, "brier")["value"] >= 0


def all_censored_fold(days, event, label, fold):
    event[fold == 1] = 0


def ties_only(days, event, label, fold):
    days[:], event[:] = 365.0, 1.0


def one_class(days, event, label, fold):
    label[:] = 1


def few_events(days, event, label, fold):
    event[:] = 0
    event[:12] = 1


def no_label_known(days, event, label, fold):
    label[:] = -1


def nothing_known(days, event, label, fold):
    days[:], event[:] = np.nan, np.nan


def short_follow_up(days, event, label, fold):
    event[days > 300] = 0
    days[:] = np.minimum(days, 300)


SURVIVAL = {"harrell_c", "uno_c", "auc_time", "brier", "ibs_skill", "calibration_slope", "observed_expected"}
LABELS = {"auc_macro", "f1_macro", "balanced_accuracy", "brier"}


@pytest.mark.parametrize(
    "change", [all_censored_fold, ties_only, one_class, few_events, no_label_known, nothing_known, short_follow_up]
)
def test_every_edge_is_an_explicit_row(change):
    scorer, train = world(arms=("wsi-scratch-cells", "wsi-pretrained-cells", "wsi-pretrained-nocells"), change=change)
    table = table_of(scorer, train)
    rows = comparisons_table(compare(scorer, {}, {}, [], True, CFG))
    check_table(rows, COMPARISONS)
    assert (rows["difference"].notna() | (rows["status"].eq("not available") & rows["reason"].notna())).all()
    over = table[table["fold"] == -1]
    for task, metrics in (("os", SURVIVAL), ("kind", LABELS)):
        assert (over[over["task"] == task].groupby("arm")["metric"].agg(set) == metrics).all(), (
            "a metric without a value is a row too"
        )
    if change is short_follow_up:
        assert (over[(over["horizon_days"] == 400)]["status"] == "not available").all() and whole(table, "harrell_c")[
            "status"
        ] == "ok"
    c, folds = whole(table, "harrell_c"), table[(table["metric"] == "harrell_c") & (table["fold"] >= 0)]
    if change is all_censored_fold:
        lost = folds[folds["fold"] == 1].iloc[0]
        assert (
            np.isfinite(c["value"]) and "0 events in this fold, 10 needed" in lost["reason"] and np.isnan(lost["value"])
        )
    if change is ties_only:
        assert c["status"] == "not available" and "no comparable pair" in c["reason"]
    if change is few_events:
        assert "described, not compared: 12 events, 20 needed" in c["reason"]
        told = rows[(rows["task"] == "os") & (rows["arm_a"] == "wsi-pretrained-cells") & (rows["family"] == "primary")]
        assert told["reason"].str.contains("12 events, 20 needed").all() and (told["verdict"] == "cannot tell").all()
    if change in (one_class, no_label_known):
        assert whole(table, "auc_macro")["status"] == "not available"


def test_a_fold_without_an_event_by_the_horizon_counts_in_the_brier_score():
    def change(days, event, label, fold):
        event[(fold == 1) & (days <= 400)] = 0

    scorer, train = world(change=change)
    table, terms = table_of(scorer, train), []
    for fold in range(3):
        frame = scorer.tables("wsi-scratch-cells", 0, "wsi", "os")[0, fold]
        known, weights = (
            scorer.targets.take(list(frame.index)).survival["os"],
            Censoring(*scorer.targets.take(train[0, fold]).survival["os"]),
        )
        terms.append(brier_terms(frame[["surv_400"]].to_numpy(), *known, np.array([400.0]), weights)[:, 0])
    assert (
        whole(table, "brier", 400)["value"] == pytest.approx(np.concatenate(terms).mean())
        and whole(table, "brier", 400)["n"] == 150
    )
    assert whole(table, "auc_time", 400)["n"] == 100, "without an event there is no pair"


def test_scores_without_a_curve_have_what_needs_none():
    scorer, train = world()
    table = table_of(scorer, train)
    rows = pd.concat([rows[~rows["output"].str.startswith("surv_")] for rows in scorer._rows.values()])
    bare = table_of(Scorer(rows, scorer.targets, scorer.resampling), train)
    for metric, horizon in (("harrell_c", None), ("uno_c", None), ("auc_time", 400)):
        assert whole(bare, metric, horizon)["value"] == whole(table, metric, horizon)["value"]
    lost = bare[(bare["task"] == "os") & (bare["fold"] == -1) & (bare["status"] != "ok")]
    assert (
        set(lost["metric"]) == {"brier", "ibs_skill", "calibration_slope", "observed_expected"}
        and lost["reason"].str.contains("no survival curve").all()
    )


def test_one_patient():
    scorer, train = world(n=3)
    scorer.targets.survival["os"][1][:] = 1.0
    table = table_of(scorer, train)
    assert whole(table, "harrell_c")["status"] == "not available"


def test_an_arm_that_failed_is_a_row_for_every_task():
    scorer, _ = world()
    predictions = pd.DataFrame({"arm": ["wsi-scratch-cells"], "draw": [0], "task": ["os"]})
    lost = [
        {"arm": "wsi-scratch-cells", "draw": 0, "task": "kind", "repeat": 0, "fold": 2, "reason": "one class only (a)"}
    ]
    table = metrics_table(unavailable_rows({("rna-scratch", 0): "no RNA"}, lost, predictions, ["os", "kind"]))
    check_table(table, METRICS)
    assert (
        set(table[table["arm"] == "rna-scratch"]["task"]) == {"os", "kind"}
        and (table["status"] == "not available").all()
    )
    assert table[table["arm"] == "wsi-scratch-cells"]["fold"].tolist() == [-1, 2]


def test_competing_events_are_those_of_the_other_endpoint_alone():
    ids = ["a", "b", "c", "d"]
    days = np.ones(4)
    targets = Targets(
        ids,
        {"dss": (days, np.array([1, 0, 0, np.nan])), "os": (days, np.array([1, 1, 0, 1]))},
        {},
        {},
        {"dss": [1], "os": [1]},
    )
    assert competing_events(targets, "dss", "os").tolist() == [False, True, False, True]
