"""Fit one baseline on every fold of one repeat."""

from pathlib import Path

import pandas as pd

from confuselt.finetune.baselines import fit_cca, fit_clinical, fit_pca_cox, patient_vectors
from confuselt.finetune.folds import prediction_table, run_folds
from confuselt.finetune.schema import PREDICTIONS
from confuselt.finetune.targets import read_targets
from confuselt.learn.checkpoint import save_checkpoint
from confuselt.learn.kept import Kept
from confuselt.learn.store import Store, widest
from confuselt.rna.profiles import read_profiles
from confuselt.run_step import Output, Parts, run_step
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.tables import empty_table, read_table, write_table

READS = ("pack.scaling_tile", "pack.scaling_cells", "tasks.survival", "tasks.labels", "seed")


def main(
    store: Path,
    rna: list[Path],
    folds: Path,
    outcomes: Path,
    predictions: Output,
    models: Output,
    parts: Parts,
    baseline: str,
    repeat: int,
    cfg: dict,
    covariates: Path | None = None,
) -> None:
    """Clinical covariates (which that one alone is given), principal components, or canonical correlation."""
    table, targets = read_table(folds, FOLDS), read_targets(pd.read_parquet(outcomes), cfg)
    read = [folds, outcomes, *([covariates] if covariates else [])]

    # The widest streams are opened once; slides are read again in each fold, whose scaling is its own.
    bags = None if baseline == "clinical" else Store(store, widest(store))
    bags = None if bags is None or bags.missing else bags

    def train(fold: int, kept: Kept) -> tuple[dict, pd.DataFrame]:
        roles = read_roles(table, repeat, fold)
        learnable, lost = targets.learnable(roles["train"])
        if baseline == "clinical":
            known, found = fit_clinical(pd.read_parquet(covariates), learnable, roles)
            return known | {"not_learnable": lost | known["not_learnable"]}, found
        vectors, scaler = patient_vectors(bags, read_profiles(rna[fold]).of, roles["train"], cfg)
        if baseline == "cca":
            return fit_cca(vectors, roles) | {"scaler": scaler}, empty_table(PREDICTIONS)
        known, found = fit_pca_cox(vectors, learnable, roles)
        return known | {"not_learnable": lost | known["not_learnable"], "scaler": scaler}, found

    found, rows, reason = run_folds(train, len(rna), lambda fold: [store, rna[fold], *read], cfg, parts)
    save_checkpoint(
        {"status": "not available" if reason else "ok", "reason": reason or "", "arm": baseline, "folds": found}, models
    )
    write_table(prediction_table(rows, baseline, repeat), predictions, PREDICTIONS)


if __name__ == "__main__":
    run_step(main, globals())
