"""Nuclei and cell-type-related features of the tiles of a group's slides."""

from pathlib import Path

import pandas as pd

from confuselt.cells.checked import check_same
from confuselt.cells.finder import Machine
from confuselt.cells.group import Job, type_slide
from confuselt.cells.load import load_source
from confuselt.cells.schema import CELLS_INDEX
from confuselt.run_step import Output, run_step
from confuselt.slides.group import after, run_group
from confuselt.tables import write_table

READS = (
    "data",
    "cells.method",
    "cells.card",
    "cells.nuclei",
    "cells.roles",
    "cells.origin",
    "cells.max_tiles",
    "cells.keep_nuclei",
)
BACKENDS = ("confuselt.cells.finders.{cells.card.finder}", "confuselt.slides.readers.{rows.reader}")


def main(
    tiles: Path,
    part: Output,
    cfg: dict,
    cell_weights: Path | None = None,
    cell_file: str = "",
    device: str = "auto",
    workers: int = 0,
    compiled: int = 0,
) -> None:
    """A bag per slide, aligned with its tiles, and the group's part of the index.

    `cell_weights` says what the `cell_file` of the finder's weights must be; none where it needs none.
    """
    rows = after(pd.read_parquet(tiles), "tile", [{**r, "mpp_given": r["mpp"]} for r in cfg["rows"]])
    grids, folder = tiles.parent.parent, part.parent.parent
    source = load_source(cfg, cell_file or None, Machine(device, workers, bool(compiled)))
    check_same(source.recipe(), cell_weights)
    job = Job(Path(cfg["data"]), grids, folder, source, cfg["cells.keep_nuclei"])
    write_table(run_group(rows, lambda row: type_slide(row, job), CELLS_INDEX, folder), part, CELLS_INDEX)


if __name__ == "__main__":
    run_step(main, globals())
