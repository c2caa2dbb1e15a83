"""Slides of a group of a simulated cohort, and what is truly on them."""

from pathlib import Path

from confuselt.run_step import Output, run_step
from confuselt.simulate.draw_slide import draw_slide
from confuselt.simulate.schema import DRAWN
from confuselt.simulate.sections import simulate_sections
from confuselt.slides.group import run_group
from confuselt.tables import write_table

READS = (
    "simulate.*",
    "-simulate.level",
    "-simulate.tiles",
    "-simulate.modalities",
    "-simulate.cells",
    "-simulate.shared",
)


def main(part: Output, cfg: dict) -> None:
    """Draw the slides that are not there yet."""
    folder: Path = part.parent.parent
    sections = simulate_sections({k: v for k, v in cfg.items() if k != "rows"}).sections
    table = run_group(
        cfg["rows"], lambda row: draw_slide(sections[row["slide_id"]], folder / row["file"], folder / "truth"), DRAWN
    )
    write_table(table, part, DRAWN)


if __name__ == "__main__":
    run_step(main, globals())
