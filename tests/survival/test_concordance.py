"""Pair statistics against lifelines, scikit-survival and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from lifelines.utils import concordance_index
from sklearn.metrics import roc_auc_score
from strategies import survival

from confuselt.survival.concordance import class_pairs, ratio, survival_pairs


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
    score, positive, weight = (
        rng.integers(0, 6, 60).astype(float),
        rng.random(60) < 0.4,
        rng.integers(0, 4, 60).astype(np.float32),
    )
    pairs = class_pairs(score, positive)
    for w, reference in ((np.ones(60, np.float32), None), (weight, weight)):
        ours = ratio(*(pairs.total(w[None], of) for of in ("won", "comparable")))[0]
        assert ours == pytest.approx(roc_auc_score(positive, score, sample_weight=reference), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(survival(least=10))
def test_bootstrap_weights_are_repeated_patients(drawn):
    risk, days, event = drawn
    weight = np.random.default_rng(0).multinomial(len(risk), np.full(len(risk), 1 / len(risk))).astype(np.float32)
    again = np.repeat(np.arange(len(risk)), weight.astype(int))
    pairs = survival_pairs(risk, days, event)
    won, comparable = (pairs.total(weight[None], of) for of in ("won", "comparable"))
    direct = survival_pairs(risk[again], days[again], event[again])
    # A patient drawn twice makes no comparable pair with itself.
    assert won[0] == pytest.approx(direct.won.sum(), rel=1e-5) and comparable[0] == pytest.approx(
        direct.comparable.sum(), rel=1e-5
    )


def test_pairs_within_a_group():
    rng = np.random.default_rng(3)
    risk, days, event, group = (
        rng.normal(size=60),
        rng.exponential(10, 60),
        (rng.random(60) < 0.5).astype(float),
        rng.integers(0, 4, 60),
    )
    inside = survival_pairs(risk, days, event, group=group)
    apart = [survival_pairs(*(v[group == g] for v in (risk, days, event))) for g in range(4)]
    assert inside.won.sum() == sum(p.won.sum() for p in apart) and inside.comparable.sum() == sum(
        p.comparable.sum() for p in apart
    )
