"""Figures of the report, as matplotlib figures."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from lifelines.plotting import add_at_risk_counts
from matplotlib.figure import Figure

from confuselt.acquire.units import DAYS_PER
from confuselt.controls.names import CONTROLS, LEAKY
from confuselt.evaluate.intervals import useless

COLOURS = {"wsi": "#4477aa", "rna": "#cc6677", "both": "#228833", "baseline": "#888888", "control": "#bbbbbb"}
FOLLOWED = 0.9  # of patients are followed for shorter than a survival curve is drawn
# They differ in lightness too; the verdict stands beside them in words.
VERDICTS = {"yes": "#228833", "no": "#aa3377", "cannot tell": "#777777"}
plt.rcParams.update(
    # All are open until the page is written.
    {
        "figure.max_open_warning": 0,
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.dpi": 110,
        "savefig.bbox": "tight",
        # Dollars in the user's own names are no formula.
        "text.parse_math": False,
    }
)


def kind_of(arm: str, inputs: str) -> str:
    """Colour group of a row."""
    if arm in (*CONTROLS, LEAKY):
        return "control"
    return inputs if "-scratch" in arm or "-pretrained" in arm else "baseline"


def forest(metrics: pd.DataFrame, tasks: list[tuple[str, str]]) -> Figure:
    """Point and interval of every arm and input pattern, a panel per task.

    Parameters
    ----------
    metrics : DataFrame
        ``evaluate/metrics``.
    tasks : list of (task, metric)
    """
    whole = metrics[(metrics["fold"] == -1) & (metrics["status"] == "ok")]
    panels = [(t, m, whole[(whole["task"] == t) & (whole["metric"] == m)]) for t, m in tasks]
    panels = [p for p in panels if len(p[2])]
    names = sorted(
        {(a, i or "", d) for _, _, p in panels for a, i, d in zip(p["arm"], p["inputs"], p["draw"], strict=True)},
        key=_order,
    )
    figure, axes = plt.subplots(
        1,
        max(len(panels), 1),
        figsize=(3.2 + 2.4 * max(len(panels), 1), 0.21 * max(len(names), 3) + 1),
        sharey=True,
        squeeze=False,
    )
    for axis, (task, metric, rows) in zip(axes[0], panels, strict=False):
        axis.axvline(0.5, color="#999999", lw=0.8, ls="--")
        for row in rows.to_dict("records"):
            y = len(names) - 1 - names.index((row["arm"], row["inputs"] or "", row["draw"]))
            colour = COLOURS[kind_of(row["arm"], row["inputs"])]
            if not useless(row["low"], row["high"]):
                axis.plot([row["low"], row["high"]], [y, y], color=colour, lw=1.4)
            axis.plot(row["value"], y, "o", color=colour, ms=4)
        axis.set_title(f"{task}: {metric}")
        axis.set_yticks(
            range(len(names)), [f"{a}{f' #{d}' if d else ''}  [{i}]" for a, i, d in reversed(names)], fontsize=7
        )
    figure.tight_layout()
    return figure


def _order(name: tuple[str, str, int]) -> tuple:
    arm, inputs, draw = name
    group = ["wsi", "rna", "both", "baseline", "control"].index(
        kind_of(arm, inputs) if kind_of(arm, inputs) in COLOURS else "baseline"
    )
    return (2 if arm.startswith("both") and group < 3 else group, arm, inputs, draw)


def kaplan_meier(
    predictions: pd.DataFrame,
    outcomes: pd.DataFrame,
    arm: str,
    inputs: str,
    task: str,
    median: dict[tuple[int, int], float],
) -> Figure | None:
    """Kaplan–Meier curves of test patients above and below the *training* median of their fold, and who is left.

    Parameters
    ----------
    median : dict
        (repeat, fold) to the cut.

    Returns
    -------
    Figure or None
        None where no patient can be placed.
    """
    rows = predictions[
        (predictions["arm"] == arm)
        & (predictions["inputs"] == inputs)
        & (predictions["task"] == task)
        & (predictions["output"] == "risk")
        & (predictions["repeat"] == 0)
    ]
    facts = outcomes.set_index("patient_id")
    cut, high = above_median(rows, median)
    days, event = (facts.loc[rows["patient_id"], f"{task}_{c}"].to_numpy(float) for c in ("days", "event"))
    known = np.isfinite(days) & np.isfinite(cut)
    if known.sum() < 2:
        return None
    figure, axis = plt.subplots(figsize=(4.6, 3.8))
    fits = []
    for label, group, colour in (("high risk", high & known, "#cc3311"), ("low risk", ~high & known, "#0077bb")):
        if group.any():
            said = f"{label} ({int(event[group].sum())} events)"
            fits.append(KaplanMeierFitter(label=said).fit(days[group] / DAYS_PER["years"], event[group]))
            fits[-1].plot_survival_function(ax=axis, color=colour)
    # Beyond that, few are left, and a curve says little.
    last = float(np.quantile(days[known], FOLLOWED)) / DAYS_PER["years"]
    axis.set(xlim=(0, last), ylabel=f"{task} survival", title=f"{arm} [{inputs}]", ylim=(0, 1.02), xlabel="years")
    axis.legend(frameon=False, fontsize=7)
    add_at_risk_counts(*fits, ax=axis, rows_to_show=["At risk"], fontsize=7)
    figure.tight_layout()
    return figure


def above_median(rows: pd.DataFrame, median: dict[tuple[int, int], float]) -> tuple[np.ndarray, np.ndarray]:
    """Cut of each row's fold (NaN where there is none), and which risks lie above it."""
    cut = np.array([median.get((r, f), np.nan) for r, f in zip(rows["repeat"], rows["fold"], strict=True)], float)
    return cut, rows["value"].to_numpy(float) > cut


def pretraining_figure(curves: pd.DataFrame) -> Figure:
    """Contrastive loss on training and inner pairs by epoch, mean over folds, a panel per model."""
    rows = curves[(curves["curve"] == "pretraining") & curves["metric"].isin(["loss", "inner_loss"])]
    models = sorted(set(zip(rows["arm"], rows["draw"], strict=True)))
    figure, axes = plt.subplots(
        1, max(len(models), 1), figsize=(2.9 * max(len(models), 1), 2.5), sharey=True, squeeze=False
    )
    for axis, (model, draw) in zip(axes[0], models, strict=False):
        for metric, label, style in (("loss", "training pairs", "-"), ("inner_loss", "inner pairs", "--")):
            mean = (
                rows[(rows["arm"] == model) & (rows["draw"] == draw) & (rows["metric"] == metric)]
                .groupby("x")["value"]
                .mean()
            )
            axis.plot(
                mean.index, mean, style, color=COLOURS["control"] if model in CONTROLS else COLOURS["wsi"], label=label
            )
        axis.set(xlabel="epoch", title=f"{model}{f' #{draw}' if draw else ''}")
    axes[0][0].set_ylabel("contrastive loss")
    if models:
        axes[0][0].legend(frameon=False, fontsize=7)
    else:
        _nothing(axes[0][0], "not available: nothing was pretrained")
    figure.tight_layout()
    return figure


def retrieval_figure(retrieval: pd.DataFrame) -> Figure:
    """Recall@k of every model against chance, a panel per direction."""
    rows = retrieval[(retrieval["fold"] == -1) & (retrieval["stratum"] == "all") & (retrieval["status"] == "ok")]
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.1), sharey=True)
    for axis, direction in zip(axes, ("wsi-to-rna", "rna-to-wsi"), strict=True):
        part = rows[rows["direction"] == direction]
        if part.empty:
            _nothing(axis, f"{direction}: not available, no model has test pairs")
            continue
        for (model, draw), line in part.groupby(["model", "draw"]):
            line = line.sort_values("k")
            style = {"color": COLOURS["control"], "ls": "--"} if model in CONTROLS else {}
            axis.errorbar(
                line["k"],
                line["recall"],
                yerr=[line["recall"] - line["low"], line["high"] - line["recall"]],
                marker="o",
                ms=4,
                capsize=2,
                label=f"{model}{f' #{draw}' if draw else ''}",
                **style,
            )
        chance = part.groupby("k")["chance"].mean()
        axis.plot(chance.index, chance, color="k", lw=0.8, ls=":", label="chance")
        axis.set(xscale="log", xlabel="k", title=direction)
        axis.minorticks_off()  # their labels would be formulas
        axis.set_xticks(sorted(part["k"].dropna().unique()), [str(int(k)) for k in sorted(part["k"].dropna().unique())])
    axes[0].set_ylabel("recall@k")
    if not rows.empty:
        axes[1].legend(frameon=False, fontsize=7)
    figure.tight_layout()
    return figure


def _nothing(axis: plt.Axes, said: str) -> None:
    """An empty panel says why it is empty."""
    axis.text(0.5, 0.5, said, transform=axis.transAxes, ha="center", va="center", fontsize=8, color="#66717d")
    axis.set_axis_off()
