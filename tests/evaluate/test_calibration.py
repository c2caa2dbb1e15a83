"""Calibration and competing risks against lifelines and statsmodels; net benefit by hand."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from confuselt.evaluate.calibration import (
    calibration_slope,
    crude_survival,
    cumulative_incidence,
    followed,
    net_benefit,
    observed_expected,
    reliability,
)
from confuselt.report.calibration_figures import reliability_figure
from confuselt.survival.ipcw import kaplan_meier


def drawn(seed=0, n=300, step=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    days, follow = rng.exponential(1500 / np.exp(x)), rng.uniform(100, 3000, n)
    event = (days <= follow).astype(float)
    return x, np.ceil(np.minimum(days, follow) / step) * step, event, rng


@pytest.mark.parametrize("step", [1, 50])
def test_without_competing_events_it_is_one_minus_kaplan_meier_with_greenwoods_error(step):
    from lifelines import KaplanMeierFitter

    _, days, event, _ = drawn(step=step)
    share, error = cumulative_incidence(days, event, None, 1000)
    assert share == pytest.approx(1 - KaplanMeierFitter().fit(days, event).predict(1000))
    greenwood = sum(
        ((days == t) & (event == 1)).sum()
        / ((days >= t).sum() * ((days >= t).sum() - ((days == t) & (event == 1)).sum()))
        for t in np.unique(days[(event == 1) & (days <= 1000)])
    )
    assert error == pytest.approx((1 - share) * np.sqrt(greenwood))


def test_cumulative_incidence_is_that_of_lifelines():
    from lifelines import AalenJohansenFitter

    _, days, event, rng = drawn()
    days = days + rng.random(len(days)) * 0.01
    kind = np.where(event == 1, 1, np.where(rng.random(len(days)) < 0.4, 2, 0))
    fitted = AalenJohansenFitter(seed=1).fit(days, kind, event_of_interest=1)
    share, error = cumulative_incidence(days, (kind == 1).astype(float), kind == 2, 1000)
    assert share == pytest.approx(fitted.predict(1000))
    assert error == pytest.approx(np.sqrt(fitted.variance_[fitted.variance_.index <= 1000].iloc[-1]))
    naive, _ = cumulative_incidence(days, (kind == 1).astype(float), None, 1000)
    assert naive > share, "censoring the competing events overstates the incidence"


@pytest.mark.parametrize("step", [1, 100])
def test_slope_is_that_of_statsmodels_with_strata_and_ties(step):
    from statsmodels.duration.hazard_regression import PHReg

    x, days, event, rng = drawn(step=step)
    strata, risk = rng.integers(0, 5, len(x)), 1.4 * x + rng.normal(size=len(x))
    slope, low, high = calibration_slope(risk, days, event, strata)
    fitted = PHReg(days, risk[:, None], status=event, strata=strata, ties="breslow").fit()
    assert slope == pytest.approx(fitted.params[0], abs=1e-5)
    assert (high - low) / 2 == pytest.approx(norm.ppf(0.975) * fitted.bse[0], rel=1e-4)


def test_slope_is_that_of_lifelines_without_ties():
    from lifelines import CoxPHFitter

    x, days, event, rng = drawn()
    days = days + rng.random(len(days)) * 0.01
    frame = pd.DataFrame({"x": x, "days": days, "event": event, "fold": rng.integers(0, 5, len(x))})
    fitted = CoxPHFitter().fit(frame, "days", "event", strata=["fold"])
    assert calibration_slope(x, days, event, frame["fold"].to_numpy())[0] == pytest.approx(
        fitted.params_["x"], abs=1e-4
    )


def test_slope_finds_what_was_planted_and_says_nothing_where_it_cannot():
    x, days, event, _ = drawn(n=3000)
    assert calibration_slope(x / 0.5, days, event, np.zeros(3000))[0] == pytest.approx(0.5, abs=0.06), (
        "twice too extreme: half a slope"
    )
    assert np.isnan(calibration_slope(x, days, np.zeros(3000), np.zeros(3000))[0])
    assert np.isnan(calibration_slope(np.zeros(50), days[:50], event[:50], np.zeros(50))[0])


def test_observed_over_expected():
    x, days, event, _ = drawn(n=3000)
    truth = np.exp(-1000 / 1500 * np.exp(x))
    ratio, low, high = observed_expected(truth, days, event, 1000)
    assert low < 1 < high and ratio == pytest.approx(1, abs=0.06)
    assert observed_expected(truth**0.5, days, event, 1000)[1] > 1, "half the hazard expected: more observed"
    assert np.isnan(observed_expected(truth, days, np.zeros(3000), 1000)[0])
    # Everyone had the event, or there is one patient: no spread, so no interval of no width.
    assert np.isnan(observed_expected(np.array([0.6]), np.array([10.0]), np.array([1.0]), 20)).all()


def test_a_perfect_model_is_calibrated_where_events_compete():
    """Its cause-specific curve alone would look as if it overpredicted.

    Competing events take patients before they have the event.
    """
    rng = np.random.default_rng(0)
    n, grid = 20_000, np.array([200, 365, 730, 1095, 1460, 1825.0])
    x = rng.normal(size=n) * 0.7
    own, other, follow = rng.exponential(2000 / np.exp(x)), rng.exponential(2500, n), rng.uniform(1000, 4000, n)
    days = np.minimum(np.minimum(own, other), follow)
    event, rival = (own == days).astype(float), other == days
    truth = np.exp(-grid[None] / 2000 * np.exp(x)[:, None])
    assert observed_expected(truth[:, 3], days, event, 1095, rival)[2] < 0.9
    told = crude_survival(truth, grid, kaplan_meier(days, rival.astype(float)))
    for column in (3, 5):
        ratio, low, high = observed_expected(told[:, column], days, event, grid[column], rival)
        assert low < 1 < high and ratio == pytest.approx(1, abs=0.03)
    none = kaplan_meier(days, np.zeros(n))
    np.testing.assert_allclose(crude_survival(truth, grid, none), truth, atol=1e-12)


def test_nothing_is_seen_beyond_the_follow_up():
    days, event = np.array([10.0, 20, 30]), np.array([1.0, 0, 0])
    assert followed(days, event, 25) and not followed(days, event, 30) and not followed(days[:0], event[:0], 5)
    assert followed(days, np.array([0.0, 0, 1]), 100), "the last to leave had an event: nobody is left"


def test_reliability_bins():
    probability = np.linspace(0, 1, 100)
    found = reliability(probability, probability > 0.5)
    assert [n for *_, n in found] == [20] * 5 and found[0][1] == 0 and found[-1][1] == 1
    from statsmodels.stats.proportion import proportion_confint

    _, share, low, high, n = found[2]
    assert (low, high) == pytest.approx(proportion_confint(share * n, n, method="wilson"))


def test_horizons_of_a_reliability_plot_are_told_as_they_are():
    row = {"curve": "reliability", "arm": "rna-scratch", "task": "os", "low": 0.1, "high": 0.3, "value": 0.2, "x": 0.2}
    curves = pd.DataFrame([row | {"metric": f"surv_{days}"} for days in (180, 547, 1095)])
    (axis,) = reliability_figure(curves, "rna-scratch").axes
    told = [text.get_text() for text in axis.get_legend().get_texts()]
    assert told == ["event by 3 y", "event by 0.493 y", "event by 1.5 y"]
    plt.close("all")


def test_net_benefit_by_hand_without_censoring():
    rng = np.random.default_rng(2)
    risk = rng.random(200)
    happens = rng.random(200) < risk
    days, event = np.where(happens, 10.0, 1000.0), happens.astype(float)
    found = net_benefit(1 - risk, days, event, 500, np.array([0.2, 0.5]))
    for value, threshold in zip(found, (0.2, 0.5), strict=True):
        high = risk >= threshold
        assert value == pytest.approx((happens & high).mean() - (~happens & high).mean() * threshold / (1 - threshold))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert net_benefit(np.ones(200), days, event, 500, np.array([0.5]))[0] == 0, "nobody reaches the threshold"
