"""Clinical score and an arm's score in one model, in every fold of one repeat."""

from pathlib import Path

import pandas as pd

from confuselt.device import pick_device
from confuselt.finetune.arms import PLUS, parse_arm
from confuselt.finetune.clinical_plus import fit_added, read_told, told_in
from confuselt.finetune.cross_fit import cross_fit
from confuselt.finetune.folds import prediction_table, run_folds
from confuselt.finetune.run_arm import ArmFiles, ArmRun
from confuselt.finetune.schema import PREDICTIONS
from confuselt.finetune.targets import read_targets
from confuselt.learn.checkpoint import save_checkpoint
from confuselt.learn.kept import Kept
from confuselt.run_step import Output, Parts, run_step
from confuselt.split.schema import FOLDS
from confuselt.tables import read_table, write_table

READS = (
    "finetune.*",
    "-finetune.arms",
    "pretrain.model",
    "pack.scaling_tile",
    "pack.scaling_cells",
    "pack.scaling_deep",
    "split.group",
    "tasks.survival",
    "tasks.labels",
    "seed",
)


def main(
    store: Path,
    rna: list[Path],
    folds: Path,
    outcomes: Path,
    covariates: Path,
    checkpoints: list[Path],
    other_checkpoints: list[Path],
    score_predictions: list[Path],
    score_models: list[Path],
    predictions: Output,
    models: Output,
    parts: Parts,
    arm: str,
    repeat: int,
    cfg: dict,
    device: str = "auto",
    place: str = "auto",
) -> None:
    """Fit one arm's score beside the clinical model.

    `score_*` are those of the clinical baseline and, where it was trained, of the arm: both are trained anew within the
    fold's training patients.
    """
    found = read_told(score_predictions, score_models)
    lost = [f"{arm} is not among finetune.arms"] * (arm not in found)
    lost += [f"{name}: {content['reason']}" for name, (content, _) in found.items() if content["status"] != "ok"]
    people, what = pd.read_parquet(covariates), parse_arm(arm)
    files = ArmFiles(store, folds, outcomes, rna, checkpoints, other_checkpoints)
    targets, table = read_targets(pd.read_parquet(outcomes), cfg), read_table(folds, FOLDS)
    run = None if lost else ArmRun.open(what, files, repeat, cfg, pick_device(device), place)

    def train(fold: int, kept: Kept) -> tuple[dict, pd.DataFrame]:
        sides = (("clinical", "clinical"), (arm, what.inputs[0]))
        main = tuple(told_in(*found[side], fold, inputs) for side, inputs in sides)
        return fit_added(main, cross_fit(run, table, people, targets, fold, kept), targets)

    read = [covariates, *score_predictions, *score_models]
    known, rows, why = (
        ([], [], "; ".join(lost))
        if lost
        else run_folds(train, len(rna), lambda fold: files.of_fold(fold) + read, cfg, parts)
    )
    save_checkpoint(
        {"status": "not available" if why else "ok", "reason": why or "", "arm": PLUS + arm, "folds": known}, models
    )
    write_table(
        prediction_table([r.assign(inputs=what.inputs[0]) for r in rows], PLUS + arm, repeat), predictions, PREDICTIONS
    )


if __name__ == "__main__":
    run_step(main, globals())
