"""Everything: all comparisons and metrics as tables to sort and to take along, methods in words, time and memory."""

from pathlib import Path

import pandas as pd

from confuselt.report.answers import not_compared
from confuselt.report.costs import costs
from confuselt.report.run import Run
from confuselt.report.section import Content, Section
from confuselt.report.tally import has_rna, seen_before, towers_in_words


def make(run: Run) -> Content:
    """See `Section.make`."""
    comparisons = run.tables["comparisons"]
    made = comparisons[comparisons["status"] == "ok"].to_dict("records")
    spent = costs(run.sources.benchmarks, run.cfg["cohort"], run.cfg["experiment"])
    hours = sum(c["hours"] for c in spent)
    details = detail_metrics(run.tables["metrics"])
    return Content(
        f"{len(made)} comparisons, {len(details)} rows of further metrics"
        + (f", {hours:.2g} hours of jobs." if spent else "."),
        {
            "comparisons": made,
            "not_compared": not_compared(comparisons),
            "details": details,
            "costs": spent,
            "provenance": run.provenance,
            "has_rna": has_rna(run),
            "towers": towers_in_words(run),
            "seen_before": seen_before(run),
        },
        {},
    )


def detail_metrics(metrics: pd.DataFrame) -> list[dict]:
    """Every other metric over folds, of arms and baselines (draw 0): a row per arm, inputs and task."""
    rows = metrics[
        (metrics["fold"] == -1)
        & (metrics["draw"] == 0)
        & metrics["metric"].notna()
        & ~metrics["metric"].isin(["harrell_c", "auc_macro"])
    ]
    found = []
    for (task, arm, inputs), part in rows.groupby(["task", "arm", "inputs"], sort=True):
        values = {}
        for r in part.to_dict("records"):
            name = r["metric"] if pd.isna(r["horizon_days"]) else f"{r['metric']} {int(r['horizon_days']) / 365:.3g} y"
            values[name] = r
        found.append({"task": task, "arm": arm, "inputs": inputs, "values": values})
    return found


SECTION = Section("everything", "All tables, methods, costs", Path(__file__).with_name("everything.html.j2"), make)
