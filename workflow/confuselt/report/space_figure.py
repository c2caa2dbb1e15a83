"""The joint space of slides and RNA as a picture, and how its neighbours agree."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.evaluate.space import SIDES

SHOWN = 7  # values of a group with a colour of their own; the others are grey
MARKS = {"wsi": ("o", "slide"), "rna": ("^", "RNA")}
GREY = "#bbbbbb"
# Paul Tol's bright scheme: told apart by the colour-blind.
PALETTE = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#222255")


def space_figure(space: pd.DataFrame, groups: dict[str, pd.Series]) -> Figure | None:
    """A panel per group: both modalities of every patient, joined by a line.

    Parameters
    ----------
    space : DataFrame
        ``evaluate/space``.
    groups : dict of str to Series
        What patients are coloured by: value by patient id.
    """
    if space.empty:
        return None
    groups = {name: values for name, values in groups.items() if values.reindex(space["patient_id"]).notna().any()}
    columns = max(1, len(groups))
    figure, axes = plt.subplots(1, columns, figsize=(3.6 * columns, 4.2), squeeze=False, layout="constrained")
    points = {side: space[space["modality"] == side].set_index("patient_id") for side in SIDES}
    joined = [points[side][["x", "y"]].to_numpy() for side in SIDES]
    for axis, (name, values) in zip(axes[0], (groups or {"": pd.Series(dtype=object)}).items(), strict=True):
        for a, b in zip(*joined, strict=True):
            axis.plot([a[0], b[0]], [a[1], b[1]], color=GREY, lw=0.4, alpha=0.6, zorder=1)
        known = values.reindex(points["wsi"].index)
        kept = list(known.value_counts().index[:SHOWN])
        colours = [PALETTE[kept.index(v)] if v in kept else GREY for v in known]
        for side, (mark, _) in MARKS.items():
            axis.scatter(points[side]["x"], points[side]["y"], c=colours, marker=mark, s=28, lw=0, zorder=2)
        for value, colour in zip(kept, PALETTE, strict=False):
            axis.plot([], [], "s", color=colour, label=str(value), ms=5)
        if not known.isin(kept).all():
            axis.plot([], [], "s", color=GREY, label="others", ms=5)
        axis.set_title(name, fontsize=9, loc="left")
        axis.set(xticks=[], yticks=[])
        axis.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, 0), ncol=2)
    for mark, said in MARKS.values():
        axes[0, 0].plot([], [], mark, color=GREY, label=said, ms=5)
    axes[0, 0].legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, 0), ncol=2)
    return figure


def neighbours_agree(space: pd.DataFrame, values: pd.Series) -> dict[str, float] | None:
    """How often a patient and the nearest other one in the other modality have the same value, beside chance.

    Returns
    -------
    dict or None
        ``share`` of both directions together; ``chance``, the share of all pairs of patients that agree; ``n``. None
        where fewer than two patients have a value.
    """
    known = values.dropna()
    nearest = space["nearest_1"]
    use = space["patient_id"].isin(known.index) & nearest.isin(known.index)
    own = known.reindex(space.loc[use, "patient_id"]).to_numpy()
    counts = known.reindex(space["patient_id"].unique()).value_counts().to_numpy()
    n = counts.sum()
    if n < 2 or not use.any():
        return None
    chance = float((counts * (counts - 1)).sum() / (n * (n - 1)))
    return {"share": float(np.mean(own == known.reindex(nearest[use]).to_numpy())), "chance": chance, "n": int(n)}
