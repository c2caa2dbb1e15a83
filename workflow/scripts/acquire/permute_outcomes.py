"""Outcomes of a control: permuted together, over all patients or within site, before the folds are made."""

from pathlib import Path

import pandas as pd

from confuselt.acquire.permute import permute
from confuselt.acquire.schema import CLINICAL
from confuselt.run_step import Output, run_step
from confuselt.tables import read_table, write_table

READS = ("seed",)


def main(clinical: Path, permuted: Output, cfg: dict) -> None:
    """Break the link between a patient and its outcomes, keep everything else."""
    table: pd.DataFrame = read_table(clinical, CLINICAL)
    write_table(permute(table, bool(cfg["within_site"]), (cfg["seed"], cfg["draw"])), permuted, CLINICAL)


if __name__ == "__main__":
    run_step(main, globals())
