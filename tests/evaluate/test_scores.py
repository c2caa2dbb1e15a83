"""Values over folds are sums within folds; both bootstraps paired."""

import numpy as np
import pandas as pd
import pytest

from confuselt.evaluate.intervals import from_draws
from confuselt.evaluate.resample import Resampling
from confuselt.evaluate.scores import Scorer
from confuselt.finetune.targets import Targets
from confuselt.survival.concordance import class_pairs, survival_pairs


def world(n=120, seed=0):
    rng = np.random.default_rng(seed)
    ids = [f"P{i}" for i in range(n)]
    days, event = rng.exponential(100, n), (rng.random(n) < 0.6).astype(float)
    targets = Targets(
        ids, {"os": (days, event)}, {"kind": rng.integers(0, 3, n)}, {"kind": ["a", "b", "c"]}, {"os": [50]}
    )
    rows = []
    for i, p in enumerate(ids):
        fold = i % 3
        # Scores of the folds share no scale: each has its own offset.
        rows.append((p, 0, fold, "os", "risk", 100 * fold - days[i] / 100 + rng.normal()))
        rows += [
            (p, 0, fold, "kind", f"p_{c}", float(rng.random() + (targets.labels["kind"][i] == k)))
            for k, c in enumerate("abc")
        ]
    table = pd.DataFrame(rows, columns=["patient_id", "repeat", "fold", "task", "output", "value"]).assign(
        arm="a", draw=0, inputs="wsi"
    )
    resampling = Resampling([ids[fold::3] for fold in range(3)], {p: f"S{i % 12}" for i, p in enumerate(ids)}, 200, 1)
    return table, targets, resampling


def score(table, targets, resampling, task, **chosen):
    return Scorer(table, targets, resampling).block("a", 0, "wsi", task, **chosen)


def test_over_folds_pairs_are_summed_within_folds():
    world_ = table, targets, _ = world()
    block = score(*world_, "os")
    won = comparable = 0
    for fold in range(3):
        part = table[(table["task"] == "os") & (table["fold"] == fold)]
        known = targets.take(list(part["patient_id"]))
        pairs = survival_pairs(part["value"].to_numpy(), *known.survival["os"])
        won, comparable = won + pairs.won.sum(), comparable + pairs.comparable.sum()
    assert block.value == pytest.approx(won / comparable, abs=1e-6)
    pooled = survival_pairs(
        table[table["task"] == "os"]["value"].to_numpy(),
        *targets.take(list(table[table["task"] == "os"]["patient_id"])).survival["os"],
    )
    assert abs(block.value - pooled.won.sum() / pooled.comparable.sum()) > 0.02, (
        "pooling across folds would be another number"
    )
    wide = block.interval()
    assert wide.low < block.value < wide.high and block.n == 120
    assert [f["n"] for f in block.folds] == [40, 40, 40]


def test_macro_auc_over_folds():
    world_ = table, targets, _ = world()
    block = score(*world_, "kind")
    values = []
    for k, c in enumerate("abc"):
        won = comparable = 0
        for fold in range(3):
            part = table[(table["output"] == f"p_{c}") & (table["fold"] == fold)]
            pairs = class_pairs(part["value"].to_numpy(), targets.take(list(part["patient_id"])).labels["kind"] == k)
            won, comparable = won + pairs.won.sum(), comparable + pairs.comparable.sum()
        values.append(won / comparable)
    assert block.value == pytest.approx(np.mean(values), abs=1e-6)


def test_equal_scores_give_exactly_equal_draws():
    world_ = table, targets, _ = world()
    a, b = (score(*world_, "os") for _ in range(2))
    assert (a.patients == b.patients).all() and (a.sites == b.sites).all()


def test_repeats_bring_no_new_patients():
    """The same predictions again under another map of folds: as many patients, intervals as wide."""
    world_ = table, targets, _ = world()
    again = pd.concat([table, table.assign(repeat=1)])
    one, two = (score(t, targets, world_[2], "os") for t in (table, again))
    np.testing.assert_allclose(one.patients, two.patients, rtol=1e-6)
    np.testing.assert_allclose(one.sites, two.sites, rtol=1e-6)
    assert one.n == two.n == 120 and one.events == two.events


def test_only_patients_that_both_sides_can_score():
    world_ = table, targets, _ = world()
    half = frozenset(f"P{i}" for i in range(60))
    assert score(*world_, "os", only=dict.fromkeys([(0, f) for f in range(3)], half)).n == 60
    assert [f["n"] for f in score(*world_, "os", only={(0, 0): half, (0, 2): frozenset(targets.patients)}).folds] == [
        20,
        40,
    ], "fold by fold"


def test_nothing_comparable_is_nan_not_a_crash():
    world_ = table, targets, _ = world()
    censored = Targets(
        targets.patients,
        {"os": (targets.survival["os"][0], np.zeros(120))},
        targets.labels,
        targets.classes,
        targets.horizons,
    )
    assert np.isnan(score(table, censored, world_[2], "os").value)
    empty = score(table[table["task"] != "os"], targets, world_[2], "os")
    assert np.isnan(empty.value) and np.isnan(empty.interval().low) and empty.interval().method == "none"
    assert from_draws("patient bootstrap", empty.value, empty.patients) is None


def test_a_site_draw_is_its_patients_drawn_together():
    table, targets, resampling = world()
    block = score(table, targets, resampling, "os")
    draw = 7
    patients = list(targets.patients)
    group, by_site = resampling.of_sites(patients)
    weight = dict(zip(patients, by_site[1 + draw][group], strict=True))
    won = comparable = 0.0
    for fold in range(3):
        part = table[(table["task"] == "os") & (table["fold"] == fold)]
        w = np.array([[weight[p] for p in part["patient_id"]]], np.float32)
        pairs = survival_pairs(part["value"].to_numpy(), *targets.take(list(part["patient_id"])).survival["os"])
        won, comparable = won + pairs.total(w)[0], comparable + pairs.total(w, "comparable")[0]
    assert block.sites[draw] == pytest.approx(won / comparable, rel=1e-5)


def test_without_sites_there_is_no_site_bootstrap():
    table, targets, _ = world()
    alone = Resampling([targets.patients[f::3] for f in range(3)], {}, 50, 1)
    assert alone.sites == 0 and score(table, targets, alone, "os").sites is None
