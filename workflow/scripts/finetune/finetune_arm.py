"""Train one arm on every fold of one repeat and predict the test patients."""

from pathlib import Path

import pandas as pd

from confuselt.device import pick_device
from confuselt.finetune.arms import parse_arm
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
    "tasks.survival",
    "tasks.labels",
    "seed",
)


def main(
    store: Path,
    rna: list[Path],
    folds: Path,
    outcomes: Path,
    checkpoints: list[Path],
    other_checkpoints: list[Path],
    predictions: Output,
    models: Output,
    parts: Parts,
    arm: str,
    repeat: int,
    cfg: dict,
    device: str = "auto",
    place: str = "auto",
    plan: str = "",
) -> None:
    """One job per arm and repeat; a killed job goes on where it stood.

    The models keep `plan`, the hash of the analysis plan in force.
    """
    targets = read_targets(pd.read_parquet(outcomes), cfg)
    files = ArmFiles(store, folds, outcomes, rna, checkpoints, other_checkpoints)
    run, table = ArmRun.open(parse_arm(arm), files, repeat, cfg, pick_device(device), place), read_table(folds, FOLDS)

    def train(fold: int, kept: Kept) -> tuple[dict, pd.DataFrame]:
        return run.train(table, targets, fold, kept)

    facts, rows, reason = run_folds(train, len(rna), files.of_fold, cfg, parts)
    content = {
        "status": "not available" if reason else "ok",
        "reason": reason or "",
        "arm": arm,
        "plan": plan,
        "model": cfg["pretrain.model"],
        "tiles": cfg["finetune.tiles"],
    }
    content |= {"classes": targets.classes, "horizons": targets.horizons, "folds": facts}
    save_checkpoint(content, models)
    write_table(prediction_table(rows, arm, repeat), predictions, PREDICTIONS)


if __name__ == "__main__":
    run_step(main, globals())
