"""Tile a slide."""

from collections.abc import Callable
from pathlib import Path

from confuselt.content import frame_hash
from confuselt.slides.kept import fit_key, keep_or_make, slide_state
from confuselt.slides.picture import write_picture
from confuselt.slides.slide import Slide
from confuselt.tables import write_table
from confuselt.tile.grid import cut, overview
from confuselt.tile.schema import GRID
from confuselt.unusable import Unusable


def tile_slide(row: dict, data: Path, folder: Path, cfg: dict, bring: Callable[[], None] = lambda: None) -> dict:
    """Facts of one slide's grid: ``n, sha`` and the columns of `TILE_INDEX`.

    Writes ``<slide>.parquet`` and the overview ``<slide>.png`` into `folder`, unless those there still fit; `bring`
    is called before the slide itself is read.
    """
    path = data / row["file"] if row["file"] else None
    if path is None:
        raise Unusable("the slide sheet names no file")
    shown = folder / f"{row['slide_id']}.png"

    def make(partial: Path) -> dict:
        bring()
        slide = Slide(path, row["mpp"], row["reader"])
        grid = cut(slide, cfg)
        write_picture(overview(grid, slide), shown)
        write_table(grid.tiles, partial, GRID, meta={"slide_id": row["slide_id"], **grid.facts})
        return {"n": len(grid.tiles), "sha": frame_hash(grid.tiles), **grid.facts, **grid.left_out}

    return keep_or_make(folder / f"{row['slide_id']}.parquet", grid_key(row, data, cfg), make, [shown])


def grid_key(row: dict, data: Path, cfg: dict) -> str:
    """What the grid of a slide must have been made from."""
    sheet = {name: row[name] for name in ("slide_id", "file", "mpp", "reader")}
    return fit_key(sheet, cfg, slide_state(row, data / row["file"]))
