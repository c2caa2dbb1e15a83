"""Deep cell-type features of a group's slides: a row per role."""

from pathlib import Path

import pandas as pd

from confuselt.cells.deep import Pooling, pool_slide
from confuselt.cells.schema import DEEP_INDEX
from confuselt.device import pick_device
from confuselt.embed.checked import check_same
from confuselt.embed.encoder import load_encoder
from confuselt.run_step import Output, run_step
from confuselt.slides.group import after, run_group
from confuselt.tables import write_table

READS = ("data", "embed.encoder", "embed.card", "cells.card", "cells.roles", "cells.crops")
BACKENDS = ("confuselt.embed.encoders.{embed.card.loader}", "confuselt.slides.readers.{rows.reader}")


def main(
    tiles: Path,
    embedded: Path,
    typed: Path,
    part: Output,
    cfg: dict,
    weights: Path | None = None,
    file: str = "",
    device: str = "auto",
) -> None:
    """A bag of roles per slide, and the group's part of the index."""
    rows = after(pd.read_parquet(tiles), "tile", [{**r, "mpp_given": r["mpp"]} for r in cfg["rows"]])
    for index, stage in ((embedded, "embed"), (typed, "cells")):
        rows = [{**r, f"{stage}_sha": r["sha"]} for r in after(pd.read_parquet(index), stage, rows)]
    encoder, roles = None, cfg["cells.card"].get("types") or cfg["cells.roles"]
    if cfg["cells.crops"]:
        encoder = load_encoder(cfg["embed.encoder"], cfg["embed.card"], file or None, pick_device(device))
        check_same(encoder, weights)
    folders = (typed.parent.parent, embedded.parent.parent, part.parent.parent)
    job = Pooling(Path(cfg["data"]), *folders, encoder, cfg["cells.crops"], roles)
    write_table(run_group(rows, lambda row: pool_slide(row, job), DEEP_INDEX, job.folder), part, DEEP_INDEX)


if __name__ == "__main__":
    run_step(main, globals())
