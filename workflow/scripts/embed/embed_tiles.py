"""Deep features of the tiles of a group's slides."""

from contextlib import nullcontext
from pathlib import Path

import pandas as pd

from confuselt.device import pick_device
from confuselt.embed.checked import check_same
from confuselt.embed.encoder import load_encoder
from confuselt.embed.group import Job, embed_slides
from confuselt.embed.schema import STREAM_INDEX
from confuselt.run_step import Output, run_step
from confuselt.slides.group import after
from confuselt.slides.slide import BATCH
from confuselt.slides.workers import Workers
from confuselt.tables import write_table

READS = ("data", "embed.encoder", "embed.card", "tile.mpp")
MOST_BYTES = BATCH * 1024 * 1024 * 3  # of a batch: no encoder takes larger tiles
BACKENDS = ("confuselt.embed.encoders.{embed.card.loader}", "confuselt.slides.readers.{rows.reader}")


def main(
    tiles: Path,
    part: Output,
    cfg: dict,
    weights: Path | None = None,
    file: str = "",
    device: str = "auto",
    compiled: int = 0,
    workers: int = 0,
) -> None:
    """A bag per slide, and the group's part of the index.

    `weights` says what the `file` of the encoder's weights must be; none where a package brings them.
    """
    rows = after(pd.read_parquet(tiles), "tile", [{**r, "mpp_given": r["mpp"]} for r in cfg["rows"]])
    grids, folder = tiles.parent.parent, part.parent.parent
    # Processes are forked before a GPU is touched.
    with Workers(workers, MOST_BYTES) if workers else nullcontext() as reading:
        encoder = load_encoder(
            cfg["embed.encoder"], cfg["embed.card"], file or None, pick_device(device), bool(compiled)
        )
        check_same(encoder, weights)
        table = embed_slides(rows, Job(Path(cfg["data"]), grids, folder, encoder, cfg["tile.mpp"], reading))
    write_table(table, part, STREAM_INDEX)


if __name__ == "__main__":
    run_step(main, globals())
