"""Embed the tiles of a group's slides."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.content import array_hash
from confuselt.embed.encoder import Encoder
from confuselt.embed.schema import STREAM_INDEX
from confuselt.embed.write_bag import write_bag
from confuselt.progress import progress
from confuselt.slides.ahead import Ahead
from confuselt.slides.group import run_group
from confuselt.slides.kept import keep_or_make, kept_facts, slide_key
from confuselt.slides.slide import Slide, Wanted
from confuselt.slides.workers import Workers
from confuselt.tables import read_table
from confuselt.tile.schema import GRID
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What a job embeds, with what, and where.

    Attributes
    ----------
    data, grids, folder : Path
        Where slides, grids, and bags lie.
    encoder : Encoder
    mpp : float
        ``tile.mpp``, for the recipe: what a slide's tiles truly have (a whole number of its pixels) is in
        ``tile/index``.
    workers : Workers, optional
        Who reads the tiles instead of this process.
    bring : callable
        Called before a slide itself is read.
    """

    data: Path
    grids: Path
    folder: Path
    encoder: Encoder
    mpp: float
    workers: Workers | None = None
    bring: Callable[[], None] = lambda: None

    def key(self, row: dict) -> str:
        """What the bag of a slide must have been made from."""
        made_by = self.encoder.name, self.encoder.weights, self.encoder.card.identity, self.mpp
        return slide_key(row, self.data, *made_by)

    def bag(self, row: dict) -> Path:
        """File of a slide's bag."""
        return self.folder / f"{row['slide_id']}.h5"

    def grid(self, row: dict) -> np.ndarray:
        """Left and top of a slide's tiles, (n, 2) int32."""
        return read_table(self.grids / f"{row['slide_id']}.parquet", GRID)[["x", "y"]].to_numpy(np.int32)

    def tiles(self, row: dict) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Tiles of a slide: see `Slide.tiles`."""
        self.bring()
        slide = Slide(self.data / row["file"], row["mpp_given"], row["reader"])
        yield from slide.tiles(self.grid(row), Wanted(int(row["tile_px"]), self.encoder.card.size), self.workers)


def embed_slides(rows: list[dict], job: Job) -> pd.DataFrame:
    """Index part of a group: ``<slide>.h5`` of every slide is made anew unless it still fits.

    While one slide is embedded the next is read.

    Parameters
    ----------
    rows : list of dict
        Sheet rows with the columns of ``tile/index``.
    job : Job
    """
    encoder, start, worked = job.encoder, time.perf_counter(), job.encoder.worked
    keys = {row["slide_id"]: job.key(row) for row in rows if not row.get("reason")}
    todo = {r["slide_id"]: r for r in rows if (key := keys.get(r["slide_id"])) and kept_facts(job.bag(r), key) is None}
    with Ahead(lambda slide: job.tiles(todo[slide]), list(todo), encoder.block, encoder.at_once) as ahead:
        table = run_group(rows, lambda row: _embed(row, keys[row["slide_id"]], job, ahead), STREAM_INDEX, job.folder)
    if todo:
        took = time.perf_counter() - start
        share = 100 * (encoder.worked - worked) / took
        log.info("%d slides in %.1f s; the encoder worked %.0f %% of it", len(todo), took, share)
    return table


def _embed(row: dict, key: str, job: Job, ahead: Ahead) -> dict:
    """``n, sha`` and ``unreadable`` tiles of one slide's bag; Unusable where a feature is not finite in float16."""

    def make(partial: Path) -> dict:
        coords = job.grid(row)
        features, seen = np.empty((len(coords), job.encoder.card.dim), np.float16), np.zeros(len(coords), bool)
        blocks = ahead.of(row["slide_id"])
        for at, pixels in progress(blocks, row["slide_id"], -(-len(coords) // job.encoder.at_once)):
            with np.errstate(over="ignore"):
                features[at] = job.encoder.embed(pixels)
            seen[at] = True
        features, coords = features[seen], coords[seen]
        if not np.isfinite(features).all():
            raise Unusable(
                f"{int((~np.isfinite(features)).any(1).sum())} tiles have features that are not finite in float16"
            )
        write_bag(partial, features, coords, recipe_of(job.encoder, job.mpp))
        return {"n": len(features), "sha": array_hash(features, coords), "unreadable": int((~seen).sum())}

    return keep_or_make(job.bag(row), key, make)


def recipe_of(encoder: Encoder, mpp: float) -> dict:
    """What made the features."""
    return {
        "name": encoder.name,
        "weights": encoder.weights[:16],
        "card": encoder.card.identity,
        "trained_on": json.dumps(list(encoder.card.trained_on)),
        "d": encoder.card.dim,
        "dtype": "float16",
        "tile_px": encoder.card.size,
        "mpp": mpp,
    }
