"""Ready-made cells stream of a cohort: one store and its index."""

from pathlib import Path

import pandas as pd

from confuselt.acquire.excluded import check_excluded
from confuselt.cells.schema import CELLS_INDEX
from confuselt.embed.ready import import_stream
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

READS = ("data", "acquire.id_column", "acquire.cells")


def main(slides: Path, index: Output, features: Output, cfg: dict, max_excluded: float = 0.2) -> None:
    """Check and join the cell-type-related features of every slide."""
    table = import_stream(pd.read_parquet(slides), "cells", cfg, {"name": "ready"}, features)
    check_excluded(table, max_excluded, "slides", "slide_id")
    write_table(table.reindex(columns=list(CELLS_INDEX.columns)), index, CELLS_INDEX)


if __name__ == "__main__":
    run_step(main, globals())
