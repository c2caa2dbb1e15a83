"""How well: every arm by the question it answers, within parts of the cohort, calibration, curves, retrieval."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.controls.names import CONTROLS, LEAKY, WITHOUT
from confuselt.finetune.arms import ARMS, PLUS
from confuselt.report.calibration_figures import incidence_figure, net_benefit_figure, reliability_figure
from confuselt.report.figures import above_median, forest, kaplan_meier, pretraining_figure, retrieval_figure
from confuselt.report.run import Run
from confuselt.report.section import Content, Section, pictures
from confuselt.report.strata_figure import strata_figure

# The arms that figures look into, by what they are tested with: "both" is the one checkpoint for every input pattern.
LOOKED_AT = {"both": "both-pretrained", "wsi": "wsi-pretrained", "rna": "rna-scratch"}
NAMED = 3  # parts of the cohort of one kind that are too small
GROUPS = {
    "wsi": "Slides alone",
    "rna": "RNA alone",
    "both": "Slides and RNA",
    "baselines": "Baselines",
    "controls": "Controls",
}


def make(run: Run) -> Content:
    """See `Section.make`."""
    tables = run.tables
    rows = main_metrics(tables["metrics"], run.headline)
    grouped = {group: [r for r in rows if group_of(r) == group] for group in GROUPS}
    looked_at = {inputs: run.with_cells(arm) for inputs, arm in LOOKED_AT.items()}
    km = {f"km_{inputs}": (_km(run, arm, inputs), f"Survival by risk, {arm}") for inputs, arm in looked_at.items()}
    per_task = {}
    for task in run.cfg["tasks.survival"]:
        name = task["name"]
        per_task[f"benefit_{name}"] = net_benefit_figure(tables["curves"], name), f"Decision curve, {name}"
        if task["competing"]:
            per_task[f"incidence_{name}"] = _incidence(run, looked_at["both"], task), f"Cumulative incidence of {name}"
    strata = tables["strata"]
    for task in run.first_tasks:
        drawn = strata_figure(strata, task, looked_at)
        per_task[f"strata_{task}"] = drawn, f"{task} within parts of the cohort", strata[strata["task"] == task]
    likelihood = tables["curves"][tables["curves"]["curve"] == "likelihood-ratio"]
    flat = [
        {**{k: r[k] for k in ("arm", "draw", "inputs")}, "task": task, **{k: v[k] for k in ("value", "low", "high")}}
        for r in rows
        for task, v in r["values"].items()
        if v
    ]
    return Content(
        _result(rows, run.headline),
        {
            "groups": {GROUPS[group]: some for group, some in grouped.items() if some},
            "tasks": [task for task, _ in run.headline],
            "unavailable": unavailable(tables["metrics"]),
            "likelihood": likelihood.to_dict("records"),
            "plus": PLUS,
            "reduced": any(row["arm"] == WITHOUT for row in rows),
            "strata": strata[strata["status"] == "ok"].to_dict("records"),
            "too_small": _too_small(strata),
            "numberless": _numberless(strata),
            "retrieval": retrieval_summary(tables["retrieval"]),
        },
        pictures(
            forest=(
                forest(tables["metrics"], run.headline),
                "Value and interval of every arm, control and baseline",
                pd.DataFrame(flat),
            ),
            reliability=(reliability_figure(tables["curves"], looked_at["both"]), "Calibration on test patients"),
            pretraining=(pretraining_figure(tables["curves"]), "Contrastive loss by epoch"),
            retrieval=(
                retrieval_figure(tables["retrieval"]),
                "Recall at k between modalities",
                tables["retrieval"][tables["retrieval"]["fold"] == -1],
            ),
            **km,
            **per_task,
        ),
    )


def group_of(row: dict) -> str:
    """Which question a row of `main_metrics` is about."""
    if row["arm"] in (*CONTROLS, LEAKY):
        return "controls"
    return row["inputs"] if row["arm"] in ARMS and row["inputs"] in GROUPS else "baselines"


def _result(rows: list[dict], tasks: list[tuple[str, str]]) -> str:
    said = []
    for task, metric in tasks:
        own = [(r["values"][task]["value"], r["arm"]) for r in rows if r["values"][task] and group_of(r) in LOOKED_AT]
        if own:
            word = "C-index" if metric == "harrell_c" else "macro AUC"
            said.append(f"{task}: {word} {min(own)[0]:.2f} to {max(own)[0]:.2f}")
    return f"Over all arms and inputs, {'; '.join(said)}." if said else "No arm could be trained."


def _too_small(strata: pd.DataFrame) -> dict[str, list[str]]:
    """By task, which parts have too few events for a number, whatever the arm; many of one kind are counted."""
    said: dict[str, list[str]] = {}
    part = ["task", "stratum", "level"]
    enough = strata[strata["status"] != "too small"].set_index(part).index
    # Those in which no arm has enough, by the arm that has most.
    small = strata[~strata.set_index(part).index.isin(enough)].sort_values("events", ascending=False, kind="stable")
    small = small.drop_duplicates(part).sort_index()
    for (task, stratum), rows in small.groupby(["task", "stratum"], sort=False):
        counts = [f"{row.level} ({row.events} of {row.n})" for row in rows.itertuples()]
        said.setdefault(task, []).append(
            f"{stratum}: {', '.join(counts)}" if len(rows) <= NAMED else f"{stratum}: {len(rows)} parts"
        )
    return said


def _numberless(strata: pd.DataFrame) -> dict[str, list[str]]:
    """By task, which parts are large enough and still have no number of any arm, with a reason; many are counted."""
    said: dict[str, list[str]] = {}
    part = ["task", "stratum", "level"]
    told = strata[strata["status"] == "ok"].set_index(part).index
    rest = strata[(strata["status"] == "not available") & ~strata.set_index(part).index.isin(told)]
    for (task, stratum), rows in rest.drop_duplicates(part).groupby(["task", "stratum"], sort=False):
        named = [f"{row.level} ({row.reason})" for row in rows.itertuples()]
        said.setdefault(task, []).append(
            f"{stratum}: {', '.join(named)}" if len(rows) <= NAMED else f"{stratum}: {len(rows)} parts"
        )
    return said


def _km(run: Run, arm: str, inputs: str) -> Figure | None:
    """Survival of test patients above and below the training median."""
    if arm not in run.models or run.primary is None:
        return None
    cuts = {(0, f): facts["median"].get(inputs, {}).get(run.primary, np.nan) for f, facts in _folds(run, arm)}
    return kaplan_meier(run.tables["predictions"], run.tables["outcomes"], arm, inputs, run.primary, cuts)


def _folds(run: Run, arm: str) -> list[tuple[int, dict]]:
    return list(enumerate(run.models[arm]["folds"]))


def _incidence(run: Run, arm: str, task: dict) -> Figure | None:
    """Cumulative incidence under the joint model, by risk group."""
    predictions = run.tables["predictions"]
    rows = predictions.query("arm == @arm and inputs == 'both' and output == 'risk' and repeat == 0 and draw == 0")
    rows = rows[rows["task"] == task["name"]]
    if arm not in run.models or rows.empty:
        return None
    medians = {(0, f): facts["median"].get("both", {}).get(task["name"], np.nan) for f, facts in _folds(run, arm)}
    _, high = above_median(rows, medians)
    risk = rows.set_index("patient_id")["value"]
    return incidence_figure(risk, high, run.tables["outcomes"], task["name"], task["competing"], arm)


def main_metrics(metrics: pd.DataFrame, tasks: list[tuple[str, str]]) -> list[dict]:
    """One row per arm, draw and inputs; a column per task."""
    whole = metrics[(metrics["fold"] == -1) & (metrics["status"] == "ok")]
    rows = []
    for (arm, draw, inputs), part in whole.groupby(["arm", "draw", "inputs"], sort=True):
        values = {}
        for task, metric in tasks:
            hit = part[(part["task"] == task) & (part["metric"] == metric)]
            values[task] = hit.iloc[0].to_dict() if len(hit) else None
        rows.append({"arm": arm, "draw": draw, "inputs": inputs, "values": values})
    return rows


def unavailable(metrics: pd.DataFrame) -> list[dict]:
    """Arms and tasks (or single metrics of them) without a value, one line each."""
    lost = metrics[(metrics["fold"] == -1) & (metrics["status"] != "ok")]
    lost = lost.assign(task=lost["task"].where(lost["metric"].isna(), lost["task"] + " " + lost["metric"]))
    return (
        lost.groupby(["arm", "draw", "reason"], sort=True)["task"]
        .agg(lambda t: ", ".join(sorted(set(t))))
        .reset_index()
        .to_dict("records")
    )


def retrieval_summary(retrieval: pd.DataFrame) -> list[dict]:
    """Over folds, per model, direction and stratum: percentile rank and recall@k."""
    whole = retrieval[(retrieval["fold"] == -1) & (retrieval["status"] == "ok")]
    rows = []
    for (model, draw, direction, stratum), part in whole.groupby(["model", "draw", "direction", "stratum"], sort=True):
        by_k = {int(r["k"]): r for r in part.to_dict("records")}
        first = next(iter(by_k.values()))
        facts = {"model": model, "draw": draw, "direction": direction, "stratum": stratum, "by_k": by_k}
        rows.append({**facts, "n": first["n"], "percentile_rank": first["percentile_rank"]})
    return rows


SECTION = Section("performance", "How well", Path(__file__).with_name("performance.html.j2"), make)
