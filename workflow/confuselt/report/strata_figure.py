"""How well within parts of the cohort, as a picture."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.evaluate.intervals import useless
from confuselt.report.figures import COLOURS
from confuselt.report.found import CHANCE

MARKERS = {"wsi": "o", "rna": "s", "both": "D"}


def strata_figure(strata: pd.DataFrame, task: str, arms: dict[str, str]) -> Figure | None:
    """A line per part, a mark per kind of input.

    Parameters
    ----------
    strata : DataFrame
        ``evaluate/strata``.
    task : str
    arms : dict of str to str
        The arm that stands for each kind of input.

    Returns
    -------
    Figure or None
        None where no part is large enough.
    """
    rows = strata[(strata["task"] == task) & (strata["status"] == "ok") & strata["arm"].isin(arms.values())]
    if rows.empty:
        return None
    parts = list(dict.fromkeys(zip(rows["stratum"], rows["level"], strict=True)))
    figure, axis = plt.subplots(figsize=(6.6, 0.36 * len(parts) + 1.2), layout="constrained")
    axis.axvline(CHANCE, color="#999999", lw=0.8, ls="--")
    for shift, (inputs, arm) in zip((-0.22, 0.0, 0.22), arms.items(), strict=True):
        for row in rows[rows["arm"] == arm].to_dict("records"):
            y = parts.index((row["stratum"], row["level"])) + shift
            if not useless(row["low"], row["high"]):
                axis.plot([row["low"], row["high"]], [y, y], color=COLOURS[inputs], lw=1.3)
            axis.plot(row["value"], y, MARKERS[inputs], color=COLOURS[inputs], ms=4)
        axis.plot([], [], MARKERS[inputs], color=COLOURS[inputs], ms=4, label=arm)
    counts = rows.groupby(["stratum", "level"])["n"].agg(["min", "max"]).astype(int)
    axis.set_yticks(np.arange(len(parts)), [_named(*part, *counts.loc[part]) for part in parts], fontsize=8)
    axis.set_ylim(len(parts) - 0.5, -0.5)
    axis.set_xlabel("C-index" if (rows["metric"] == "harrell_c").all() else "macro AUC", fontsize=8)
    figure.legend(frameon=False, fontsize=7, loc="outside lower center", ncol=len(arms))
    return figure


def _named(stratum: str, level: str, least: int, most: int) -> str:
    """A part with the patients that its arms test."""
    return f"{stratum}: {level} ({least}{f' to {most}' if most > least else ''})"
