"""The cohort at a glance: who has what, where they come from, what was left out and why."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.acquire.plausible import contradictions, odd_endpoint

MOST = 14  # combinations that are drawn
# Two endpoints whose times differ by one factor in this share of censored patients are one clock in two units.
SHARE, TOLERANCE, FEWEST = 0.9, 0.01, 10


def left(patients: pd.DataFrame, owners: list[str], samples: pd.DataFrame) -> pd.DataFrame:
    """``acquire/patients`` with the slides and RNA that every stage has left, in place of what `acquire` saw.

    Parameters
    ----------
    patients : DataFrame
    owners : list of str
        Patient of each slide in the training store.
    samples : DataFrame
        ``rna/index``.
    """
    usable = samples.loc[samples["status"] == "ok", "patient_id"]
    counts = {
        name: patients["patient_id"].map(pd.Series(ids, dtype=object).value_counts())
        for name, ids in (("slides", owners), ("rna", usable))
    }
    return patients.assign(**{name: n.fillna(0).astype(int) for name, n in counts.items()})


def owned(patients: pd.DataFrame, tasks: list[str]) -> pd.DataFrame:
    """Per patient: slides, RNA and each task, as booleans."""
    table = pd.DataFrame({"slides": patients["slides"] > 0, "RNA": patients["rna"] > 0})
    for task in tasks:
        table[task] = patients[f"has_{task}"].astype(bool)
    return table


def intersections(patients: pd.DataFrame, tasks: list[str]) -> pd.DataFrame:
    """How many patients have each combination of these: the data behind `intersection_figure`, largest first."""
    return owned(patients[patients["status"] == "ok"], tasks).value_counts().rename("patients").reset_index()


def intersection_figure(patients: pd.DataFrame, tasks: list[str]) -> Figure | None:
    """How many patients have each combination of slides, RNA, labels and follow-up (an UpSet plot, Lex et al. 2014).

    Parameters
    ----------
    patients : DataFrame
        See `left`; excluded ones are not drawn.
    tasks : list of str
        Endpoints and labels.
    """
    table = owned(patients[patients["status"] == "ok"], tasks)
    if table.empty:
        return None
    counts = table.value_counts().head(MOST)
    sizes = table.sum()
    figure, (bars, dots) = plt.subplots(
        2,
        1,
        figsize=(2.4 + 0.42 * len(counts), 1.7 + 0.2 * len(sizes)),
        height_ratios=[1.6, max(0.8, 0.2 * len(sizes))],
        gridspec_kw={"hspace": 0.05},
    )
    at = np.arange(len(counts))
    bars.bar(at, counts.to_numpy(), color="#3b5b92")
    for x, n in zip(at, counts, strict=True):
        bars.text(x, n, str(n), ha="center", va="bottom", fontsize=7)
    bars.set_ylabel("patients")
    bars.set_xticks([])
    bars.margins(y=0.15)
    for row in range(len(sizes)):
        has = np.array([combination[row] for combination in counts.index])
        dots.scatter(at, np.full(len(at), row), color=["#222222" if h else "#dddddd" for h in has], s=28, zorder=2)
    for x, combination in zip(at, counts.index, strict=True):
        rows = np.flatnonzero(combination)
        if len(rows):
            dots.plot([x, x], [rows.min(), rows.max()], color="#222222", lw=1, zorder=1)
    dots.set_yticks(range(len(sizes)), [f"{name} ({n})" for name, n in sizes.items()], fontsize=7)
    dots.set_xticks([])
    dots.invert_yaxis()
    dots.set_xlim(bars.get_xlim())
    dots.spines[:].set_visible(False)
    return figure


def sites_figure(patients: pd.DataFrame, outcomes: pd.DataFrame, endpoints: list[str]) -> Figure | None:
    """Patients of every site, and events of each endpoint there."""
    people = patients[(patients["status"] == "ok") & patients["site"].notna()]
    if people.empty:
        return None
    facts = outcomes.set_index("patient_id").reindex(people["patient_id"])
    sizes = people["site"].value_counts()
    figure, ax = plt.subplots(figsize=(max(4.0, 1.5 + 0.22 * len(sizes)), 2.4))
    width = 0.8 / (1 + len(endpoints))
    at = np.arange(len(sizes))
    ax.bar(at, sizes.to_numpy(), width, color="#bbbbbb", label="patients", align="edge")
    for i, endpoint in enumerate(endpoints, 1):
        events = facts.groupby(people["site"].to_numpy())[f"{endpoint}_event"].sum().reindex(sizes.index)
        ax.bar(at + i * width, events.to_numpy(), width, label=f"{endpoint} events", align="edge")
    ax.set_xticks(at + 0.4, sizes.index, rotation=90, fontsize=6)
    ax.legend(fontsize=7, frameon=False, ncols=1 + len(endpoints), loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def reason_counts(exclusions: list[dict]) -> list[dict]:
    """How often each reason stands, ids, numbers and paths taken out of it; the most frequent first."""
    plain = Counter((e["stage"], e["what"], plain_reason(str(e["reason"]))) for e in exclusions)
    return [
        {"stage": stage, "what": what, "reason": reason, "n": n} for (stage, what, reason), n in plain.most_common()
    ]


def plain_reason(reason: str) -> str:
    """A reason without what differs from row to row."""
    text = re.sub(r"'[^']*'(, '[^']*')*", "…", reason)
    text = re.sub(r"\S*/\S+|\S*\d\S*", "…", text)
    return re.sub(r"…(\W*…)+", "…", text)


def one_clock(outcomes: pd.DataFrame, endpoints: list[str]) -> list[str]:
    """Warnings for pairs of endpoints whose times differ by a constant factor in censored patients: units are mixed up.

    A patient who is censored for two endpoints was last seen once, so the two times should be equal.
    """
    said = []
    for a, b in combinations(endpoints, 2):
        both = outcomes[
            (outcomes[f"{a}_event"] == 0)
            & (outcomes[f"{b}_event"] == 0)
            & (outcomes[f"{a}_days"] > 0)
            & (outcomes[f"{b}_days"] > 0)
        ]
        if len(both) < FEWEST:
            continue
        ratios = both[f"{a}_days"] / both[f"{b}_days"]
        factor = float(ratios.median())
        same = float(((ratios / factor - 1).abs() <= TOLERANCE).mean())
        if same >= SHARE and abs(factor - 1) > TOLERANCE:
            said.append(
                f"{a} and {b}: in {same:.0%} of the {len(both)} patients censored for both, "
                f"{a} is {factor:.4g} times {b}. Check unit and factor in tasks.survival."
            )
    return said


def odd_outcomes(outcomes: pd.DataFrame, tasks: list[dict]) -> list[str]:
    """Warnings for endpoints that can hardly be what they are called; see `acquire.plausible`.

    Parameters
    ----------
    outcomes : DataFrame
        ``acquire/outcomes``.
    tasks : list of dict
        ``tasks.survival``.
    """
    times = {
        t["name"]: tuple(outcomes[f"{t['name']}_{part}"].to_numpy(float) for part in ("days", "event")) for t in tasks
    }
    said = [line for t in tasks for line in odd_endpoint(t["name"], *times[t["name"]], t["horizons"])]
    return said + contradictions(times)


def unseen_levels(covariates: pd.DataFrame, folds: pd.DataFrame) -> list[str]:
    """Warnings for levels of a covariate that no training patient of a fold has.

    They count as missing in the clinical baseline.

    Parameters
    ----------
    covariates : DataFrame
        ``acquire/covariates``.
    folds : DataFrame
        ``split/folds``.
    """
    said = []
    for name in (c for c in covariates.columns if c.startswith("covariate_")):
        column = covariates.set_index("patient_id")[name].dropna()
        if pd.to_numeric(column, errors="coerce").notna().all():
            continue
        patients, levels = set(), set()
        for _, fold in folds[folds["patient_id"].isin(column.index)].groupby(["repeat", "fold"]):
            value = column.loc[fold["patient_id"]]
            unseen = ~value.isin(set(value[(fold["role"] == "train").to_numpy()]))
            patients, levels = patients | set(value.index[unseen]), levels | set(value[unseen])
        if levels:
            names = ", ".join(repr(level) for level in sorted(levels))
            said.append(
                f"Covariate {name.removeprefix('covariate_')}: "
                f"{names} of {len(patients)} patients stands in no training patient of some fold; "
                "the clinical baseline takes it as missing there."
            )
    return said


def how_joined(store: Path) -> list[str]:
    """A warning where tiles and cells are joined by nothing but the number of the row.

    There is a line too where their coordinates have other units, and where tiles have no cells.
    """
    with h5py.File(store) as file:
        slides, factors, without = (json.loads(file.attrs[k]) for k in ("by_number", "factors", "without_cells"))
    said = []
    if lost := sum(without.values()):
        said.append(f"{lost} tiles of {len(without)} slides are left out, because nothing is known of their cells.")
    if slides:
        said.append(
            f"Tiles and cells of {len(slides)} slides are joined by row number only, "
            f"because a bag of theirs states no coordinates (first {slides[0]}): "
            "if the two were written in different orders, every result with cells is void."
        )
    if factors:
        low, high = min(factors.values()), max(factors.values())
        told = f"{low:.4g}" if high - low < 1e-3 * high else f"{low:.4g} to {high:.4g}"
        said.append(
            f"Coordinates of cells are {told} times those of the tiles in {len(factors)} slides (µm against pixels); "
            "they were joined by place."
        )
    return said
