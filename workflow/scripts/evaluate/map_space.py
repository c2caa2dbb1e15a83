"""A map of the joint space of slides and RNA, of the test patients of the first fold."""

from pathlib import Path

import pandas as pd

from confuselt.evaluate.schema import SPACE
from confuselt.evaluate.space import joint_map
from confuselt.learn.checkpoint import load_checkpoint
from confuselt.run_step import Output, run_step
from confuselt.split.roles import read_roles
from confuselt.tables import write_table

READS = ("seed",)


def main(store: Path, folds: Path, rna: Path, checkpoint: Path, space: Output, cfg: dict) -> None:
    """Of a model that could not be trained, or of too few pairs, the table is empty."""
    test = read_roles(pd.read_parquet(folds), 0, 0)["test"]
    write_table(joint_map(load_checkpoint(checkpoint), store, rna, test, cfg["seed"]), space, SPACE)


if __name__ == "__main__":
    run_step(main, globals())
