"""Train one arm on every fold of one repeat and predict the test patients."""

import shutil
from pathlib import Path

import pandas as pd

from confuselt.finetune.arms import parse_arm
from confuselt.finetune.folds import prediction_table, run_folds
from confuselt.finetune.inputs import Inputs
from confuselt.finetune.schema import PREDICTIONS
from confuselt.finetune.targets import read_targets
from confuselt.finetune.train import train_fold
from confuselt.model.checkpoint import load_checkpoint, save_checkpoint
from confuselt.model.device import pick_device
from confuselt.pack.bags import Bags
from confuselt.rna.profiles import read_profiles
from confuselt.run_step import Output, run_step
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.tables import read_table, write_table

READS = ("finetune.*", "-finetune.arms", "pretrain.model", "pack.scaling_tile", "pack.scaling_cells", "tasks.survival", "tasks.labels", "seed")


def main(
    store: Path,
    rna: list[Path],
    folds: Path,
    clinical: Path,
    checkpoints: list[Path],
    predictions: Output,
    models: Output,
    arm: str,
    repeat: int,
    cfg: dict,
    device: str = "auto",
) -> None:
    """One job per arm and repeat; a killed job goes on after its last finished fold."""
    what, targets, place = parse_arm(arm), read_targets(pd.read_parquet(clinical), cfg), pick_device(device)
    table = read_table(folds, FOLDS)
    parts = predictions.parent / f".{arm}.r{repeat}.parts"

    def train(fold: int) -> tuple[dict, pd.DataFrame]:
        profiles = read_profiles(rna[fold])
        bags = Bags(store, what.streams) if what.modality != "rna" else None
        slides = bags.of_patients(bags.patient_ids) if bags else {}
        checkpoint = load_checkpoint(checkpoints[fold]) if checkpoints else None
        inputs = Inputs(bags, slides, profiles.of if what.modality != "wsi" else {})
        facts, rows = train_fold(
            what, inputs, len(profiles.genes), targets, read_roles(table, repeat, fold), checkpoint, cfg, (cfg["seed"], arm, repeat, fold), place
        )
        return {**facts, "genes": profiles.genes, "recipe": bags.recipe if bags else {}}, rows

    def files(fold: int) -> list[Path]:
        return [store, rna[fold], folds, clinical, *checkpoints[fold : fold + 1]]

    facts, rows, reason = run_folds(train, len(rna), files, cfg, parts)
    save_checkpoint(
        {
            "status": "not available" if reason else "ok",
            "reason": reason or "",
            "arm": arm,
            "model": cfg["pretrain.model"],
            "tiles": cfg["finetune.tiles"],
            "classes": targets.classes,
            "horizons": targets.horizons,
            "missing_tasks": targets.missing,
            "folds": facts,
        },
        models,
    )
    write_table(prediction_table(rows, arm, repeat), predictions, PREDICTIONS)
    shutil.rmtree(parts)


if __name__ == "__main__":
    run_step(main, globals())
