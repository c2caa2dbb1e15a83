"""Outcomes of patients as arrays, and which tasks a training set can support."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd


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
    missing : dict of str to str
        Tasks that are not available, with the reason.
    """

    patients: list[str]
    survival: dict[str, tuple[np.ndarray, np.ndarray]]
    labels: dict[str, np.ndarray]
    classes: dict[str, list[str]]
    horizons: dict[str, list[int]]
    missing: dict[str, str] = field(default_factory=dict)

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
            self.missing,
        )


def read_targets(clinical: pd.DataFrame, cfg: dict) -> Targets:
    """Outcomes of the usable patients of ``acquire/clinical``.

    A task without events, or with fewer than two classes among the patients, is not available.
    Classes that nobody has are left out of a label.
    """
    clinical = clinical[clinical["status"] == "ok"]
    survival, labels, classes, horizons, missing = {}, {}, {}, {}, {}
    for task in cfg["tasks.survival"]:
        name = task["name"]
        days, event = (clinical[f"{name}_{c}"].to_numpy(float) for c in ("days", "event"))
        if np.isnan(days).all():
            missing[name] = "no patient has a time and an event status"
        elif np.nansum(event) == 0:
            missing[name] = f"no events among {int(np.isfinite(days).sum())} patients"
        else:
            survival[name], horizons[name] = (days, event), task["horizons"]
    for task in cfg["tasks.labels"]:
        name = task["name"]
        values = clinical[f"label_{name}"]
        present = [c for c in task["classes"] if (values == c).any()]
        if len(present) < 2:
            missing[name] = "no patient has a class" if not present else f"one class only ({present[0]})"
            continue
        classes[name] = present
        labels[name] = np.array([present.index(v) if isinstance(v, str) else -1 for v in values], int)
    return Targets(list(clinical["patient_id"]), survival, labels, classes, horizons, missing)
