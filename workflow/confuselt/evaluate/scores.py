"""Pair statistics of an arm over folds, under every bootstrap draw."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from confuselt.evaluate.intervals import Interval, corrected_t, from_draws, widest
from confuselt.evaluate.resample import Resampling
from confuselt.finetune.targets import Targets
from confuselt.survival.concordance import Pairs, class_pairs, ratio, survival_pairs

# (repeat, fold) to patients x outputs.
FoldTables = dict[tuple[int, int], pd.DataFrame]


@dataclass(frozen=True)
class Block:
    """One number to report, with its draws.

    Attributes
    ----------
    value : float
        Over folds (pairs summed within folds, repeats averaged); NaN where nothing is comparable.
    patients : (draws,) float64
        The same under each draw of patients.
    sites : (draws,) float64 or None
        The same under each draw of sites; None where sites cannot be drawn.
    folds : list of dict
        ``repeat, fold, value, n, events`` per fold.
    n, events : int
        Patients (and events) in the first repeat of the table.
    """

    value: float
    patients: np.ndarray
    sites: np.ndarray | None
    folds: list[dict]
    n: int
    events: int

    def intervals(self) -> list[Interval | None]:
        """The three intervals."""
        return intervals_of(
            self.value, self.patients, self.sites, [f["value"] for f in self.folds], folds_per_repeat(self.folds)
        )

    def interval(self) -> Interval:
        """Widest of the three intervals."""
        return widest(self.intervals())

    def minus(self, other: "Block") -> "Block":
        """The paired difference, draw by draw and fold by fold; folds that one side lacks are left out."""
        theirs = {(f["repeat"], f["fold"]): f["value"] for f in other.folds}
        folds = [
            {**f, "value": f["value"] - theirs[f["repeat"], f["fold"]]}
            for f in self.folds
            if (f["repeat"], f["fold"]) in theirs
        ]
        sites = self.sites - other.sites if self.sites is not None and other.sites is not None else None
        return Block(self.value - other.value, self.patients - other.patients, sites, folds, self.n, self.events)


def folds_per_repeat(folds: list[dict]) -> int:
    """Folds of the largest repeat."""
    repeats = [f["repeat"] for f in folds]
    return max((repeats.count(r) for r in set(repeats)), default=0)


def intervals_of(
    value: float, patients: np.ndarray, sites: np.ndarray | None, folds: list[float], count: int
) -> list[Interval | None]:
    """Patient bootstrap, site bootstrap, corrected resampled t."""
    by_site = from_draws("site bootstrap", value, sites) if sites is not None else None
    return [
        from_draws("patient bootstrap", value, patients),
        by_site,
        corrected_t(value, np.array(folds, float), count),
    ]


def fold_tables(rows: pd.DataFrame) -> FoldTables:
    """Predictions of one arm, input pattern and task, fold by fold."""
    wide = rows.set_index(["repeat", "fold", "patient_id", "output"])["value"].unstack("output")
    return {key: part.droplevel([0, 1]) for key, part in wide.groupby(level=["repeat", "fold"])}


class Scorer:
    """Blocks of a run's arms, each made once.

    Parameters
    ----------
    predictions : DataFrame
        ``evaluate/predictions``.
    targets : Targets
        Outcomes of that run (permuted for a permuted control).
    resampling : Resampling
    """

    def __init__(self, predictions: pd.DataFrame, targets: Targets, resampling: Resampling) -> None:
        self.targets, self.resampling = targets, resampling
        self._rows = dict(list(predictions.groupby(["arm", "draw", "inputs", "task"], observed=True, sort=True)))
        self._tables: dict[tuple, FoldTables] = {}
        self._blocks: dict[tuple, Block] = {}
        self._comparable: dict[tuple, tuple] = {}

    def made(self) -> list[tuple[str, int, str, str]]:
        """(arm, draw, inputs, task) of all that was predicted."""
        return list(self._rows)

    def tables(self, arm: str, draw: int, inputs: str, task: str) -> FoldTables:
        """Predictions fold by fold; empty where there are none."""
        key = (arm, draw, inputs, task)
        if key not in self._tables:
            self._tables[key] = fold_tables(self._rows[key]) if key in self._rows else {}
        return self._tables[key]

    def patients(self, arm: str, draw: int, inputs: str, task: str) -> frozenset[str]:
        """Patients with a prediction in any fold."""
        rows = self._rows.get((arm, draw, inputs, task))
        return frozenset(rows["patient_id"]) if rows is not None else frozenset()

    def block(
        self,
        arm: str,
        draw: int,
        inputs: str,
        task: str,
        only: Mapping[tuple[int, int], frozenset[str]] | None = None,
        group: dict[str, str] | None = None,
    ) -> Block:
        """Harrell's C of an endpoint, macro AUC of a label.

        Parameters
        ----------
        arm, draw, inputs, task
        only : dict of (int, int) to frozenset of str, optional
            Patients that count in each fold: in a comparison, those that both sides score there. A fold without an
            entry is left out.
        group : dict of str to str, optional
            Only pairs within the same group count (survival).
        """
        tables = self.tables(arm, draw, inputs, task)
        if only is not None and all(k in only and only[k].issuperset(t.index) for k, t in tables.items()):
            only = None
        key = (arm, draw, inputs, task, None if only is None else frozenset(only.items()), group is not None)
        if key not in self._blocks:
            chosen = tables if only is None else {k: t[t.index.isin(only[k])] for k, t in tables.items() if k in only}
            fold = self._fold(task, group)
            self._blocks[key] = score_folds(chosen, fold, self.resampling, self._comparable, (task, group is not None))
        return self._blocks[key]

    def part(self, tables: FoldTables, task: str, comparable: dict) -> Block:
        """The same of some patients, whose pairs are kept in `comparable` and not here."""
        return score_folds(tables, self._fold(task), self.resampling, comparable, (task,))

    def _fold(self, task: str, group: dict[str, str] | None = None) -> Callable:
        """See `survival_fold`; of a label the same, with a part per class."""
        return self.survival_fold(task, group) if task in self.targets.survival else self._label(task)

    def survival_fold(self, task: str, group: dict[str, str] | None = None) -> Callable:
        """Function from the table of a fold to (patients, pairs, events) of an endpoint."""

        def fold(table: pd.DataFrame) -> tuple[list[str], list[Pairs], int]:
            known = self.targets.take(list(table.index))
            days, event = known.survival[task]
            use = np.isfinite(days)
            patients = [p for p, u in zip(known.patients, use, strict=True) if u]
            risk = table["risk"].reindex(patients).to_numpy()
            codes = (
                np.unique([group[p] for p in patients], return_inverse=True)[1]
                if group is not None and patients
                else None
            )
            return patients, [survival_pairs(risk, days[use], event[use], group=codes)], int(event[use].sum())

        return fold

    def _label(self, task: str) -> Callable:
        classes = self.targets.classes[task]

        def fold(table: pd.DataFrame) -> tuple[list[str], list[Pairs], int]:
            known = self.targets.take(list(table.index))
            use = known.labels[task] >= 0
            patients = [p for p, u in zip(known.patients, use, strict=True) if u]
            label, shares = known.labels[task][use], table.reindex(patients)
            return patients, [class_pairs(shares[f"p_{c}"].to_numpy(), label == k) for k, c in enumerate(classes)], 0

        return fold


def score_folds(
    tables: FoldTables, fold_of: Callable, resampling: Resampling, comparable: dict, shared: tuple
) -> Block:
    """Sum won and comparable pairs within the folds of a repeat, average parts (classes) and repeats.

    Parameters
    ----------
    tables : dict
    fold_of : callable
        Table of a fold to (patients, list of Pairs, events).
    resampling : Resampling
    comparable : dict
        Weighted comparable pairs by `shared`, fold and patients: they are the same for every arm.
    shared : tuple
    """
    sums: dict[int, np.ndarray] = {}
    rows, n, events = [], 0, 0
    for (repeat, fold), table in sorted(tables.items()):
        patients, pairs, happened = fold_of(table)
        key = (shared, repeat, fold, tuple(patients))
        if key not in comparable:
            comparable[key] = _totals(pairs, patients, resampling, "comparable")
        totals = np.stack([_totals(pairs, patients, resampling, "won"), comparable[key]])
        single = ratio(*totals[:, :, 0])
        rows.append({"repeat": repeat, "fold": fold, "value": _mean(single), "n": len(patients), "events": happened})
        sums[repeat] = sums.get(repeat, 0) + totals
        if repeat == min(sums):
            n, events = n + len(patients), events + happened
    if not sums:
        empty = np.full(resampling.draws, np.nan)
        return Block(np.nan, empty, empty if resampling.sites else None, [], 0, 0)
    parts = np.array([ratio(*totals) for totals in sums.values()])
    seen = np.isfinite(parts)
    with np.errstate(invalid="ignore"):
        whole = np.where(seen, parts, 0).sum((0, 1)) / seen.sum((0, 1))
    draws = resampling.draws
    return Block(
        float(whole[0]), whole[1 : 1 + draws], whole[1 + draws :] if resampling.sites else None, rows, n, events
    )


def _totals(pairs: list[Pairs], patients: list[str], resampling: Resampling, of: str) -> np.ndarray:
    """Sums of each part (class) under the sample, the patient draws, then the site draws.

    Their shape is (parts, 1 + draws (+ draws)).
    """
    weights = resampling.patients(patients)
    found = [[p.total(weights, of)] for p in pairs]
    if resampling.sites:
        group, by_site = resampling.of_sites(patients)
        for part, p in zip(found, pairs, strict=True):
            part.append(p.by_group(group, by_site.shape[1]).total(by_site[1:], of))
    return np.array([np.concatenate(part) for part in found])


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else np.nan
