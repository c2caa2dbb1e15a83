"""Censoring-weighted metrics of one fold, by torchsurv; the censoring distribution comes from training patients."""

import warnings

import numpy as np
import torch
from torchsurv.metrics.auc import Auc
from torchsurv.metrics.brier_score import BrierScore
from torchsurv.metrics.cindex import ConcordanceIndex
from torchsurv.stats.kaplan_meier import KaplanMeierEstimator

TAU_LEFT = 0.2  # Uno's C stops where less than this share of the training patients is uncensored


def censoring_weights(train_days: np.ndarray, train_event: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, float]:
    """Inverse probability of being uncensored, and the last time at which that probability is at least 0.2.

    Parameters
    ----------
    train_days, train_event : (m,) float64
        Training patients.
    at : (n,) float64
        Times at which the weight is wanted.
    """
    estimate = KaplanMeierEstimator()
    estimate(torch.from_numpy(train_event == 1), torch.from_numpy(train_days), censoring_dist=True)
    grid, left = estimate.time.numpy().astype(float), estimate.km_est.numpy().astype(float)
    below = np.flatnonzero(left < TAU_LEFT)
    tau = float(grid[below[0] - 1]) if len(below) and below[0] > 0 else float(grid[-1])
    place = np.searchsorted(grid, at, side="right") - 1
    share = np.where(place >= 0, left[np.maximum(place, 0)], 1.0)
    return 1 / np.maximum(share, TAU_LEFT), tau


def ipcw_metrics(
    risk: np.ndarray, survival: dict[int, np.ndarray], days: np.ndarray, event: np.ndarray, train: tuple[np.ndarray, np.ndarray]
) -> dict[tuple[str, int | None], float]:
    """Uno's C, time-dependent AUC and Brier score of a fold.

    Parameters
    ----------
    risk : (n,) float64
    survival : dict of int to (n,) float64
        Predicted survival probability at each horizon in days.
    days, event : (n,) float64
    train : ((m,), (m,)) float64
        Days and event of the training patients.

    Returns
    -------
    dict
        ``(metric, horizon)`` to value; a metric that these patients cannot inform is left out.
    """
    weight, tau = censoring_weights(*train, days)
    found: dict[tuple[str, int | None], float] = {}
    happened, time = torch.from_numpy(event == 1), torch.from_numpy(days).double()
    hazard, inverse = torch.from_numpy(risk).double(), torch.from_numpy(weight).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if ((event == 1) & (days < tau)).any():
            found["uno_c", None] = float(ConcordanceIndex()(hazard, happened, time, weight=inverse, tmax=torch.tensor(tau, dtype=torch.float64)))
        for horizon, probability in survival.items():
            early, late = ((event == 1) & (days <= horizon)).any(), (days > horizon).any()
            if not early or not late:
                continue
            at, _ = censoring_weights(*train, np.array([float(horizon)]))
            new = torch.tensor([float(horizon)], dtype=torch.float64)
            at_horizon = torch.from_numpy(at).double()
            found["auc_time", horizon] = float(Auc()(hazard, happened, time, new_time=new, weight=inverse, weight_new_time=at_horizon))
            found["brier", horizon] = float(
                BrierScore()(torch.from_numpy(probability).double()[:, None], happened, time, new_time=new, weight=inverse, weight_new_time=at_horizon)
            )
    return found
