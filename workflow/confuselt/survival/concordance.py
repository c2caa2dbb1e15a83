"""Pairwise statistics as matrices: Harrell's C, Uno's C and AUC under weights of patients or of sites.

A bootstrap draw is a vector of weights, so all draws of a fold are one matrix product. "Over folds" sums
concordant and comparable pairs *within* folds: scores of different models share no scale.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs of one fold: those that can come first (events, positives) against those that can come second.

    Attributes
    ----------
    first, second : (f,), (s,) int64
        Positions in the fold.
    won : (f, s) float32
        1 where the pair is comparable and ordered rightly, 0.5 for tied scores; times the weight of the pair.
    comparable : (f, s) float32
        Weight of the pair; 0 where it is not comparable.
    """

    first: np.ndarray
    second: np.ndarray
    won: np.ndarray
    comparable: np.ndarray

    def total(self, weights: np.ndarray, of: str = "won") -> np.ndarray:
        """Weighted sum of the pairs for each draw.

        Parameters
        ----------
        weights : (draws, n) float32
            Weight of each patient of the fold.
        of : {"won", "comparable"}

        Returns
        -------
        (draws,) float64
        """
        matrix = self.won if of == "won" else self.comparable
        return ((weights[:, self.first] @ matrix) * weights[:, self.second]).sum(1, dtype=np.float64)

    def by_group(self, group: np.ndarray, groups: int) -> "Pairs":
        """The same pairs summed over groups (sites) of patients: weights are then those of the groups.

        Parameters
        ----------
        group : (n,) int64
            Group of each patient of the fold.
        groups : int
        """
        left, right = (np.eye(groups, dtype=np.float32)[group[at]] for at in (self.first, self.second))
        every = np.arange(groups)
        return Pairs(every, every, left.T @ self.won @ right, left.T @ self.comparable @ right)


def _won(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first[:, None] > second[None]) + 0.5 * (first[:, None] == second[None])


def survival_pairs(
    risk: np.ndarray,
    days: np.ndarray,
    event: np.ndarray,
    weight: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> Pairs:
    """Pairs of Harrell's C (Harrell et al. 1996), or of Uno's with weights (Uno et al. 2011).

    Parameters
    ----------
    risk : (n,) float64
        Higher = earlier event.
    days, event : (n,) float64
    weight : (n,) float64, optional
        Weight of the pairs in which a patient comes first; 0 takes them out.
    group : (n,) int64, optional
        Only pairs of the same group count (within site).

    Notes
    -----
    (i, j) is comparable where i has an event before j's time, or at the same time while j is
    censored; two events at one time are not comparable. As in lifelines and scikit-survival.
    """
    first = np.flatnonzero(event == 1)
    earlier = (days[first, None] < days[None]) | ((days[first, None] == days[None]) & (event[None] == 0))
    comparable = earlier if group is None else earlier & (group[first, None] == group[None])
    comparable = (
        comparable.astype(np.float32) if weight is None else (comparable * weight[first, None]).astype(np.float32)
    )
    return Pairs(first, np.arange(len(days)), (_won(risk[first], risk) * comparable).astype(np.float32), comparable)


def class_pairs(score: np.ndarray, positive: np.ndarray) -> Pairs:
    """Pairs of the AUC of one class against the rest: (positive, negative)."""
    first, second = np.flatnonzero(positive), np.flatnonzero(~positive)
    return Pairs(
        first,
        second,
        _won(score[first], score[second]).astype(np.float32),
        np.ones((len(first), len(second)), np.float32),
    )


def ratio(won: np.ndarray, comparable: np.ndarray) -> np.ndarray:
    """Won / comparable, NaN where nothing is comparable."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(comparable > 0, won / comparable, np.nan)
