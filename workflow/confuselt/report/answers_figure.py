"""The planned contrasts as a picture: differences with their intervals, the margin within which none counts."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.report.figures import VERDICTS

QUESTIONS = {
    "modality": "second modality helps",
    "pretraining": "pretraining helps",
    "cells": "cell features help",
    "single-input": "joint model no worse with",
}


def contrasts(comparisons: pd.DataFrame, tasks: list[str], plan: dict) -> pd.DataFrame:
    """Rows of the figure: question, task, arms, difference, low, high, verdict, margin.

    Parameters
    ----------
    comparisons : DataFrame
        ``evaluate/comparisons``.
    tasks : list of str
        The primary endpoint and the first label.
    plan : dict
        ``evaluate.plan``.
    """
    rows = comparisons[
        comparisons["task"].isin(tasks)
        & comparisons["question"].isin(QUESTIONS)
        & (comparisons["status"] == "ok")
        & ((comparisons["family"] == "primary") | (comparisons["question"] == "single-input"))
    ]
    margins = {"harrell_c": (plan["delta_c"], plan["margin_c"]), "auc_macro": (plan["delta_auc"], plan["margin_auc"])}
    kept = rows[rows["metric"].isin(margins)]
    order = [(q, t) for q in QUESTIONS for t in tasks]
    kept = kept.assign(
        margin=[margins[m][q == "single-input"] for q, m in zip(kept["question"], kept["metric"], strict=True)],
        place=[order.index(pair) for pair in zip(kept["question"], kept["task"], strict=True)],
    )
    columns = ["question", "task", "metric", "arm_a", "inputs_a", "arm_b", "inputs_b"]
    numbers = ["difference", "low", "high", "margin", "verdict", "n", "events"]
    return kept.sort_values("place", kind="stable")[[*columns, *numbers]].reset_index(drop=True)


def answers_figure(rows: pd.DataFrame) -> Figure | None:
    """A line per contrast: difference, interval, the band of the margin, the verdict in words."""
    if rows.empty:
        return None
    figure, axis = plt.subplots(figsize=(6.6, 0.42 * len(rows) + 0.9), layout="constrained")
    drawn = rows[["low", "high", "difference"]].clip(-0.5, 0.5)
    for y, (row, at) in enumerate(zip(rows.to_dict("records"), drawn.to_dict("records"), strict=True)):
        colour = VERDICTS.get(row["verdict"], VERDICTS["cannot tell"])
        if row["question"] == "single-input":
            axis.plot([-row["margin"]] * 2, [y - 0.36, y + 0.36], color="#888888", lw=1.2, ls=":")
        else:
            axis.fill_betweenx([y - 0.36, y + 0.36], -row["margin"], row["margin"], color="#888888", alpha=0.22, lw=0)
        if np.isfinite(at["low"]) and np.isfinite(at["high"]):
            axis.plot([at["low"], at["high"]], [y, y], color=colour, lw=2.2)
        axis.plot(at["difference"], y, "o", color=colour, ms=5)
        axis.text(1.01, y, row["verdict"], transform=axis.get_yaxis_transform(), va="center", fontsize=8)
    axis.axvline(0, color="#888888", lw=1)
    names = [_name(row) for row in rows.to_dict("records")]
    axis.set_yticks(range(len(rows)), names, fontsize=8)
    axis.set(ylim=(len(rows) - 0.5, -0.5))
    axis.set_xlabel("difference (os, pfi, …: C-index; classes: macro AUC); right of 0: better", fontsize=8)
    return figure


def _name(row: dict) -> str:
    what = QUESTIONS[row["question"]]
    if row["question"] == "single-input":
        what += {"wsi": " a slide", "rna": " RNA"}.get(row["inputs_a"], "")
    return f"{what} · {row['task']}"
