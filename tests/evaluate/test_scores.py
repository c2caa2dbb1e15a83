"""Metrics against lifelines, scikit-survival and scikit-learn; folds summed within; the bootstrap paired."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from lifelines.utils import concordance_index
from sklearn.metrics import roc_auc_score
from strategies import survival

from confuselt.evaluate.ipcw import censoring_weights, ipcw_metrics
from confuselt.evaluate.pairs import class_pairs, ratio, survival_pairs
from confuselt.evaluate.scores import Bootstrap, interval, score_label, score_survival, wide
from confuselt.finetune.targets import Targets


@settings(max_examples=80, deadline=None)
@given(survival())
def test_c_is_that_of_scikit_survival(drawn):
    from sksurv.exceptions import NoComparablePairException
    from sksurv.metrics import concordance_index_censored

    risk, days, event = drawn
    pairs = survival_pairs(risk, days, event)
    ours = ratio(pairs.won.sum(), pairs.comparable.sum())
    try:
        theirs = concordance_index_censored(event == 1, days, risk, tied_tol=0)[0]
    except NoComparablePairException:
        assert np.isnan(ours)
        return
    assert ours == pytest.approx(theirs, abs=1e-6, nan_ok=True)


def test_c_is_that_of_lifelines_without_tied_events():
    rng = np.random.default_rng(0)
    risk, days, event = rng.normal(size=100), rng.permutation(100) + 1.0, (rng.random(100) < 0.5).astype(float)
    pairs = survival_pairs(risk, days, event)
    assert pairs.won.sum() / pairs.comparable.sum() == pytest.approx(concordance_index(days, -risk, event), abs=1e-6)


def test_auc_and_its_weighted_form_are_scikit_learns():
    rng = np.random.default_rng(1)
    score, positive, weight = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4, rng.integers(0, 4, 60).astype(np.float32)
    pairs = class_pairs(score, positive)
    assert ratio(*pairs.total(np.ones((1, 60), np.float32)))[0] == pytest.approx(roc_auc_score(positive, score), abs=1e-6)
    assert ratio(*pairs.total(weight[None]))[0] == pytest.approx(roc_auc_score(positive, score, sample_weight=weight), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(survival(least=10))
def test_bootstrap_weights_are_repeated_patients(drawn):
    risk, days, event = drawn
    weight = np.random.default_rng(0).multinomial(len(risk), np.full(len(risk), 1 / len(risk))).astype(np.float32)
    again = np.repeat(np.arange(len(risk)), weight.astype(int))
    won, comparable = survival_pairs(risk, days, event).total(weight[None])
    direct = survival_pairs(risk[again], days[again], event[again])
    # A patient drawn twice makes no comparable pair with itself.
    assert won[0] == pytest.approx(direct.won.sum(), rel=1e-5) and comparable[0] == pytest.approx(direct.comparable.sum(), rel=1e-5)


def world(n=120, seed=0):
    rng = np.random.default_rng(seed)
    ids = [f"P{i}" for i in range(n)]
    days, event = rng.exponential(100, n), (rng.random(n) < 0.6).astype(float)
    targets = Targets(ids, {"os": (days, event)}, {"kind": rng.integers(0, 3, n)}, {"kind": ["a", "b", "c"]}, {"os": [50]})
    rows = []
    for i, p in enumerate(ids):
        fold = i % 3
        # Scores of the folds share no scale: each has its own offset.
        rows.append((p, 0, fold, "os", "risk", 100 * fold - days[i] / 100 + rng.normal()))
        rows += [(p, 0, fold, "kind", f"p_{c}", float(rng.random() + (targets.labels["kind"][i] == k))) for k, c in enumerate("abc")]
    table = pd.DataFrame(rows, columns=["patient_id", "repeat", "fold", "task", "output", "value"])
    boot = Bootstrap([ids[fold::3] for fold in range(3)], 200, 1)
    return table, targets, boot


def test_over_folds_pairs_are_summed_within_folds():
    table, targets, boot = world()
    block = score_survival(wide(table, "os"), targets, "os", boot)
    won = comparable = 0
    for fold in range(3):
        part = table[(table["task"] == "os") & (table["fold"] == fold)]
        known = targets.take(list(part["patient_id"]))
        pairs = survival_pairs(part["value"].to_numpy(), *known.survival["os"])
        won, comparable = won + pairs.won.sum(), comparable + pairs.comparable.sum()
    assert block.value == pytest.approx(won / comparable, abs=1e-6)
    pooled = survival_pairs(table[table["task"] == "os"]["value"].to_numpy(), *targets.take(list(table[table["task"] == "os"]["patient_id"])).survival["os"])
    assert abs(block.value - pooled.won.sum() / pooled.comparable.sum()) > 0.02, "pooling across folds would be another number"
    low, high = interval(block.draws)
    assert low < block.value < high and block.n == 120
    assert [f["n"] for f in block.folds] == [40, 40, 40]


def test_macro_auc_over_folds():
    table, targets, boot = world()
    block = score_label(wide(table, "kind"), targets, "kind", boot)
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
    table, targets, boot = world()
    a, b = (score_survival(wide(table, "os"), targets, "os", boot) for _ in range(2))
    assert (a.draws == b.draws).all()


def test_repeats_bring_no_new_patients():
    """The same predictions again under another map of folds: as many patients, intervals as wide."""
    table, targets, boot = world()
    again = pd.concat([table, table.assign(repeat=1)])
    one, two = (score_survival(wide(t, "os"), targets, "os", boot) for t in (table, again))
    np.testing.assert_allclose(one.draws, two.draws, rtol=1e-6)
    assert one.n == two.n == 120 and one.events == two.events


def test_only_patients_that_both_sides_can_score():
    table, targets, boot = world()
    block = score_survival(wide(table, "os"), targets, "os", boot, {f"P{i}" for i in range(60)})
    assert block.n == 60


def test_nothing_comparable_is_nan_not_a_crash():
    table, targets, boot = world()
    censored = Targets(targets.patients, {"os": (targets.survival["os"][0], np.zeros(120))}, targets.labels, targets.classes, targets.horizons)
    assert np.isnan(score_survival(wide(table, "os"), censored, "os", boot).value)
    empty = score_survival({}, targets, "os", boot)
    assert np.isnan(empty.value) and interval(empty.draws)[0] != interval(empty.draws)[0]


def test_uno_auc_and_brier_are_those_of_scikit_survival():
    from sksurv.metrics import brier_score, concordance_index_ipcw, cumulative_dynamic_auc
    from sksurv.util import Surv

    rng = np.random.default_rng(4)
    x = rng.normal(size=400)
    days, follow = rng.exponential(600 / np.exp(x)), rng.uniform(100, 2500, 400)
    event, days = (days <= follow).astype(float), np.minimum(days, follow)
    train, test = slice(0, 250), slice(250, 400)
    survive = {500: np.exp(-500 / 600 * np.exp(x[test])), 900: np.exp(-900 / 600 * np.exp(x[test]))}
    ours = ipcw_metrics(x[test] + 0.3 * rng.normal(size=150), survive, days[test], event[test], (days[train], event[train]))
    rng = np.random.default_rng(4)
    x = rng.normal(size=400)
    rng.exponential(600 / np.exp(x))
    rng.uniform(100, 2500, 400)
    risk = x[test] + 0.3 * rng.normal(size=150)
    a, b = Surv.from_arrays(event[train] == 1, days[train]), Surv.from_arrays(event[test] == 1, days[test])
    _, tau = censoring_weights(days[train], event[train], days[test])
    assert ours["uno_c", None] == pytest.approx(concordance_index_ipcw(a, b, risk, tau=tau)[0], abs=5e-3)
    for horizon in (500, 900):
        assert ours["auc_time", horizon] == pytest.approx(cumulative_dynamic_auc(a, b, risk, [horizon])[0][0], abs=5e-3)
        assert ours["brier", horizon] == pytest.approx(brier_score(a, b, survive[horizon][:, None], [horizon])[1][0], abs=5e-3)
