"""Censoring-weighted metrics against scikit-survival and torchsurv, ties and censoring included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confuselt.survival.ipcw import Censoring, auc_pairs, brier_terms, integrate, kaplan_meier, uno_pairs


def cohort(seed, n=400, step=1):
    """Risk, days (in whole steps, so that there are ties), event, survival at four horizons."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    days, follow = rng.exponential(600 / np.exp(x)), rng.uniform(100, 2500, n)
    event, days = (days <= follow).astype(float), np.ceil(np.minimum(days, follow) / step) * step
    risk = np.round(x + 0.3 * rng.normal(size=n), 1)
    at = np.array([200.0, 400.0, 600.0, 800.0])
    return risk, days, event, np.exp(-at[None] / 600 * np.exp(x)[:, None]), at


@pytest.mark.parametrize(("seed", "step"), [(4, 1), (5, 50), (6, 100)])
def test_uno_auc_and_brier_are_those_of_scikit_survival(seed, step):
    from sksurv.metrics import brier_score, concordance_index_ipcw, cumulative_dynamic_auc, integrated_brier_score
    from sksurv.util import Surv

    risk, days, event, survival, at = cohort(seed, step=step)
    train, test = slice(0, 250), slice(250, 400)
    a, b = (Surv.from_arrays(event[s] == 1, days[s]) for s in (train, test))
    weights = Censoring(days[train], event[train])
    mine = risk[test], days[test], event[test]
    won, comparable = uno_pairs(*mine, weights)
    assert won / comparable == pytest.approx(
        concordance_index_ipcw(a, b, mine[0], tau=weights.tau, tied_tol=0)[0], abs=1e-6
    )
    for horizon in (400.0, 800.0):
        won, comparable = auc_pairs(*mine, horizon, weights)
        assert won / comparable == pytest.approx(
            cumulative_dynamic_auc(a, b, mine[0], [horizon], tied_tol=0)[0][0], abs=1e-6
        )
    terms = brier_terms(survival[test], days[test], event[test], at, weights)
    np.testing.assert_allclose(terms.mean(0), brier_score(a, b, survival[test], at)[1], rtol=1e-9)
    # Theirs starts at the first horizon, ours at day 0, where the error is 0.
    theirs = integrated_brier_score(a, b, survival[test], at) * (at[-1] - at[0]) + terms.mean(0)[0] * at[0] / 2
    assert integrate(terms, at).mean() * at[-1] == pytest.approx(theirs, rel=1e-9)


def test_uno_auc_and_brier_are_those_of_torchsurv():
    import torch
    from torchsurv.metrics.auc import Auc
    from torchsurv.metrics.brier_score import BrierScore

    risk, days, event, survival, at = cohort(7)
    train, test = slice(0, 250), slice(250, 400)
    weights = Censoring(days[train], event[train])
    inverse = torch.from_numpy(1 / weights.uncensored.at(days[test]))
    horizon = torch.tensor([600.0], dtype=torch.float64)
    there = torch.from_numpy(1 / weights.uncensored.at(np.array([600.0])))
    happened, time = torch.from_numpy(event[test] == 1), torch.from_numpy(days[test])
    theirs = float(
        BrierScore()(
            torch.from_numpy(survival[test][:, 2:3]),
            happened,
            time,
            new_time=horizon,
            weight=inverse,
            weight_new_time=there,
        )
    )
    assert brier_terms(survival[test], days[test], event[test], at, weights).mean(0)[2] == pytest.approx(
        theirs, rel=1e-5
    )
    won, comparable = auc_pairs(risk[test], days[test], event[test], 600.0, weights)
    auc = float(
        Auc()(torch.from_numpy(risk[test]), happened, time, new_time=horizon, weight=inverse, weight_new_time=there)
    )
    assert won / comparable == pytest.approx(auc, abs=2e-3), "torchsurv ranks by a threshold grid"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=3, max_size=40))
def test_kaplan_meier_is_that_of_lifelines_and_of_scikit_survival(drawn):
    from lifelines import KaplanMeierFitter
    from sksurv.nonparametric import kaplan_meier_estimator

    days, event = np.array([d for d, _ in drawn], float), np.array([e for _, e in drawn], float)
    ours = kaplan_meier(days, event)
    np.testing.assert_allclose(
        ours.at(np.arange(14.0)), KaplanMeierFitter().fit(days, event).predict(np.arange(14.0)), atol=1e-9
    )
    times, left = kaplan_meier_estimator(event == 1, days, reverse=True)
    np.testing.assert_allclose(kaplan_meier(days, event, censoring=True).at(times), left, atol=1e-9)


def test_nothing_is_weighted_where_few_are_uncensored():
    days = np.arange(1.0, 101)
    event = (np.arange(100) % 3 == 0).astype(float)
    weights = Censoring(days, event)
    assert (
        weights.uncensored.at(np.array([weights.tau]))[0] >= 0.2 > weights.uncensored.at(np.array([weights.tau + 1]))[0]
    )


def test_perfect_and_useless_predictions():
    rng = np.random.default_rng(0)
    days, event = rng.exponential(500, 200), np.ones(200)
    weights, at = Censoring(days, event), np.array([250.0, 500.0])
    perfect = (days[:, None] > at).astype(float)
    assert brier_terms(perfect, days, event, at, weights).sum() == 0
    assert uno_pairs(-days, days, event, weights)[0] == uno_pairs(-days, days, event, weights)[1]
    won, comparable = auc_pairs(np.zeros(200), days, event, 500.0, weights)
    assert won / comparable == 0.5
