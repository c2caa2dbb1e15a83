"""Index of the deep cell-type features of a cohort."""

from pathlib import Path

from confuselt.acquire.excluded import check_excluded
from confuselt.acquire.schema import SLIDES
from confuselt.cells.schema import DEEP_INDEX
from confuselt.run_step import Output, run_step
from confuselt.slides.group import join_parts
from confuselt.tables import read_table, write_table

READS = ()


def main(parts: list[Path], slides: Path, index: Output, max_excluded: float = 0.2) -> None:
    """Join the parts; an error lists the slides where too many are excluded."""
    table = join_parts(parts, read_table(slides, SLIDES), DEEP_INDEX)
    check_excluded(table, max_excluded, "slides", "slide_id")
    write_table(table, index, DEEP_INDEX)


if __name__ == "__main__":
    run_step(main, globals())
