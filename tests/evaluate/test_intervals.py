"""The widest of three intervals, what it says in edge cases, and the corrected t against its formula by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, t

from confuselt.evaluate.intervals import Interval, corrected_t, detectable, from_draws, widest


def test_corrected_t_by_hand():
    folds = np.array([0.01, 0.05, -0.02, 0.03, 0.08, 0.02, 0.0, 0.04, 0.06, 0.01])
    found = corrected_t(0.03, folds, 5)
    error = np.sqrt((1 / 10 + 1 / 4) * folds.var(ddof=1))
    assert found.error == pytest.approx(error)
    assert found.high == pytest.approx(0.03 + t.ppf(0.975, 9) * error)
    assert found.p == pytest.approx(2 * t.sf(0.03 / error, 9))


def test_detectable_is_324_errors_of_a_bootstrap_in_the_default_plan():
    draws = np.random.default_rng(0).normal(0.1, 0.02, 5000)
    found = from_draws("patient bootstrap", 0.1, draws)
    assert detectable([found, None], 0.05, 3) / found.error == pytest.approx(3.24, abs=0.01)


@pytest.mark.parametrize(
    ("alpha", "tests", "level"),
    [(0.05, 3, 0.05 / 3), (0.05, 1, 0.05), (0.01, 2, 0.005), (0.05, 0, 0.05), (0.2, 1, 0.05), (0.3, 3, 0.05)],
)
def test_detectable_follows_the_plan(alpha, tests, level):
    """A yes needs an interval of 95 % above 0, too: from a level of .05 on, another alpha finds no more."""
    error, folds = 0.02, np.array([0.01, 0.05, -0.02, 0.03, 0.08])
    bootstrap = Interval("patient bootstrap", 0, 0, error, 0.5, np.inf)
    assert detectable([bootstrap], alpha, tests) == pytest.approx(error * (norm.isf(level / 2) + norm.ppf(0.8)))
    few = corrected_t(0.03, folds, 5)
    assert detectable([bootstrap, few], alpha, tests) == pytest.approx(
        few.error * (t.isf(level / 2, 4) + t.ppf(0.8, 4))
    )
    assert np.isnan(detectable([None], alpha, tests))


@given(st.lists(st.floats(-1, 1), min_size=25, max_size=60), st.lists(st.floats(-1, 1), min_size=2, max_size=10))
def test_the_widest_contains_no_less_than_any_method(draws, folds):
    one, two = from_draws("patient bootstrap", 0.0, np.array(draws)), corrected_t(0.0, np.array(folds), 5)
    wide = widest([one, None, two])
    assert wide.high - wide.low == max(i.high - i.low for i in (one, two))
    assert wide.p == max(one.p, two.p) and wide.error == max(one.error, two.error)


def test_too_little_is_no_interval_not_a_crash():
    assert from_draws("patient bootstrap", 0.1, np.full(100, np.nan)) is None
    assert corrected_t(0.1, np.array([np.nan, 0.2]), 5) is None and corrected_t(np.nan, np.array([0.1, 0.2]), 5) is None
    none = widest([None, None])
    assert none.method == "none" and np.isnan(none.low) and np.isnan(none.p)


def test_no_spread_is_no_proof():
    assert from_draws("patient bootstrap", 0.1, np.full(100, 0.1)).p == 1.0
    assert corrected_t(0.1, np.array([0.1, 0.1]), 5).p == 1.0
