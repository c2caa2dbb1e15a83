"""Whether nuclei that somebody brings lie where the tissue of this slide lies."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from confuselt.cells.owned import owned
from confuselt.unusable import Unusable

SPREAD, TELL = 0.6, 50  # of the tiles' extent that nuclei must reach, and how many tell
EMPTY, SOME_TILES = 0.5, 20  # of the tiles that may hold no nucleus, and how many tell


@dataclass(frozen=True)
class Extent:
    """The slide that the nuclei are of, in level-0 pixels.

    Attributes
    ----------
    mpp : float
        µm per pixel.
    width, height : int
    left, top : int
        Where the places of the nuclei begin.
    """

    mpp: float
    width: int
    height: int
    left: int = 0
    top: int = 0


def check_within(found: pd.DataFrame, slide: Extent, where: str) -> None:
    """Raise Unusable where nuclei, one or more, reach beyond the slide."""
    (left, top), (right, bottom) = (getattr(found[["x", "y"]], f)().to_numpy() for f in ("min", "max"))
    slack = 0.01 * max(slide.width, slide.height)
    if right > slide.width + slack or bottom > slide.height + slack or min(left, top) < -slack:
        raise Unusable(
            f"{where}: nuclei reach from ({left:.0f}, {top:.0f}) to ({right:.0f}, {bottom:.0f}), the slide has "
            f"{slide.width} x {slide.height} pixels: are they of another slide, or of a larger picture of it?"
        )


def check_on_tiles(nuclei: pd.DataFrame, tiles: pd.DataFrame, size: int, where: str) -> None:
    """Raise Unusable where nuclei are not those of the tissue under the tiles.

    They reach over a corner of it only (places of a smaller picture, or in µm); they are denser beside the tiles than
    in them (x and y swapped, another slide); most tiles hold none (a region of the slide was looked at).

    Parameters
    ----------
    nuclei, tiles : DataFrame
        With ``x, y``.
    size : int
        Side of a tile.
    where : str
    """
    if len(nuclei) < TELL or len(tiles) < 2:
        return
    reach = nuclei[["x", "y"]].to_numpy(float).max(0) / (tiles[["x", "y"]].to_numpy(float).max(0) + size)
    if (reach < SPREAD).all():
        raise Unusable(
            f"{where}: its nuclei reach to ({nuclei['x'].max():.0f}, {nuclei['y'].max():.0f}), the tiles of the slide "
            f"to ({tiles['x'].max() + size}, {tiles['y'].max() + size}): are they in µm or of a smaller picture? "
            "Wanted are level-0 pixels"
        )
    places, corners = nuclei[["x", "y"]].to_numpy(float), tiles[["x", "y"]].to_numpy(float)
    tile, nucleus = owned(places, corners, size)
    # How much of the field the tiles cover, in quarters of their side: they may overlap.
    quarter = size / 4
    steps = np.stack(np.meshgrid(range(4), range(4)), -1).reshape(1, -1, 2)
    covered = np.unique((corners[:, None] // quarter + steps).reshape(-1, 2), axis=0)
    field = np.prod(np.maximum(places.max(0), corners.max(0) + size) - np.minimum(places.min(0), corners.min(0)))
    within, share = len(np.unique(nucleus)) / len(nuclei), min(len(covered) * quarter**2 / field, 1)
    if within < 0.5 * share:
        raise Unusable(
            f"{where}: {within:.0%} of its nuclei lie in the tiles, which cover {share:.0%} of the field; are x and y "
            "swapped, or are they of another slide?"
        )
    empty = 1 - len(np.unique(tile)) / len(tiles)
    if len(tiles) >= SOME_TILES and empty > EMPTY:
        raise Unusable(
            f"{where}: {empty:.0%} of the {len(tiles)} tiles hold no nucleus; was only a region looked at? "
            "What lies beside it would count as empty"
        )
