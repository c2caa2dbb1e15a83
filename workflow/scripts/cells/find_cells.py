"""Nuclei and cell-type-related features of the tiles of a group's slides."""

from pathlib import Path

import pandas as pd

from confuselt.cells.group import type_slide
from confuselt.cells.schema import CELLS_INDEX
from confuselt.run_step import Output, run_step
from confuselt.slides.group import after, run_group
from confuselt.tables import write_table

READS = ("data", "cells.method", "cells.keep_nuclei")
BACKENDS = ("confuselt.cells.finders.{cells.method}", "confuselt.slides.readers.{rows.reader}")


def main(tiles: Path, part: Output, cfg: dict) -> None:
    """A bag per slide, aligned with its tiles, and the group's part of the index."""
    rows = after(pd.read_parquet(tiles), "tile", [{**r, "mpp_given": r["mpp"]} for r in cfg["rows"]])
    grids, folder = tiles.parent.parent, part.parent.parent
    table = run_group(
        rows,
        lambda row: type_slide(row, Path(cfg["data"]), grids, folder, cfg["cells.method"], cfg["cells.keep_nuclei"]),
        CELLS_INDEX,
        folder,
    )
    write_table(table, part, CELLS_INDEX)


if __name__ == "__main__":
    run_step(main, globals())
