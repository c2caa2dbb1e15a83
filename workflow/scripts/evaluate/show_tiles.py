"""Tiles that the arms of slides look at most and least, on test patients of the first fold."""

from pathlib import Path

import pandas as pd

from confuselt.evaluate.schema import ATTENTION, TILES
from confuselt.learn.checkpoint import load_checkpoint
from confuselt.report.top_tiles import looked_at, with_pictures
from confuselt.run_step import Output, run_step
from confuselt.split.roles import read_roles
from confuselt.tables import write_table

READS = ("data",)
BACKENDS = ("confuselt.slides.readers.{rows.reader}",)


def main(
    store: Path, folds: Path, arm_models: list[Path], tile_index: Path, tiles: Output, attention: Output, cfg: dict
) -> None:
    """An arm that could not be trained has no rows."""
    models = [model for model in map(load_checkpoint, arm_models) if model["status"] == "ok"]
    sizes = pd.read_parquet(tile_index).query("status == 'ok'").set_index("slide_id")["tile_px"]
    slides = {
        row["slide_id"]: {**row, "mpp_given": row["mpp"], "tile_px": sizes[row["slide_id"]]}
        for row in cfg["rows"]
        if row["slide_id"] in sizes
    }
    test = read_roles(pd.read_parquet(folds), 0, 0)["test"]
    ends, whole = looked_at(models, store, test)
    write_table(whole, attention, ATTENTION)
    write_table(with_pictures(ends, slides, Path(cfg["data"])), tiles, TILES)


if __name__ == "__main__":
    run_step(main, globals())
