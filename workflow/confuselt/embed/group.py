"""Embed the tiles of a slide."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from confuselt.content import array_hash
from confuselt.embed.encoder import Encoder
from confuselt.embed.write_bag import write_bag
from confuselt.progress import progress
from confuselt.slides.kept import keep_or_make, slide_key
from confuselt.slides.slide import BATCH, Slide, Wanted
from confuselt.slides.workers import Workers
from confuselt.tables import read_table
from confuselt.tile.schema import GRID
from confuselt.unusable import Unusable


def embed_slide(
    row: dict,
    data: Path,
    grids: Path,
    folder: Path,
    encoder: Encoder,
    mpp: float,
    workers: Workers | None = None,
    bring: Callable[[], None] = lambda: None,
) -> dict:
    """``n, sha`` and ``unreadable`` tiles of one slide's bag.

    ``<slide>.h5`` in `folder` is made anew unless it still fits.

    Parameters
    ----------
    row : dict
        Sheet row with the columns of ``tile/index``.
    data, grids, folder : Path
        Where slides, grids, and bags lie.
    encoder : Encoder
    mpp : float
        ``tile.mpp``, for the recipe: what a slide's tiles truly have (a whole number of its pixels) is in
        ``tile/index``.
    workers : Workers, optional
        Who reads the tiles instead of this process.
    bring : callable
        Called before the slide itself is read.

    Raises
    ------
    Unusable
        The slide is broken, or a feature is not finite in float16.
    """

    def make(partial: Path) -> dict:
        bring()
        slide, tiles = (
            Slide(data / row["file"], row["mpp_given"], row["reader"]),
            read_table(grids / f"{row['slide_id']}.parquet", GRID),
        )
        coords = tiles[["x", "y"]].to_numpy(np.int32)
        features, seen = np.empty((len(tiles), encoder.card.dim), np.float16), np.zeros(len(tiles), bool)
        batches = slide.tiles(coords, Wanted(int(row["tile_px"]), encoder.card.size), workers)
        for at, pixels in progress(batches, row["slide_id"], -(-len(tiles) // BATCH)):
            with np.errstate(over="ignore"):
                features[at] = encoder.embed(pixels)
            seen[at] = True
        features, coords = features[seen], coords[seen]
        if not np.isfinite(features).all():
            raise Unusable(
                f"{int((~np.isfinite(features)).any(1).sum())} tiles have features that are not finite in float16"
            )
        write_bag(partial, features, coords, recipe_of(encoder, mpp))
        return {"n": len(features), "sha": array_hash(features, coords), "unreadable": int((~seen).sum())}

    return keep_or_make(
        folder / f"{row['slide_id']}.h5",
        slide_key(row, data, encoder.name, encoder.weights, encoder.card.identity, mpp),
        make,
    )


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
