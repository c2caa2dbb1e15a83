"""Figures about what a site may explain, and about what choosing the epoch on the test fold does."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.report.figures import COLOURS, kind_of


def site_figure(curves: pd.DataFrame, metrics: pd.DataFrame, task: str) -> Figure | None:
    """C over all pairs, within sites, without the largest site.

    The line is what the event rate of the own site alone scores.

    Parameters
    ----------
    curves, metrics : DataFrame
    task : str

    Returns
    -------
    Figure or None
        None where no site is known.
    """
    rows = curves[(curves["task"] == task) & curves["curve"].isin(["within-site", "without-largest-site"])]
    if rows.empty:
        return None
    arms = sorted(set(zip(rows["arm"], rows["inputs"], strict=True)))
    whole = metrics[
        (metrics["task"] == task)
        & (metrics["metric"] == "harrell_c")
        & (metrics["fold"] == -1)
        & (metrics["draw"] == 0)
    ]
    figure, axis = plt.subplots(figsize=(6.4, 0.34 * len(arms) + 1.2))
    series = [
        ("all pairs", whole, "o"),
        *(
            (c.replace("-", " "), rows[rows["curve"] == c], m)
            for c, m in (("within-site", "s"), ("without-largest-site", "^"))
        ),
    ]
    for shift, (label, table, marker) in zip((0.22, 0.0, -0.22), series, strict=True):
        for y, (arm, inputs) in enumerate(reversed(arms)):
            for row in table[(table["arm"] == arm) & (table["inputs"] == inputs)].to_dict("records"):
                colour = COLOURS[kind_of(arm, inputs)]
                axis.plot([row["low"], row["high"]], [y + shift] * 2, color=colour, lw=1)
                axis.plot(row["value"], y + shift, marker, color=colour, ms=4, mfc=colour if marker == "o" else "white")
        axis.plot([], [], marker, color="#555555", mfc="#555555" if marker == "o" else "white", label=label, ls="")
    rate = curves[(curves["task"] == task) & (curves["curve"] == "site-event-rate")]
    axis.axvline(0.5, color="#999999", lw=0.8, ls="--")
    if len(rate) and np.isfinite(rate["value"].iloc[0]):
        axis.axvline(rate["value"].iloc[0], color="#cc3311", lw=1, ls=":", label="event rate of the own site alone")
    axis.set_yticks(range(len(arms)), [f"{a} [{i}]" for a, i in reversed(arms)], fontsize=7)
    axis.set(xlabel="C-index", title=f"{task}: how much may be the site")
    axis.legend(
        frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12 - 0.9 / (len(arms) + 3)), ncol=2
    )
    figure.tight_layout()
    return figure


def leaky_figure(curves: pd.DataFrame) -> Figure | None:
    """C of a model of chance by number of epochs.

    It is shown at its best epoch on the test folds, and at the epoch that inner data choose.
    """
    rows = curves[curves["curve"] == "leaky-chance"]
    if rows.empty:
        return None
    figure, axis = plt.subplots(figsize=(4.6, 3.1))
    for arm, colour, label in (
        ("leaky-chance", "#cc3311", "best epoch on the test fold"),
        ("honest", "#0077bb", "epoch chosen on inner data"),
    ):
        part = rows[rows["arm"] == arm]
        for _, one in part.groupby("draw"):
            axis.plot(one["x"], one["value"], color=colour, lw=0.5, alpha=0.25)
        mean = part.groupby("x")["value"].mean()
        axis.plot(mean.index, mean, color=colour, lw=2, label=f"{label}: {mean.iloc[-1]:.3f}")
    axis.axhline(0.5, color="#999999", lw=0.8, ls="--")
    task, seeds = rows["task"].iloc[0], rows["draw"].nunique()
    axis.set(xlabel="epochs", ylabel="C-index, mean of folds", title=f"{task}: permuted outcomes, {seeds} seeds")
    axis.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    figure.tight_layout()
    return figure
