"""Cox partial likelihood and Breslow's baseline hazard."""

import numpy as np
import torch


def cox_loss(risk: torch.Tensor, days: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    """Negative log partial likelihood per event, Breslow's handling of ties.

    Parameters
    ----------
    risk : (n,) float
        Log hazard ratio.
    days, event : (n,) float
        Follow-up and 1 = event.

    Returns
    -------
    scalar tensor
        0 where no patient has an event.
    """
    # Only of those with an event is the risk set asked; no sum here depends on the order in which a GPU takes it.
    dead = event > 0
    at_risk = days[None] >= days[dead][:, None]
    everyone = risk[None].expand(len(at_risk), -1).masked_fill(~at_risk, -torch.inf)
    return (everyone.logsumexp(1) - risk[dead]).sum() / event.sum().clamp_min(1)


def breslow(risk: np.ndarray, days: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative baseline hazard of Breslow (1972).

    Parameters
    ----------
    risk, days, event : (n,) float64

    Returns
    -------
    times : (events,) float64
        Distinct event times, ascending.
    hazard : (events,) float64
        Cumulative baseline hazard at these times.
    """
    times = np.unique(days[event == 1])
    weight = np.exp(risk)
    steps = [event[days == t].sum() / weight[days >= t].sum() for t in times]
    return times, np.cumsum(steps)


def survival_at(risk: np.ndarray, times: np.ndarray, hazard: np.ndarray, at: float) -> np.ndarray:
    """Survival probability at `at` days for log hazard ratios (n,), from `breslow`'s output."""
    passed = np.searchsorted(times, at, side="right")
    cumulative = hazard[passed - 1] if passed else 0.0
    return np.exp(-cumulative * np.exp(risk))
