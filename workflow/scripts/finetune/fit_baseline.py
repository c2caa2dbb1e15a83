"""Fit one baseline on every fold of one repeat."""

from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.finetune.baselines import fit_cca, fit_clinical, fit_pca_cox
from confuselt.finetune.folds import prediction_table, run_folds
from confuselt.finetune.inputs import Inputs
from confuselt.finetune.schema import PREDICTIONS
from confuselt.finetune.targets import read_targets
from confuselt.model.checkpoint import save_checkpoint
from confuselt.model.encoders import fit_scaler
from confuselt.pack.bags import widest
from confuselt.rna.profiles import read_profiles
from confuselt.run_step import Output, Parts, run_step
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.tables import empty_table, read_table, write_table

READS = ("pack.scaling_tile", "pack.scaling_cells", "tasks.survival", "tasks.labels", "seed")


def main(
    store: Path, rna: list[Path], folds: Path, clinical: Path, predictions: Output, models: Output, parts: Parts, baseline: str, repeat: int, cfg: dict
) -> None:
    """Clinical covariates, principal components, or canonical correlation."""
    table, facts = read_table(folds, FOLDS), pd.read_parquet(clinical)
    targets = read_targets(facts, cfg)

    def train(fold: int) -> tuple[dict, pd.DataFrame]:
        roles = read_roles(table, repeat, fold)
        lost = targets.take(roles["train"]).not_learnable()
        learnable = targets.only({*targets.survival, *targets.labels} - set(lost))
        if baseline == "clinical":
            inner, found, missed = fit_clinical(facts, learnable, roles)
            return {"not_learnable": lost | missed, "inner_predictions": inner}, found
        inputs = joined_inputs(store, rna[fold], roles["train"], cfg)
        if baseline == "cca":
            return fit_cca(inputs, roles), empty_table(PREDICTIONS)
        found, missed = fit_pca_cox(inputs, learnable, roles)
        return {"not_learnable": lost | missed}, found

    found, rows, reason = run_folds(train, len(rna), lambda fold: [store, rna[fold], folds, clinical], cfg, parts)
    save_checkpoint({"status": "not available" if reason else "ok", "reason": reason or "", "arm": baseline, "folds": found}, models)
    write_table(prediction_table(rows, baseline, repeat), predictions, PREDICTIONS)


def joined_inputs(store: Path, rna: Path, train: list[str], cfg: dict) -> Inputs:
    """Tile and cells streams (tile alone where the cohort has no cells), scaled on training patients, and RNA."""
    profiles = read_profiles(rna).of
    bags = widest(store)
    if bags.missing:
        return Inputs(None, {}, profiles)
    kinds = {s: cfg[f"pack.scaling_{s}"] for s in bags.streams}
    bags.scale(fit_scaler(bags, train, kinds, np.random.default_rng([cfg["seed"], 3])))
    return Inputs(bags, bags.of_patients(bags.patient_ids), profiles)


if __name__ == "__main__":
    run_step(main, globals())
