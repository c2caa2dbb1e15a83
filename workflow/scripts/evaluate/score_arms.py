"""Metrics, comparisons, retrieval and curves of an experiment."""

from pathlib import Path

import pandas as pd

from confuselt.evaluate.comparisons import compare
from confuselt.evaluate.experiment import Experiment, galleries, history_curves
from confuselt.evaluate.metrics import metric_rows, metrics_table, unavailable_rows
from confuselt.evaluate.retrieval import retrieval_rows, retrieval_table
from confuselt.evaluate.schema import COMPARISONS, CURVES, METRICS, PREDICTIONS, RETRIEVAL
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

READS = (
    "evaluate.draws",
    "evaluate.k",
    "evaluate.min_events",
    "evaluate.min_fold_events",
    "evaluate.delta_c",
    "evaluate.delta_auc",
    "tasks.survival",
    "tasks.labels",
    "seed",
)


def main(
    store: Path,
    folds: Path,
    clinical: Path,
    rna: list[Path],
    arm_predictions: list[Path],
    arm_models: list[Path],
    checkpoints: list[Path],
    histories: list[Path],
    control_predictions: list[Path],
    control_models: list[Path],
    control_folds: list[Path],
    control_clinical: list[Path],
    predictions: Output,
    metrics: Output,
    comparisons: Output,
    retrieval: Output,
    curves: Output,
    cfg: dict,
) -> None:
    """Score the main run, then each control against its own folds and outcomes."""
    ours = Experiment(arm_predictions, arm_models, folds, clinical, cfg)
    rows = metric_rows(ours.predictions, ours.targets, ours.train, ours.bootstrap, cfg)
    every = [ours.predictions]
    reasons, not_learnable = dict(ours.reasons), list(ours.not_learnable)
    for parts in zip(control_predictions, control_models, control_folds, control_clinical, strict=True):
        control = Experiment([parts[0]], [parts[1]], parts[2], parts[3], cfg, control=parts[0].parents[2].name)
        rows += metric_rows(control.predictions, control.targets, control.train, control.bootstrap, cfg)
        every.append(control.predictions)
        reasons |= control.reasons
        not_learnable += control.not_learnable
    scored = pd.concat(every, ignore_index=True)
    rows += unavailable_rows(reasons, not_learnable, scored, [*ours.targets.survival, *ours.targets.labels])
    found, lost = galleries(store, rna, checkpoints, arm_models, ours)
    facts = pd.read_parquet(clinical).set_index("patient_id")
    label = facts[f"label_{cfg['tasks.labels'][0]['name']}"].to_dict() if cfg["tasks.labels"] else {}
    write_table(scored, predictions, PREDICTIONS)
    write_table(metrics_table(rows), metrics, METRICS)
    main_reasons = {arm: reason for (arm, draw), reason in ours.reasons.items() if draw == 0}
    write_table(compare(ours.predictions, ours.targets, ours.inner, main_reasons, ours.bootstrap, cfg), comparisons, COMPARISONS)
    write_table(retrieval_table(retrieval_rows(found, facts["site"].to_dict(), label, cfg["evaluate.k"], ours.bootstrap), lost), retrieval, RETRIEVAL)
    write_table(history_curves(histories), curves, CURVES)


if __name__ == "__main__":
    run_step(main, globals())
