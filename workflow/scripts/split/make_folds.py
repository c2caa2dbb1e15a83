"""Repeated, site-preserving folds with an inner validation part."""

from pathlib import Path

import pandas as pd

from confuselt.run_step import Output, run_step
from confuselt.split.folds import folds_from_file, usable_patients
from confuselt.split.folds import make_folds as random_folds
from confuselt.split.schema import FOLDS
from confuselt.tables import write_table

READS = ("acquire.id_column", "split.*", "-split.file", "-split.from", "seed", "tasks.survival", "tasks.labels")


def main(outcomes: Path, patients: Path, folds: Output, cfg: dict, fold_file: Path | None = None) -> None:
    """Freeze who is tested when."""
    facts = usable_patients(pd.read_parquet(outcomes), pd.read_parquet(patients))
    table = folds_from_file(fold_file, facts, cfg) if fold_file else random_folds(facts, cfg)
    write_table(table, folds, FOLDS)


if __name__ == "__main__":
    run_step(main, globals())
