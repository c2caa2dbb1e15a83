"""Metrics, comparisons, retrieval and curves of an experiment."""

from pathlib import Path

import pandas as pd

from confuselt.evaluate.experiment import Experiment, galleries, history_curves
from confuselt.evaluate.schema import COMPARISONS, METRICS, PREDICTIONS, RETRIEVAL, STRATA
from confuselt.evaluate.score import Scored, score
from confuselt.finetune.schema import CURVES
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

READS = (
    "evaluate.draws",
    "evaluate.k",
    "evaluate.min_events",
    "evaluate.min_fold_events",
    "evaluate.plan",
    "evaluate.primary",
    "tasks.survival",
    "tasks.labels",
    "seed",
)


def main(
    store: Path,
    folds: Path,
    outcomes: Path,
    covariates: Path,
    rna: list[Path],
    arm_predictions: list[Path],
    arm_models: list[Path],
    checkpoints: list[Path],
    histories: list[Path],
    control_predictions: list[Path],
    control_models: list[Path],
    control_folds: list[Path],
    control_outcomes: list[Path],
    leaky: list[Path],
    predictions: Output,
    metrics: Output,
    comparisons: Output,
    retrieval: Output,
    curves: Output,
    strata: Output,
    cfg: dict,
    cells: int = 1,
) -> None:
    """Score the main run, then each control against its own folds and outcomes.

    `cells` is 0 for a cohort without a cells stream: its controls and baselines are made of arms without it.
    """
    ours = Experiment(arm_predictions, arm_models, folds, outcomes, cfg)
    files = zip(control_predictions, control_models, control_folds, control_outcomes, strict=True)
    controls = [Experiment([p], [m], f, c, cfg, control=p.parents[2].name) for p, m, f, c in files]
    known = [pd.read_parquet(path) for path in (outcomes, covariates)]
    found, lost = galleries(store, rna, checkpoints, arm_models, ours)
    chance = [pd.read_parquet(path) for path in leaky]
    scored: Scored = score(ours, controls, found, lost, *known, chance, bool(cells), cfg)
    write_table(scored.predictions, predictions, PREDICTIONS)
    write_table(scored.metrics, metrics, METRICS)
    write_table(scored.comparisons, comparisons, COMPARISONS)
    write_table(scored.retrieval, retrieval, RETRIEVAL)
    write_table(scored.strata, strata, STRATA)
    write_table(scored.curves(history_curves(histories), *chance), curves, CURVES)


if __name__ == "__main__":
    run_step(main, globals())
