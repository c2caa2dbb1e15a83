"""Tissue, pen and tile grid of the slides of a group."""

from pathlib import Path

from confuselt.acquire.schema import FETCHED
from confuselt.run_step import Output, run_step
from confuselt.slides.group import after, run_group
from confuselt.tables import read_table, write_table
from confuselt.tile.group import tile_slide
from confuselt.tile.schema import TILE_INDEX

READS = ("data", "tile.*")
BACKENDS = ("confuselt.slides.readers.{rows.reader}",)


def main(part: Output, cfg: dict, fetched: Path | None = None) -> None:
    """A grid and an overview per slide, and the group's part of the index.

    A slide that could not be fetched keeps its reason.
    """
    rows = after(read_table(fetched, FETCHED), "acquire", cfg["rows"]) if fetched else cfg["rows"]
    own = {k: v for k, v in cfg.items() if k.startswith("tile.")}
    folder = part.parent.parent
    write_table(
        run_group(rows, lambda row: tile_slide(row, Path(cfg["data"]), folder, own), TILE_INDEX, folder),
        part,
        TILE_INDEX,
    )


if __name__ == "__main__":
    run_step(main, globals())
