"""Permuted outcomes."""

import numpy as np
import pandas as pd


def outcome_columns(cfg: dict) -> list[str]:
    """Columns of ``acquire/outcomes`` that the tasks name: days and event of each endpoint, and each label."""
    endpoints = [f"{t['name']}_{part}" for t in cfg["tasks.survival"] for part in ("days", "event")]
    return endpoints + [f"label_{t['name']}" for t in cfg["tasks.labels"]]


def permute(table: pd.DataFrame, outcomes: list[str], within_site: bool, seed: tuple[int, ...]) -> pd.DataFrame:
    """Deal the outcomes (all endpoints and labels of a patient together) out anew.

    Parameters
    ----------
    table : DataFrame
        ``acquire/outcomes``; only usable patients take part.
    outcomes : list of str
        Columns that are dealt out.
    within_site : bool
        Patients swap with patients of their own site only.
    seed : tuple of int

    Returns
    -------
    DataFrame
        Same rows; the site stays with the patient.
    """
    rng = np.random.default_rng([*seed, 5])
    order = np.arange(len(table))
    usable = np.flatnonzero(table["status"] == "ok")
    groups = table["site"].fillna("no site").to_numpy()[usable] if within_site else np.zeros(len(usable))
    for group in np.unique(groups):
        members = usable[groups == group]
        order[members] = rng.permutation(members)
    out = table.copy()
    out[outcomes] = table[outcomes].to_numpy(object)[order]
    return out.astype({c: table[c].dtype for c in outcomes})
