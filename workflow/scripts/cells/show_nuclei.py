"""Nuclei of one slide to look at: over its tiles, as maps, and for QuPath."""

from pathlib import Path

import h5py

from confuselt.cells.schema import NUCLEI
from confuselt.cells.shown import mosaic, picture, write_geojson
from confuselt.run_step import Output, run_step
from confuselt.slides.group import after
from confuselt.slides.slide import Slide
from confuselt.tables import read_table
from confuselt.tile.schema import GRID, TILE_INDEX

READS = ("data", "cells.card", "cells.roles")
BACKENDS = ("confuselt.slides.readers.{rows.reader}",)


def main(tiles: Path, typed: Path, image: Output, nuclei: Output, cfg: dict, slide: str) -> None:
    """Draw and export what `find_cells` has kept of a slide."""
    rows = [{**r, "mpp_given": r["mpp"]} for r in cfg["rows"] if r["slide_id"] == slide]
    row, folder = after(read_table(tiles, TILE_INDEX), "tile", rows)[0], typed.parent.parent
    kept = folder / f"{slide}.nuclei.parquet"
    if row["reason"] or not kept.is_file():
        raise ValueError(f"{slide}: no nuclei are kept of it ({row['reason'] or 'cells.keep_nuclei: false'})")
    found, roles = read_table(kept, NUCLEI), cfg["cells.card"].get("types") or cfg["cells.roles"]
    grid, size = read_table(tiles.parent.parent / f"{slide}.parquet", GRID), int(row["tile_px"])
    with h5py.File(folder / f"{slide}.h5") as file:
        features, coords = file["features"][()], file["coords"][()]
    opened = Slide(Path(cfg["data"]) / row["file"], row["mpp_given"], row["reader"])
    sheet = mosaic(opened, grid, size, found, roles)
    picture(slide, sheet, coords, features, size).savefig(image, dpi=150, format="png")
    left, top = opened.bounds
    write_geojson(nuclei, found.assign(x=found["x"] - left, y=found["y"] - top), roles)


if __name__ == "__main__":
    run_step(main, globals())
