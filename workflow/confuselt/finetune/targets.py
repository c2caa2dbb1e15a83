"""Outcomes of patients as arrays, and which tasks they can teach."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd


def curve_days(horizons: list[int]) -> list[int]:
    """Days at which a survival curve is kept.

    The horizons, and every fifth of the longest, so that a Brier score can be integrated.
    """
    return sorted({*horizons, *(round(max(horizons) * k / 5) for k in range(1, 6))})


@dataclass(frozen=True)
class Targets:
    """Outcomes in the order of `patients`.

    Attributes
    ----------
    patients : list of str
    survival : dict of str to ((n,), (n,)) float64
        Days and event per endpoint; NaN where unknown.
    labels : dict of str to (n,) int64
        Class position per label; -1 where unknown.
    classes : dict of str to list of str
    horizons : dict of str to list of int
    """

    patients: list[str]
    survival: dict[str, tuple[np.ndarray, np.ndarray]]
    labels: dict[str, np.ndarray]
    classes: dict[str, list[str]]
    horizons: dict[str, list[int]]

    def take(self, patients: list[str]) -> "Targets":
        """Outcomes of some patients, in their order."""
        at = {p: i for i, p in enumerate(self.patients)}
        rows = np.array([at[p] for p in patients], int)
        return Targets(
            list(patients),
            {t: (d[rows], e[rows]) for t, (d, e) in self.survival.items()},
            {t: y[rows] for t, y in self.labels.items()},
            self.classes,
            self.horizons,
        )

    def only(self, tasks: Collection[str]) -> "Targets":
        """Outcomes of some tasks."""
        survival, labels = ({t: v for t, v in of.items() if t in tasks} for of in (self.survival, self.labels))
        return Targets(
            self.patients,
            survival,
            labels,
            {t: self.classes[t] for t in labels},
            {t: self.horizons[t] for t in survival},
        )

    def learnable(self, patients: list[str]) -> tuple["Targets", dict[str, str]]:
        """The tasks that some patients can teach (outcomes of everybody), and why they cannot teach the others."""
        lost = self.take(patients).not_learnable()
        return self.only({*self.survival, *self.labels} - set(lost)), lost

    def not_learnable(self) -> dict[str, str]:
        """Tasks that these patients cannot teach (no event, fewer than two classes), with the reason.

        Asked of a fold's training patients, never of the cohort: what a model predicts must not depend on who is
        tested.
        """
        reasons = {}
        for task, (days, event) in self.survival.items():
            known = np.isfinite(days)
            if event[known].sum() == 0:
                reasons[task] = (
                    f"no events among {int(known.sum())} patients"
                    if known.any()
                    else "no patient has a time and an event status"
                )
        for task, label in self.labels.items():
            present = np.unique(label[label >= 0])
            if len(present) < 2:
                reasons[task] = (
                    f"one class only ({self.classes[task][present[0]]})" if len(present) else "no patient has a class"
                )
        return reasons


def read_targets(clinical: pd.DataFrame, cfg: dict) -> Targets:
    """Outcomes of the usable patients of ``acquire/outcomes``, for every task and class of the config."""
    clinical = clinical[clinical["status"] == "ok"]
    survival = {
        t["name"]: tuple(clinical[f"{t['name']}_{c}"].to_numpy(float) for c in ("days", "event"))
        for t in cfg["tasks.survival"]
    }
    classes = {t["name"]: list(t["classes"]) for t in cfg["tasks.labels"]}
    labels = {
        name: np.array([names.index(v) if v in names else -1 for v in clinical[f"label_{name}"]], int)
        for name, names in classes.items()
    }
    return Targets(
        list(clinical["patient_id"]),
        survival,
        labels,
        classes,
        {t["name"]: t["horizons"] for t in cfg["tasks.survival"]},
    )
