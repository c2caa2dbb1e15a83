"""Pairwise statistics as matrices: Harrell's C and AUC under patient weights.

A bootstrap draw is a vector of patient weights, so all draws of a fold are one matrix
product. "Over folds" sums concordant and comparable pairs *within* folds: scores of
different models share no scale.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs of one fold.

    Attributes
    ----------
    won : (n, n) float32
        1 where the pair (i, j) is comparable and ordered rightly, 0.5 for tied scores.
    comparable : (n, n) float32
    """

    won: np.ndarray
    comparable: np.ndarray

    def total(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted won and comparable pairs for each draw.

        Parameters
        ----------
        weights : (draws, n) float

        Returns
        -------
        won, comparable : (draws,) float64
        """
        return ((weights @ self.won) * weights).sum(1), ((weights @ self.comparable) * weights).sum(1)


def _won(score: np.ndarray) -> np.ndarray:
    return (score[:, None] > score[None]) + 0.5 * (score[:, None] == score[None])


def survival_pairs(risk: np.ndarray, days: np.ndarray, event: np.ndarray) -> Pairs:
    """Pairs of Harrell's C (Harrell et al. 1996).

    Parameters
    ----------
    risk : (n,) float64
        Higher = earlier event.
    days, event : (n,) float64

    Notes
    -----
    (i, j) is comparable where i has an event before j's time, or at the same time while j is
    censored; two events at one time are not comparable. As in lifelines and scikit-survival.
    """
    earlier = (days[:, None] < days[None]) | ((days[:, None] == days[None]) & (event[None] == 0))
    comparable = (event[:, None] == 1) & earlier
    np.fill_diagonal(comparable, False)
    return Pairs((_won(risk) * comparable).astype(np.float32), comparable.astype(np.float32))


def class_pairs(score: np.ndarray, positive: np.ndarray) -> Pairs:
    """Pairs of the AUC of one class against the rest: (positive, negative)."""
    comparable = positive[:, None] & ~positive[None]
    return Pairs((_won(score) * comparable).astype(np.float32), comparable.astype(np.float32))


def ratio(won: np.ndarray, comparable: np.ndarray) -> np.ndarray:
    """Won / comparable, NaN where nothing is comparable."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(comparable > 0, won / comparable, np.nan)
