"""Partial likelihood and baseline hazard against lifelines and torchsurv."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from lifelines import CoxPHFitter
from strategies import survival

from confuselt.survival.cox import breslow, cox_loss, survival_at


def loss(risk, days, event):
    return cox_loss(*(torch.from_numpy(v) for v in (risk, days, event))).item()


def plain(risk, days, event):
    terms = [np.log(np.exp(risk[days >= days[i]]).sum()) - risk[i] for i in np.flatnonzero(event)]
    return np.sum(terms) / max(event.sum(), 1)


@settings(max_examples=50, deadline=None)
@given(survival())
def test_cox_loss_is_breslows_partial_likelihood(drawn):
    assert loss(*drawn) == pytest.approx(plain(*drawn), rel=1e-9)


def test_cox_loss_is_torchsurvs():
    from torchsurv.loss.cox import neg_partial_log_likelihood

    rng = np.random.default_rng(0)
    risk, days, event = rng.normal(size=60), rng.permutation(60) + 1.0, (rng.random(60) < 0.4).astype(float)
    theirs = neg_partial_log_likelihood(
        torch.from_numpy(risk), torch.from_numpy(event == 1), torch.from_numpy(days), reduction="sum"
    ).item()
    assert loss(risk, days, event) * event.sum() == pytest.approx(theirs, rel=1e-6)


def test_no_event_is_zero_and_shift_does_not_matter():
    risk, days = np.array([1.0, -2.0, 3.0]), np.array([1.0, 2.0, 3.0])
    assert loss(risk, days, np.zeros(3)) == 0
    event = np.array([1.0, 0.0, 1.0])
    assert loss(risk + 50, days, event) == pytest.approx(loss(risk, days, event))


def test_survival_curves_are_those_of_lifelines():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(150, 2))
    days = rng.exponential(1000 / np.exp(x @ [0.8, -0.5]))
    event = (rng.random(150) < 0.6).astype(float)
    model = CoxPHFitter().fit(pd.DataFrame(x).assign(days=days, event=event), "days", "event")
    risk = model.predict_log_partial_hazard(pd.DataFrame(x)).to_numpy()
    times, hazard = breslow(risk, days, event)
    for at in np.sort(days[event == 1])[[20, 60]]:  # at event times: lifelines interpolates between them
        theirs = model.predict_survival_function(pd.DataFrame(x), times=[at]).loc[at].to_numpy()
        np.testing.assert_allclose(survival_at(risk, times, hazard, at), theirs, atol=1e-6)
    assert survival_at(risk, times, hazard, 0.0).min() == 1
