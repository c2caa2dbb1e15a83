"""Index of all tiled slides of a cohort."""

from pathlib import Path

from confuselt.acquire.excluded import check_excluded
from confuselt.acquire.schema import SLIDES
from confuselt.run_step import Output, run_step
from confuselt.slides.group import join_parts, say_warnings
from confuselt.tables import read_table, write_table
from confuselt.tile.plausible import odd_slides
from confuselt.tile.schema import TILE_INDEX

READS = ()


def main(parts: list[Path], slides: Path, index: Output, max_excluded: float = 0.2) -> None:
    """Join the parts; an error lists the slides where too many are excluded."""
    table = join_parts(parts, read_table(slides, SLIDES), TILE_INDEX)
    check_excluded(table, max_excluded, "slides", "slide_id")
    table["warning"] = odd_slides(table)
    say_warnings(table)
    write_table(table, index, TILE_INDEX)


if __name__ == "__main__":
    run_step(main, globals())
