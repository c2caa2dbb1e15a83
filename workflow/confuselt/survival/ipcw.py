"""Censoring-weighted statistics of one fold; the censoring distribution comes from training patients."""

from dataclasses import dataclass

import numpy as np

from confuselt.survival.concordance import survival_pairs

LEAST_LEFT = 0.2  # nothing is weighted where less than this share of the training patients is still uncensored


@dataclass(frozen=True)
class Steps:
    """A right-continuous step function from 1: Kaplan-Meier's estimate.

    Attributes
    ----------
    times, values : (m,) float64
        Value from each time on.
    """

    times: np.ndarray
    values: np.ndarray

    def at(self, days: np.ndarray) -> np.ndarray:
        """Value at each of `days`."""
        place = np.searchsorted(self.times, days, side="right") - 1
        return np.where(place >= 0, self.values[np.maximum(place, 0)], 1.0)


def kaplan_meier(days: np.ndarray, event: np.ndarray, censoring: bool = False) -> Steps:
    """Kaplan-Meier's estimate of survival, or of being uncensored (events of a time then come before its censorings).

    Parameters
    ----------
    days, event : (n,) float64
    censoring : bool
    """
    times, at = np.unique(days, return_inverse=True)
    events = np.bincount(at, weights=event == 1, minlength=len(times))
    leaving = np.bincount(at, minlength=len(times))
    risk = leaving[::-1].cumsum()[::-1].astype(float)
    lost = leaving - events if censoring else events
    risk = risk - events if censoring else risk
    return Steps(times, np.cumprod(1 - np.divide(lost, risk, out=np.zeros(len(times)), where=risk > 0)))


class Censoring:
    """Weights by the training patients of a fold.

    Parameters
    ----------
    days, event : (m,) float64
        Training patients, known ones only.

    Attributes
    ----------
    tau : float
        Last training time at which at least 0.2 are still uncensored: nothing later is weighted.
    """

    def __init__(self, days: np.ndarray, event: np.ndarray) -> None:
        self.uncensored, self.survival = kaplan_meier(days, event, censoring=True), kaplan_meier(days, event)
        kept = self.uncensored.times[self.uncensored.values >= LEAST_LEFT]
        self.tau = float(kept.max()) if len(kept) else 0.0


def uno_pairs(risk: np.ndarray, days: np.ndarray, event: np.ndarray, censoring: Censoring) -> tuple[float, float]:
    """Won and comparable pairs of Uno's C (Uno et al. 2011): pairs weigh 1 / G² of the first, up to tau."""
    early = (event == 1) & (days < censoring.tau)
    weight = np.where(early, 1 / np.maximum(censoring.uncensored.at(days), LEAST_LEFT) ** 2, 0)
    pairs = survival_pairs(risk, days, event, weight)
    return float(pairs.won.sum(dtype=np.float64)), float(pairs.comparable.sum(dtype=np.float64))


def auc_pairs(
    risk: np.ndarray, days: np.ndarray, event: np.ndarray, horizon: float, censoring: Censoring
) -> tuple[float, float]:
    """Won and comparable pairs of the cumulative/dynamic AUC at a horizon.

    They are events by then, weighted by 1 / G, against later times.
    """
    case, control = (event == 1) & (days <= horizon), days > horizon
    weight = 1 / np.maximum(censoring.uncensored.at(days[case]), LEAST_LEFT)
    won = (risk[case][:, None] > risk[control][None]) + 0.5 * (risk[case][:, None] == risk[control][None])
    return float((won * weight[:, None]).sum()), float(weight.sum() * control.sum())


def brier_terms(
    survival: np.ndarray, days: np.ndarray, event: np.ndarray, at: np.ndarray, censoring: Censoring
) -> np.ndarray:
    """Weighted squared errors of survival probabilities (Graf et al. 1999).

    Parameters
    ----------
    survival : (n, t) float64
        Predicted survival probability at each of `at`.
    days, event : (n,) float64
    at : (t,) float64
        Days, none beyond ``censoring.tau``.

    Returns
    -------
    (n, t) float64
        Their mean over patients is the Brier score; the early censored weigh 0 and are made up for by the others.
    """
    died = (days[:, None] <= at[None]) & (event[:, None] == 1)
    lived = days[:, None] > at[None]
    own, then = (1 / np.maximum(censoring.uncensored.at(d), LEAST_LEFT) for d in (days, at))
    return survival**2 * died * own[:, None] + (1 - survival) ** 2 * lived * then[None]


def integrate(terms: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Trapezoid over time from day 0, where the error is 0, per patient: (n, t) to (n,), per day."""
    grid = np.concatenate([[0.0], at])
    return np.trapezoid(np.column_stack([np.zeros(len(terms)), terms]), grid, axis=1) / grid[-1]
