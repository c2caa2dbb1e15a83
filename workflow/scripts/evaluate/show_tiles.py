"""Tiles that the arms of slides look at most and least, on test patients of the first fold."""

from pathlib import Path

import pandas as pd

from confuselt.evaluate.schema import TILES
from confuselt.evaluate.top_tiles import tiles_of_arms
from confuselt.learn.checkpoint import load_checkpoint
from confuselt.run_step import Output, run_step
from confuselt.split.roles import read_roles
from confuselt.tables import write_table

READS = ("data",)
BACKENDS = ("confuselt.slides.readers.{rows.reader}",)


def main(store: Path, folds: Path, arm_models: list[Path], tile_index: Path, tiles: Output, cfg: dict) -> None:
    """An arm that could not be trained has no rows."""
    models = [model for model in map(load_checkpoint, arm_models) if model["status"] == "ok"]
    sizes = pd.read_parquet(tile_index).query("status == 'ok'").set_index("slide_id")["tile_px"]
    slides = {
        row["slide_id"]: {**row, "mpp_given": row["mpp"], "tile_px": sizes[row["slide_id"]]}
        for row in cfg["rows"]
        if row["slide_id"] in sizes
    }
    test = read_roles(pd.read_parquet(folds), 0, 0)["test"]
    write_table(tiles_of_arms(models, store, test, slides, Path(cfg["data"])), tiles, TILES)


if __name__ == "__main__":
    run_step(main, globals())
