"""Trained models on another cohort, with either or both modalities."""

from pathlib import Path

import anndata as ad
import pandas as pd

from confuselt.finetune.arms import parse_arm
from confuselt.finetune.run_arm import first_available
from confuselt.learn.checkpoint import load_checkpoint
from confuselt.predict.cohort import FoldModel, lost_inputs, not_served, predict_cohort
from confuselt.predict.schema import PREDICTIONS
from confuselt.rna.normalise import Normaliser
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

READS = ("predict.arm", "predict.rna")


def main(
    store: Path,
    counts: Path,
    patients: Path,
    tile_index: Path,
    cells_index: Path,
    pooled_index: list[Path],
    rna_index: Path,
    models: list[Path],
    normalisers: list[Path],
    checkpoints: list[Path],
    other_checkpoints: list[Path],
    predictions: Output,
    cfg: dict,
    max_excluded: float = 0.2,
) -> None:
    """A row per patient and input pattern that the patient allows.

    A patient without usable input is a row with the reason.
    """
    arm = parse_arm(cfg["predict.arm"])
    contents = [load_checkpoint(p) for p in models]
    lost = [c["reason"] for c in contents if c["status"] != "ok"]
    if lost:
        raise ValueError(
            f"arm '{cfg['predict.arm']}' was not available in training: {lost[0]}; choose another predict.arm"
        )
    facts = [fold for content in contents for fold in content["folds"]]
    normaliser = [Normaliser.load(p) if p.stat().st_size > 2 else None for p in normalisers]
    towers = [[paths[i] for paths in (checkpoints, other_checkpoints) if paths] for i in range(len(facts))]
    encoders = [first_available([load_checkpoint(p) for p in some]) for some in towers]
    folds = [FoldModel(*parts) for parts in zip(facts, normaliser, encoders, strict=True)]
    people = pd.read_parquet(patients)
    usable = list(people.loc[people["status"] == "ok", "patient_id"])
    rna, options = ad.read_h5ad(counts), cfg["predict.rna"]
    table = predict_cohort(arm, contents[0], folds, store, rna, usable, options, max_excluded)
    cells = {"tile-cells": [cells_index], "deepcells": pooled_index}
    read = {"wsi": [tile_index, *cells.get(arm.streams, [])], "rna": [rna_index]}
    lost = lost_inputs(
        [pd.read_parquet(p) for modality, paths in read.items() if arm.modality in (modality, "both") for p in paths]
    )
    rest = not_served(people, set(table["patient_id"]) if len(table) else set(), lost, cfg["predict.arm"])
    whole = (
        pd.concat([table, rest], ignore_index=True) if len(table) else rest.reindex(columns=list(PREDICTIONS.columns))
    )
    # A name such as p_er_ihc_pos does not say where the label ends.
    write_table(whole, predictions, PREDICTIONS, {"classes": contents[0]["classes"]})


if __name__ == "__main__":
    run_step(main, globals())
