"""Random maps of whole groups (tissue source sites) to folds under constraints."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score


@dataclass(frozen=True)
class Wanted:
    """What every fold must hold.

    Attributes
    ----------
    counts : (groups, features) float
        Per group: patients, events of the first endpoint, then patients of each class of each label.
    least : (features,) float
        Lower bound of each column in a fold.
    most : float
        Upper bound of patients in a fold.
    """

    counts: np.ndarray
    least: np.ndarray
    most: float


def shortfall(folds: np.ndarray, wanted: Wanted, k: int) -> float:
    """How far a map is from the constraints; 0 where all hold.

    Parameters
    ----------
    folds : (groups,) int
        Fold of each group.
    wanted : Wanted
    k : int
        Number of folds.
    """
    totals = np.zeros((k, wanted.counts.shape[1]))
    np.add.at(totals, folds, wanted.counts)
    lack = np.maximum(wanted.least - totals, 0) / np.maximum(wanted.least, 1)
    surplus = np.maximum(totals[:, 0] - wanted.most, 0) / wanted.most
    return float(lack.sum() + surplus.sum())


def random_map(wanted: Wanted, k: int, rng: np.random.Generator, steps: int = 400) -> tuple[np.ndarray, float]:
    """One random map of groups to folds, mended by random moves and swaps until the constraints hold.

    Returns
    -------
    folds : (groups,) int
    left : float
        Remaining `shortfall`; 0 where the map is allowed.
    """
    groups = len(wanted.counts)
    folds = rng.permutation(np.arange(groups) % k)
    left = shortfall(folds, wanted, k)
    for _ in range(steps):
        if left == 0:
            break
        trial = folds.copy()
        if rng.random() < 0.5:
            trial[rng.integers(groups)] = rng.integers(k)
        else:
            a, b = rng.integers(groups, size=2)
            trial[a], trial[b] = trial[b], trial[a]
        moved = shortfall(trial, wanted, k)
        if moved <= left:
            folds, left = trial, moved
    return folds, left


def distinct_maps(
    wanted: Wanted, members: np.ndarray, k: int, repeats: int, max_ari: float, tries: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Several allowed maps that are truly different from each other.

    Parameters
    ----------
    wanted : Wanted
    members : (patients,) int
        Group of each patient: the adjusted Rand index is taken over patients.
    k, repeats, tries : int
    max_ari : float
        Largest adjusted Rand index with any earlier map.
    rng : Generator

    Returns
    -------
    list of (groups,) int

    Raises
    ------
    ValueError
        No allowed map, or no further different one, within `tries` starts.
    """
    accepted: list[np.ndarray] = []
    while len(accepted) < repeats:
        best, best_ari = np.inf, np.inf
        for _ in range(tries):
            folds, left = random_map(wanted, k, rng)
            best = min(best, left)
            if left > 0:
                continue
            ari = max((adjusted_rand_score(folds[members], old[members]) for old in accepted), default=-1.0)
            best_ari = min(best_ari, ari)
            if ari <= max_ari:
                accepted.append(folds)
                break
        else:
            if best > 0:
                patients, events, *classes = wanted.least
                each = f"{patients:.0f} patients, {events:.0f} events" + ", one of each class" * bool(sum(classes))
                raise ValueError(
                    f"no map of {len(wanted.counts)} groups to {k} folds gives each of them at least {each} (groups "
                    "are sites, and patients without a site together, or single patients); use fewer folds "
                    "(split.folds), a lower split.min_events, or split.group: patient"
                )
            raise ValueError(
                f"repeat {len(accepted)} would have an adjusted Rand index of {best_ari:.2f} with an earlier one "
                f"(split.max_ari {max_ari}); ask for fewer repeats"
            )
    return accepted
