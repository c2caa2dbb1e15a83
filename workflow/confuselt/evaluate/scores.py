"""What is scored: one block per arm, inputs, task, metric, as per-fold pair statistics over bootstrap draws."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from confuselt.evaluate.pairs import class_pairs, ratio, survival_pairs
from confuselt.finetune.targets import Targets


@dataclass(frozen=True)
class Block:
    """One number to report, with its draws.

    Attributes
    ----------
    value : float
        Over folds (pairs summed within folds, repeats averaged); NaN where nothing is comparable.
    draws : (draws,) float64
        The same under each bootstrap draw.
    folds : list of dict
        ``repeat, fold, value, n, events`` per fold.
    n, events : int
        Patients (and events) in the first repeat of the table.
    """

    value: float
    draws: np.ndarray
    folds: list[dict]
    n: int
    events: int


class Bootstrap:
    """Paired patient bootstrap within fold.

    A patient has one weight per draw, for every arm and every repeat: repeats split the same patients again and
    bring no new ones. Draws are within the test folds of the first repeat.

    Parameters
    ----------
    folds : list of list of str
        Test patients of each fold of the first repeat.
    draws : int
    seed : int
    """

    def __init__(self, folds: list[list[str]], draws: int, seed: int) -> None:
        self.draws = draws
        rng, drawn = np.random.default_rng([seed, 17]), [np.zeros((draws, 0))]
        drawn += [rng.multinomial(len(f), np.full(len(f), 1 / len(f)), size=draws) for f in folds if f]
        self._at = {p: i for i, p in enumerate(p for f in folds for p in f)}
        # Row 0 is the sample itself.
        self._drawn = np.vstack([np.ones(len(self._at)), np.hstack(drawn)]).astype(np.float32)

    def weights(self, patients: list[str]) -> np.ndarray:
        """Weights of some patients, (1 + draws, len(patients))."""
        return self._drawn[:, [self._at[p] for p in patients]]


def wide(predictions: pd.DataFrame, task: str) -> dict[tuple[int, int], pd.DataFrame]:
    """Predictions of one arm and input pattern for a task: (repeat, fold) to patients x outputs."""
    rows = predictions[predictions["task"] == task]
    return {key: part.pivot(index="patient_id", columns="output", values="value") for key, part in rows.groupby(["repeat", "fold"])}


def score_survival(tables: dict[tuple[int, int], pd.DataFrame], targets: Targets, task: str, bootstrap: Bootstrap, only: set[str] | None = None) -> Block:
    """Harrell's C of a task.

    Parameters
    ----------
    tables : dict
        From `wide`, with column ``risk``.
    only : set of str, optional
        Patients that count: in a comparison, those that both sides can score.
    """

    def fold(table: pd.DataFrame) -> tuple[list[str], list, int]:
        known = targets.take([p for p in table.index if only is None or p in only])
        days, event = known.survival[task]
        use = np.isfinite(days)
        patients = [p for p, u in zip(known.patients, use, strict=True) if u]
        pairs = [survival_pairs(table.loc[patients, "risk"].to_numpy(), days[use], event[use])]
        return patients, pairs, int(event[use].sum())

    return _score(tables, fold, bootstrap)


def score_label(tables: dict[tuple[int, int], pd.DataFrame], targets: Targets, task: str, bootstrap: Bootstrap, only: set[str] | None = None) -> Block:
    """Macro AUC, one class against the rest; a class without members over all folds is left out."""
    classes = targets.classes[task]

    def fold(table: pd.DataFrame) -> tuple[list[str], list, int]:
        known = targets.take([p for p in table.index if only is None or p in only])
        use = known.labels[task] >= 0
        patients = [p for p, u in zip(known.patients, use, strict=True) if u]
        label = known.labels[task][use]
        return patients, [class_pairs(table.loc[patients, f"p_{c}"].to_numpy(), label == k) for k, c in enumerate(classes)], 0

    return _score(tables, fold, bootstrap)


def _score(tables: dict, fold_of, bootstrap: Bootstrap) -> Block:  # noqa: ANN001
    """Sum won and comparable pairs within the folds of a repeat, average parts (classes) and repeats."""
    sums: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    rows, n, events = [], 0, 0
    for (repeat, fold), table in sorted(tables.items()):
        patients, pairs, happened = fold_of(table)
        totals = [p.total(bootstrap.weights(patients)) for p in pairs]
        with np.errstate(invalid="ignore"):
            single = np.array([ratio(*t)[0] for t in totals])
        rows.append(
            {
                "repeat": repeat,
                "fold": fold,
                "value": float(np.nanmean(single)) if np.isfinite(single).any() else np.nan,
                "n": len(patients),
                "events": happened,
            }
        )
        old = sums.get(repeat)
        sums[repeat] = totals if old is None else [(a + c, b + d) for (a, b), (c, d) in zip(old, totals, strict=True)]
        if repeat == min(sums):
            n, events = n + len(patients), events + happened
    if not sums:
        return Block(np.nan, np.full(bootstrap.draws, np.nan), [], 0, 0)
    parts = np.array([[ratio(*t) for t in totals] for totals in sums.values()])
    seen = np.isfinite(parts).any(2)
    weight = np.where(seen, 1.0, 0.0)[..., None]
    whole = (np.nan_to_num(parts) * weight).sum((0, 1)) / np.maximum((weight * np.isfinite(parts)).sum((0, 1)), 1e-12)
    whole = np.where((weight * np.isfinite(parts)).sum((0, 1)) > 0, whole, np.nan)
    return Block(float(whole[0]), whole[1:], rows, n, events)


def interval(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval; NaN where there is no finite draw."""
    finite = draws[np.isfinite(draws)]
    if len(finite) < 10:
        return np.nan, np.nan
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
