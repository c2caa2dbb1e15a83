"""The first screen of the report.

What slides, RNA and both predict against chance, and what retrieval finds, beside the controls.
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from confuselt.controls.names import MISPAIRED, PERMUTED
from confuselt.evaluate.comparisons import natural_inputs
from confuselt.evaluate.intervals import useless
from confuselt.report.figures import COLOURS

CHANCE = 0.5  # of C and macro AUC
NAMES = {"wsi": "slides", "rna": "RNA", "both": "both"}
METRICS = {"harrell_c": "C", "auc_macro": "macro AUC"}
PERMUTED_NAME, SHUFFLED_NAME = "outcomes permuted", "pairs shuffled"
DIRECTIONS = {"wsi-to-rna": "slide → RNA", "rna-to-wsi": "RNA → slide"}


def panels(metrics: pd.DataFrame, retrieval: pd.DataFrame, tasks: list[tuple[str, str]], plan: dict) -> list[dict]:
    """A panel per task and one of retrieval, each with its rows.

    Parameters
    ----------
    metrics, retrieval : DataFrame
    tasks : list of (task, metric)
    plan : dict
        ``evaluate.plan``: the arms of its modality contrast are shown, and its k.

    Returns
    -------
    list of dict
        ``title``, ``name``, and ``rows`` of ``name, colour, arm, value, low, high, chance``; those without a value are
        left out. Where an arm of the contrast was not trained, a joint model with these inputs stands in.
    """
    contrast = plan["contrasts"].get(
        "modality", {"arm": "both-scratch-cells", "against": ["wsi-scratch-cells", "rna-scratch"]}
    )
    arms = {natural_inputs(a): a for a in (*contrast["against"], contrast["arm"])}
    whole = metrics[(metrics["fold"] == -1) & (metrics["status"] == "ok")]
    found = []
    for task, metric in tasks:
        mine = whole[(whole["task"] == task) & (whole["metric"] == metric)]
        rows = []
        for inputs, name in NAMES.items():
            own = mine[mine["inputs"] == inputs]
            hit = own[own["arm"] == arms.get(inputs)]
            hit = hit if len(hit) else own[own["arm"].str.startswith("both-")].sort_values("arm")
            rows += [
                _row(name, inputs, r["arm"], r["value"], r["low"], r["high"], CHANCE)
                for r in hit.head(1).to_dict("records")
            ]
        control = mine[mine["arm"].isin(PERMUTED) & (mine["inputs"] == "both")]
        rows += _control(PERMUTED_NAME, control, "value", CHANCE)
        found.append({"name": task, "title": f"{task}: {METRICS[metric]}", "rows": rows})
    found.append({"name": "retrieval", "title": f"retrieval: R@{plan['k']}", "rows": _retrieval(retrieval, plan["k"])})
    return [p for p in found if p["rows"]]


def _row(name: str, colour: str, arm: str, value: float, low: float, high: float, chance: float) -> dict:
    return {"name": name, "colour": colour, "arm": arm, "value": value, "low": low, "high": high, "chance": chance}


def _control(name: str, rows: pd.DataFrame, value: str, chance: float) -> list[dict]:
    """Draws of a control as one row: their mean within the widest of their bounds."""
    return (
        [
            _row(
                name,
                "control",
                rows.iloc[0]["arm" if value == "value" else "model"],
                rows[value].mean(),
                rows["low"].min(),
                rows["high"].max(),
                chance,
            )
        ]
        if len(rows)
        else []
    )


def _retrieval(retrieval: pd.DataFrame, k: int) -> list[dict]:
    """Both directions under the widest model of pretraining, and under mispaired ones."""
    whole = retrieval[
        (retrieval["fold"] == -1)
        & (retrieval["status"] == "ok")
        & (retrieval["stratum"] == "all")
        & (retrieval["k"] == k)
    ]
    ours = next((m for m in ("tile-cells", "tile") if (whole["model"] == m).any()), None)
    rows = []
    for direction, name in DIRECTIONS.items():
        rows += [
            _row(name, "both", r["model"], r["recall"], r["low"], r["high"], r["chance"])
            for r in whole[(whole["model"] == ours) & (whole["direction"] == direction)].to_dict("records")
        ]
    wrong = whole[whole["model"].isin(MISPAIRED)]
    return rows + _control(SHUFFLED_NAME, wrong, "recall", float(wrong["chance"].mean()))


def missing_controls(metrics: pd.DataFrame, retrieval: pd.DataFrame) -> list[str]:
    """A sentence for each kind of negative control that does not stand beside the numbers."""
    said = []
    for what, kinds, table, name in (
        (PERMUTED_NAME, PERMUTED, metrics, "arm"),
        (SHUFFLED_NAME, MISPAIRED, retrieval, "model"),
    ):
        rows = table[table[name].isin(kinds)]
        if not ((rows["status"] == "ok") & (rows["fold"] == -1)).any():
            reasons = sorted(set(rows["reason"].dropna())) or ["not among evaluate.controls.kinds"]
            said.append(f"No control ({what}) stands beside these numbers: {'; '.join(reasons)}.")
    return said


def found_figure(shown: list[dict]) -> Figure | None:
    """Values with their intervals against chance, a panel per task."""
    if not shown:
        return None
    places = [
        [*NAMES.values(), PERMUTED_NAME] if p["name"] != "retrieval" else [r["name"] for r in p["rows"]] for p in shown
    ]
    figure, axes = plt.subplots(
        1, len(shown), figsize=(1.8 + 2.1 * len(shown), 2.1), squeeze=False, layout="constrained"
    )
    for i, (axis, panel, names) in enumerate(zip(axes[0], shown, places, strict=True)):
        for row in panel["rows"]:
            y, colour = names.index(row["name"]), COLOURS[row["colour"]]
            axis.plot([row["chance"]] * 2, [y - 0.5, y + 0.5], color="#999999", lw=1, ls="--")
            if not useless(row["low"], row["high"]):
                axis.plot([row["low"], row["high"]], [y, y], color=colour, lw=2)
            axis.plot(row["value"], y, "o", color=colour, ms=5)
            axis.text(
                1.02,
                y,
                f"{row['value']:.2f}",
                va="center",
                fontsize=8,
                transform=axis.get_yaxis_transform(),
            )
        # Tasks have the same rows: named once.
        axis.set_yticks(range(len(names)), names if i == 0 or panel["name"] == "retrieval" else [])
        axis.set(xlim=(0, 1), xticks=(0, 0.5, 1), ylim=(max(map(len, places)) - 0.5, -0.5))
        axis.set_title(panel["title"], fontsize=9, loc="left")
    return figure


def clear_of_chance(panel: dict) -> list[str]:
    """Rows of a panel whose interval lies above chance."""
    return [r["name"] for r in panel["rows"] if not useless(r["low"], r["high"]) and r["low"] > r["chance"]]


def in_words(panel: dict) -> str:
    """A panel as a sentence: every value, its interval where that says something, and chance."""
    said = []
    for r in panel["rows"]:
        interval = "" if useless(r["low"], r["high"]) else f" [{r['low']:.2f}, {r['high']:.2f}]"
        said.append(f"{r['name']} {r['value']:.2f}{interval}")
    chance = panel["rows"][0]["chance"]
    above = clear_of_chance(panel)
    return f"{panel['title']}: {', '.join(said)}; chance {chance:.2f}. " + (
        f"Clear of chance: {', '.join(above)}." if above else "None is clear of chance."
    )


def shown_arms(shown: list[dict]) -> str:
    """What stands behind each name of the panels."""
    names: dict[str, str] = {}
    for panel in shown:
        names |= {r["name"]: r["arm"] for r in panel["rows"] if panel["name"] != "retrieval"}
    return ", ".join(f"{name}: {arm}" for name, arm in names.items())
