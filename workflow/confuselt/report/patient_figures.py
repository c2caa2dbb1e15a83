"""What models say of one patient, as figures."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.acquire.units import DAYS_PER
from confuselt.report.figures import COLOURS

STYLES = ("-", "--", ":", "-.")


def survival_figure(own: pd.DataFrame, outcome: pd.Series, task: str) -> Figure | None:
    """Predicted probability to be without the event by time, a line per arm and input; what happened, as a mark.

    Parameters
    ----------
    own : DataFrame
        ``evaluate/predictions`` of the patient.
    outcome : Series
        Their row of ``acquire/outcomes``.
    task : str
    """
    rows = own[(own["task"] == task) & own["output"].str.startswith("surv_")]
    if rows.empty:
        return None
    mean = rows.groupby(["arm", "inputs", "output"])["value"].mean()
    figure, axis = plt.subplots(figsize=(6.2, 3.4), layout="constrained")
    count: dict[str, int] = {}
    for (arm, inputs), part in mean.groupby(["arm", "inputs"]):
        days = np.array([int(name.removeprefix("surv_")) for name in part.index.get_level_values("output")])
        order, drawn = np.argsort(days), count.setdefault(inputs, 0)
        count[inputs] += 1
        axis.plot(
            np.r_[0, days[order]] / DAYS_PER["years"],
            np.r_[1, part.to_numpy()[order]],
            STYLES[drawn % len(STYLES)],
            color=COLOURS.get(inputs, COLOURS["baseline"]),
            label=f"{arm} [{inputs}]",
        )
    last = axis.get_lines()[0].get_xdata()[-1]
    at, event = outcome[f"{task}_days"] / DAYS_PER["years"], outcome[f"{task}_event"] == 1
    if np.isfinite(at):
        said = f"{'event' if event else 'no event'} after {at:.1f} years"
        place = {"x": min(at, last), "clip_on": False}
        axis.scatter(
            **place, y=0, marker="v" if at <= last else ">", color="#cc3311" if event else "#888888", label=said
        )
    axis.set(xlabel="years", ylabel=f"without event of {task}", xlim=(0, last), ylim=(0, 1.02))
    axis.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def classes_figure(own: pd.DataFrame, labels: list[str]) -> Figure | None:
    """Probabilities of the classes of each label, a bar per arm and input, mean over repeats."""
    rows = own[own["task"].isin(labels) & own["output"].str.startswith("p_")]
    if rows.empty:
        return None
    mean = rows.groupby(["task", "arm", "inputs", "output"])["value"].mean().unstack("output")
    figure, axis = plt.subplots(figsize=(6.2, 0.24 * len(mean) + 0.9), layout="constrained")
    left, colours = np.zeros(len(mean)), plt.get_cmap("tab10")
    for k, name in enumerate(mean.columns):
        axis.barh(range(len(mean)), mean[name], left=left, color=colours(k), label=name.removeprefix("p_"), height=0.8)
        left += mean[name].fillna(0).to_numpy()
    axis.set_yticks(range(len(mean)), [f"{task}: {arm} [{inputs}]" for task, arm, inputs in mean.index], fontsize=7)
    axis.set(xlim=(0, 1), ylim=(len(mean) - 0.5, -0.5), xlabel="probability")
    axis.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
