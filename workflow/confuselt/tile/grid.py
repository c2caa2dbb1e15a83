"""Tiles of a slide: where, how much tissue, and how sharp."""

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from confuselt.content import array_hash
from confuselt.number import number_of
from confuselt.progress import progress
from confuselt.slides.slide import BATCH, Slide, Wanted
from confuselt.tile.focus import FOCUS_MPP, focus
from confuselt.tile.pen import under_pen
from confuselt.tile.tissue import MPP, SPECK_UM2, look
from confuselt.unusable import Unusable


@dataclass(frozen=True)
class Grid:
    """Tiles of a slide.

    Attributes
    ----------
    tiles : DataFrame
        Columns of ``tile/grid``: a row per kept tile.
    facts : dict
        What the file's metadata says: mpp and its source, effective mpp, size of a tile in level-0 pixels, dimensions;
        and kind and level of the slide's stain (`tile.stain.Stain`).
    tissue, pen : (h, w) bool
        Masks at `MPP` µm per pixel.
    image : (h, w, 3) uint8
        The slide at `MPP`.
    left_out : dict of str to int
        Tiles that were left out, by reason: ``under_pen``, those that would have enough tissue if what lies under ink
        is like what lies beside it, wholly covered ones too; of the others with enough ``unreadable`` and
        ``out_of_focus``; of what is left ``not_drawn``, beyond ``tile.max_tiles``.
    """

    tiles: pd.DataFrame
    facts: dict
    tissue: np.ndarray
    pen: np.ndarray
    image: np.ndarray
    left_out: dict[str, int]


def cut(slide: Slide, cfg: dict) -> Grid:
    """Find tissue and lay the grid.

    Parameters
    ----------
    slide : Slide
    cfg : dict
        Keys ``tile.*``.

    Raises
    ------
    Unusable
        No tissue, or no tile with enough of it: the reason says which, with numbers.
    """
    image = slide.whole(MPP)
    tissue, pen, stain = look(image, MPP)
    if not tissue.any():
        raise Unusable(
            f"{slide.path.name}: no tissue found (no piece of {SPECK_UM2:,.0f} µm² is denser than the glass"
            + (f" and no ink; {pen.mean():.1%} of the slide is ink)" if pen.any() else ")")
        )
    step = cfg["tile.size"] * cfg["tile.mpp"] / slide.mpp
    size = round(step)
    if slide.mpp > 1.2 * cfg["tile.mpp"]:
        raise Unusable(
            f"{slide.path.name}: {slide.mpp:.3g} µm per pixel at best, tiles of {cfg['tile.mpp']} are wanted "
            "(tile.mpp); it would have to be enlarged"
        )
    x, y = _places(slide, step, cfg["tile.overlap"])
    share, ink, hidden = (_share(mask, x, y, size, slide) for mask in (tissue, pen, under_pen(tissue, pen, MPP)))
    enough = (share >= cfg["tile.min_tissue"]) & (ink <= cfg["tile.max_pen"])
    left_out = {"under_pen": int(((share + hidden >= cfg["tile.min_tissue"]) & ~enough).sum())}
    keep = np.flatnonzero(enough)
    if not len(keep):
        most = share.max() if len(share) else 0.0
        raise Unusable(
            f"{slide.path.name}: no tile of {cfg['tile.size'] * cfg['tile.mpp']:.0f} µm has "
            f"{cfg['tile.min_tissue']:.0%} tissue and at most {cfg['tile.max_pen']:.0%} pen "
            f"(the fullest has {most:.0%}; {left_out['under_pen']} lie under pen)"
        )
    side = round(size * slide.mpp / max(FOCUS_MPP, slide.mpp))
    sharp = np.full(len(keep), np.nan)
    batches = slide.tiles(np.stack([x[keep], y[keep]], 1), Wanted(size, side))
    for some, pixels in progress(batches, slide.path.name, -(-len(keep) // BATCH)):
        sharp[some] = focus(pixels, stain.glass, stain.level)
    left_out |= {"unreadable": int(np.isnan(sharp).sum()), "out_of_focus": int((sharp < cfg["tile.min_focus"]).sum())}
    chosen = sharp >= cfg["tile.min_focus"]
    if not chosen.any():
        raise Unusable(
            f"{slide.path.name}: all {len(keep)} tiles are out of focus (sharpest {np.nanmax(sharp):.1f}, "
            f"tile.min_focus {cfg['tile.min_focus']})"
        )
    drawn = _drawn(np.flatnonzero(chosen), cfg["tile.max_tiles"], slide.path.stem)
    left_out["not_drawn"] = int(chosen.sum()) - len(drawn)
    at = keep[drawn]
    tiles = pd.DataFrame({"x": x[at], "y": y[at], "tissue": share[at], "pen": ink[at], "focus": sharp[drawn]})
    facts = {
        "mpp": slide.mpp,
        "mpp_source": slide.mpp_source,
        "mpp_file": slide.mpp_file,
        "objective": slide.objective,
        "tile_mpp": size * slide.mpp / cfg["tile.size"],
        "tile_px": size,
        "width": slide.width,
        "height": slide.height,
        "bounds_x": slide.bounds[0],
        "bounds_y": slide.bounds[1],
        "picture": array_hash(image),
        "tissue_share": float(tissue.mean()),
        "stain": stain.kind,
        "stain_level": stain.level,
    }
    return Grid(tiles, facts, tissue, pen, image, left_out)


def _places(slide: Slide, side: float, overlap: float) -> tuple[np.ndarray, np.ndarray]:
    """Left and top of all tiles that lie within the slide, (n,) int32, row by row."""
    stride = side * (1 - overlap)
    along = [
        np.round(np.arange(int((length - side) // stride) + 1 if length >= side else 0) * stride)
        for length in (slide.width, slide.height)
    ]
    x, y = np.meshgrid(*along)
    return x.ravel().astype(np.int32), y.ravel().astype(np.int32)


def _drawn(tiles: np.ndarray, most: int | None, name: str) -> np.ndarray:
    """At most so many tiles; which ones follows from the name of the slide's file."""
    if most is None or len(tiles) <= most:
        return tiles
    return np.sort(np.random.default_rng(number_of(name)).choice(tiles, most, replace=False))


def _share(mask: np.ndarray, x: np.ndarray, y: np.ndarray, size: int, slide: Slide) -> np.ndarray:
    """Share of each tile that a mask covers, by an integral image."""
    summed = cv2.integral(mask.astype(np.uint8))
    fx, fy = mask.shape[1] / slide.width, mask.shape[0] / slide.height
    left, right = (np.clip(np.round(v * fx).astype(int), 0, mask.shape[1]) for v in (x, x + size))
    top, bottom = (np.clip(np.round(v * fy).astype(int), 0, mask.shape[0]) for v in (y, y + size))
    area = np.maximum((right - left) * (bottom - top), 1)
    return (summed[bottom, right] - summed[top, right] - summed[bottom, left] + summed[top, left]) / area


def overview(grid: Grid, slide: Slide) -> np.ndarray:
    """The slide at low power with the outline of tissue (green), of pen (red) and of the tiles (black), RGB uint8."""
    picture = grid.image.copy()
    for mask, colour in ((grid.tissue, (0, 140, 60)), (grid.pen, (200, 30, 30))):
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(picture, outlines, -1, colour, 1)
    factor = picture.shape[1] / slide.width
    edge = grid.facts["tile_px"] * factor
    for row in grid.tiles.itertuples():
        corner = (round(row.x * factor), round(row.y * factor))
        cv2.rectangle(
            picture, corner, (round(row.x * factor + edge) - 1, round(row.y * factor + edge) - 1), (30, 30, 30), 1
        )
    return picture
