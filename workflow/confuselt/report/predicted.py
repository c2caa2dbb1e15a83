"""The page of a cohort that trained models were applied to: predictions, who was not served and why, how far out."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.predict.schema import PREDICTIONS
from confuselt.report.figures import COLOURS
from confuselt.report.page import rendered
from confuselt.report.section import Content, Section, pictures
from confuselt.tables import read_meta, read_table

FAR = 0.95  # share of training patients that lie less far out than one who is named


@dataclass(frozen=True)
class Served:
    """Predictions of a cohort.

    Attributes
    ----------
    table : DataFrame
        ``predict/predictions`` without embeddings.
    classes : dict of str to list of str
        Of each label.
    arm : str
    """

    table: pd.DataFrame
    classes: dict[str, list[str]]
    arm: str

    @property
    def good(self) -> pd.DataFrame:
        """Rows of those who are served."""
        return self.table[self.table["status"] == "ok"]


def _served(served: Served) -> Content:
    table, good = served.table, served.good
    lost = table[table["status"] != "ok"]
    lost = lost.assign(reason=lost["reason"].fillna("none was given"))
    reasons = lost.groupby(["inputs", "reason"])["patient_id"].agg(["size", "first"]).reset_index()
    people, unserved = table["patient_id"].nunique(), set(table["patient_id"]) - set(good["patient_id"])
    counts = good["inputs"].value_counts().to_dict()
    seen = int(good.loc[good["out_of_fold"], "patient_id"].nunique())
    by = ", ".join(f"{n} with {inputs}" for inputs, n in counts.items())
    return Content(
        f"{people - len(unserved)} of {people} patients are served" + (f": {by}." if by else "."),
        {"counts": counts, "reasons": reasons.to_dict("records"), "seen": seen},
        {},
    )


def _values(served: Served) -> Content:
    good = served.good
    values = [c for c in good.columns if c.startswith(("risk_", "surv_", "p_")) and good[c].notna().any()]
    risks = [c for c in values if c.startswith("risk_")]
    rows = good[["patient_id", "inputs", *values, "out_of_distribution"]].to_dict("records")
    result = f"{len(good)} rows of predictions of {served.arm}: {', '.join(values[:6])}" + (
        f" and {len(values) - 6} more." if len(values) > 6 else "."
    )
    return Content(
        result if len(good) else "Nothing could be predicted.",
        {"rows": rows, "values": values},
        pictures(
            risks=(_spread(good, risks), "Predicted risks of all patients, by what they were predicted from"),
            calls=(
                _called(good, served.classes),
                "How many patients have each class as their most probable one",
            ),
        ),
    )


def _far(served: Served) -> Content:
    good = served.good[served.good["out_of_distribution"].notna()]
    far = good[good["out_of_distribution"] > FAR].sort_values("out_of_distribution", ascending=False)
    return Content(
        f"{len(far)} of {len(good)} rows lie farther out than {FAR:.0%} of the training patients."
        if len(good)
        else "It is not known how far out these patients lie.",
        {"far": far.to_dict("records"), "share": FAR},
        pictures(
            far=(
                _spread(good, ["out_of_distribution", "beyond_training"]),
                "Share of training patients who lie less far out, and share of values that no training patient reached",
            )
        ),
    )


def _spread(rows: pd.DataFrame, columns: list[str]) -> Figure | None:
    """A panel per column: values of all rows, a strip per kind of input."""
    if rows.empty or not columns:
        return None
    kinds, shift = sorted(rows["inputs"].unique()), np.random.default_rng(0)
    figure, axes = plt.subplots(
        1,
        len(columns),
        figsize=(1.2 + 2.6 * len(columns), 0.7 + 0.45 * len(kinds)),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    for axis, column in zip(axes[0], columns, strict=True):
        for y, inputs in enumerate(kinds):
            values = rows.loc[rows["inputs"] == inputs, column].dropna().to_numpy(float)
            height = y + shift.uniform(-0.25, 0.25, len(values))
            axis.plot(values, height, "o", ms=3, alpha=0.6, color=COLOURS.get(inputs, COLOURS["baseline"]))
        axis.set_title(column, fontsize=9, loc="left")
        axis.set_yticks(range(len(kinds)), kinds)
    return figure


def _called(rows: pd.DataFrame, classes: dict[str, list[str]]) -> Figure | None:
    """Most probable classes, a panel per label; of those that could be learnt."""
    of = {label: [n for n in names if f"p_{label}_{n}" in rows] for label, names in classes.items()}
    labels = [label for label, names in of.items() if names]
    if rows.empty or not labels:
        return None
    figure, axes = plt.subplots(
        1, len(labels), figsize=(1.2 + 3.2 * len(labels), 2.4), squeeze=False, layout="constrained"
    )
    for axis, label in zip(axes[0], labels, strict=True):
        names, kinds = of[label], sorted(rows["inputs"].unique())
        own = [f"p_{label}_{name}" for name in names]
        for k, inputs in enumerate(kinds):
            values = rows.loc[rows["inputs"] == inputs, own].dropna().to_numpy(float)
            counts = np.bincount(values.argmax(1), minlength=len(own)) if len(values) else np.zeros(len(own))
            place = np.arange(len(own)) + 0.8 * (k - (len(kinds) - 1) / 2) / len(kinds)
            axis.bar(place, counts, 0.8 / len(kinds), color=COLOURS.get(inputs, COLOURS["baseline"]), label=inputs)
        axis.set_xticks(range(len(own)), names, fontsize=8)
        axis.set_title(label, fontsize=9, loc="left")
        axis.set_ylabel("patients")
    axes[0, 0].legend(frameon=False, fontsize=7)
    return figure


HERE = Path(__file__).parent
SECTIONS = (
    Section("served", "Who was served", HERE / "predicted_served.html.j2", _served),
    Section("values", "What is predicted", HERE / "predicted_values.html.j2", _values),
    Section("far", "How far out they lie", HERE / "predicted_far.html.j2", _far),
)


def build_predicted(predictions: Path, cohort: str, cfg: dict) -> str:
    """HTML text.

    Parameters
    ----------
    predictions : Path
        ``predict/predictions``.
    cohort : str
    cfg : dict
        Settings of ``write_predicted``.
    """
    table = read_table(predictions, PREDICTIONS)
    table = table[[c for c in table.columns if not c.startswith("z_")]]
    served = Served(table, read_meta(predictions)["classes"], cfg["predict.arm"])
    title = f"cohort {cohort} under the models of {cfg['experiment']}"
    html, _ = rendered(title, SECTIONS, served, {"arm": served.arm})
    return html
