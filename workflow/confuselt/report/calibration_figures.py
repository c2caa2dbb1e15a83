"""Figures of calibration, competing risks and clinical use."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from lifelines import AalenJohansenFitter
from matplotlib.figure import Figure


def reliability_figure(curves: pd.DataFrame, arm: str) -> Figure | None:
    """Predicted against observed shares of one arm, a panel per task."""
    rows = curves[(curves["curve"] == "reliability") & (curves["arm"] == arm)]
    if rows.empty:
        return None
    tasks = sorted(set(rows["task"]))
    figure, axes = plt.subplots(1, len(tasks), figsize=(2.7 * len(tasks), 2.9), squeeze=False)
    for axis, task in zip(axes[0], tasks, strict=True):
        axis.plot([0, 1], [0, 1], color="#999999", lw=0.8, ls="--")
        for metric, line in rows[rows["task"] == task].groupby("metric"):
            line = line.sort_values("x")
            label = (
                metric.removeprefix("p_")
                if metric.startswith("p_")
                else f"event by {int(metric.removeprefix('surv_')) / 365:.3g} y"
            )
            errors = np.maximum([line["value"] - line["low"], line["high"] - line["value"]], 0)
            axis.errorbar(line["x"], line["value"], yerr=errors, marker="o", ms=3, lw=1, capsize=1.5, label=label)
        top = min(1.0, 1.05 * rows.loc[rows["task"] == task, ["x", "value", "high"]].max().max())
        axis.set(xlabel="predicted", title=task, xlim=(0, top), ylim=(0, top))
        axis.legend(frameon=False, fontsize=6)
    axes[0][0].set_ylabel("observed")
    figure.suptitle(arm, fontsize=9)
    figure.tight_layout()
    return figure


def net_benefit_figure(curves: pd.DataFrame, task: str) -> Figure | None:
    """Decision curve: clinical covariates with and without an arm, and treating all or none."""
    rows = curves[(curves["curve"] == "net-benefit") & (curves["task"] == task)]
    if rows.empty:
        return None
    figure, axis = plt.subplots(figsize=(4.6, 3.1))
    for arm, line in rows.groupby("arm"):
        line = line.drop_duplicates("x").sort_values("x")
        axis.plot(
            line["x"], line["value"], label=arm, **({"color": "#999999", "ls": "--"} if arm == "treat all" else {})
        )
    axis.axhline(0, color="k", lw=0.8, ls=":", label="treat none")
    top = rows.loc[rows["arm"] != "treat all", "value"].max()
    axis.set(
        xlabel="threshold",
        ylabel="net benefit",
        title=f"{task}: decision curve at the longest horizon",
        ylim=(-0.3 * max(top, 0.05), 1.2 * max(top, 0.05)),
    )
    axis.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncol=2)
    figure.tight_layout()
    return figure


def incidence_figure(
    risk: pd.Series, high: np.ndarray, outcomes: pd.DataFrame, task: str, other: str, title: str
) -> Figure | None:
    """Cumulative incidence (Aalen-Johansen) of an endpoint and of its competing events.

    It is drawn above and below the training median.

    Parameters
    ----------
    risk : Series
        Risk by patient, of test patients.
    high : (n,) bool
        Above the training median of the fold's model.
    outcomes : DataFrame
        ``acquire/outcomes``.
    task, other : str
        Endpoint, and the one whose further events compete.
    title : str
    """
    facts = outcomes.set_index("patient_id").loc[risk.index]
    days = facts[f"{task}_days"].to_numpy(float)
    own, rival = (facts[f"{t}_event"].fillna(0).to_numpy(float) == 1 for t in (task, other))
    kind = np.where(own, 1, np.where(rival, 2, 0))
    known = np.isfinite(days)
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 2.9), sharey=True)
    for axis, cause, name in zip(axes, (1, 2), (task, f"competing ({other} without {task})"), strict=True):
        for label, group, colour in (
            ("above training median", high & known, "#cc3311"),
            ("below", ~high & known, "#0077bb"),
        ):
            if not (kind[group] == cause).any():
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # lifelines says that it moves tied times apart by a hair
                fitted = AalenJohansenFitter(seed=0, calculate_variance=False).fit(
                    days[group] / 365.25, kind[group], event_of_interest=cause
                )
            curve = fitted.cumulative_density_.iloc[:, 0]
            axis.step(
                curve.index,
                curve,
                where="post",
                color=colour,
                label=f"{label} (n={group.sum()}, {int((kind[group] == cause).sum())} events)",
            )
        axis.set(xlabel="years", title=name)
        axis.legend(frameon=False, fontsize=6)
    axes[0].set_ylabel("cumulative incidence")
    figure.suptitle(title, fontsize=9)
    figure.tight_layout()
    return figure
