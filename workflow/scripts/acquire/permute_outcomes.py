"""Outcomes of a control: permuted together, over all patients or within site, before the folds are made."""

from pathlib import Path

import pandas as pd

from confuselt.acquire.schema import OUTCOMES
from confuselt.controls.permuted import outcome_columns, permute
from confuselt.run_step import Output, run_step
from confuselt.tables import read_table, write_table

READS = ("seed", "tasks.survival", "tasks.labels")
CONTROLS = {"permuted": False, "permuted-within-site": True}


def main(outcomes: Path, permuted: Output, control: str, draw: int, cfg: dict) -> None:
    """Break the link between a patient and its outcomes, keep everything else.

    `control` is "permuted" (over all patients) or "permuted-within-site"; `draw` is the number of the control.
    """
    if control not in CONTROLS:
        raise ValueError(f"control '{control}' permutes no outcomes; known: {', '.join(CONTROLS)}")
    table: pd.DataFrame = read_table(outcomes, OUTCOMES)
    write_table(permute(table, outcome_columns(cfg), CONTROLS[control], (cfg["seed"], draw)), permuted, OUTCOMES)


if __name__ == "__main__":
    run_step(main, globals())
