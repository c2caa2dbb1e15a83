"""Which genes and cell features move the predictions of two arms, on test patients of the first repeat."""

import logging
from pathlib import Path

import pandas as pd

from confuselt.evaluate.attributions import of_cells, of_genes
from confuselt.evaluate.schema import ATTRIBUTIONS
from confuselt.finetune.arms import parse_arm
from confuselt.learn.checkpoint import load_checkpoint
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

log = logging.getLogger(__name__)


def main(store: Path, folds: Path, rna: list[Path], arm_models: list[Path], attributions: Output) -> None:
    """Of an arm of RNA the genes, of one of slides the cell features; an arm that could not be trained has no rows."""
    repeat = pd.read_parquet(folds).query("repeat == 0")
    found = [pd.DataFrame(columns=list(ATTRIBUTIONS.columns))]
    for model in map(load_checkpoint, arm_models):
        if model["status"] != "ok":
            log.info("%s: %s", model["arm"], model["status"])
        elif parse_arm(model["arm"]).modality == "rna":
            found.append(of_genes(model, rna, repeat))
        else:
            found.append(of_cells(model, store, repeat))
    table = pd.concat([part for part in found if len(part)] or found, ignore_index=True)
    write_table(
        table.astype({k: v for k, v in ATTRIBUTIONS.columns.items() if v != "string"}), attributions, ATTRIBUTIONS
    )


if __name__ == "__main__":
    run_step(main, globals())
