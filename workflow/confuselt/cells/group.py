"""Nuclei of a slide's tiles, and the features of each tile."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from confuselt.cells.features import NAMES, tile_features
from confuselt.cells.finder import Find, load_finder
from confuselt.cells.schema import DECIMALS, NUCLEI
from confuselt.content import array_hash
from confuselt.embed.write_bag import write_bag
from confuselt.progress import progress
from confuselt.slides.kept import keep_or_make, slide_key
from confuselt.slides.slide import BATCH, Slide, Wanted
from confuselt.tables import read_table, write_table
from confuselt.tile.schema import GRID
from confuselt.unusable import Unusable
from confuselt.written import written

MPP = 0.5  # resolution at which nuclei are sought
SAMPLES = 16  # tiles of a slide that a finder sees beforehand
MARGIN_UM = 12.0  # read around a tile, so that nuclei at its border are whole


def type_slide(
    row: dict,
    data: Path,
    grids: Path,
    folder: Path,
    method: str,
    keep_nuclei: bool = True,
    bring: Callable[[], None] = lambda: None,
) -> dict:
    """``n, sha, unreadable, nuclei_mm2`` of one slide's bag of cell features: see `CELLS_INDEX`.

    ``<slide>.h5`` and ``<slide>.nuclei.parquet`` are made anew unless they still fit.

    Parameters
    ----------
    row : dict
        Sheet row with the columns of ``tile/index``.
    data, grids, folder : Path
        Where slides, grids, and bags lie.
    method : str
        Name of the finder.
    keep_nuclei : bool
        Write the nuclei too.
    bring : callable
        Called before the slide itself is read.

    Raises
    ------
    Unusable
        The slide is broken.
    """
    final = folder / f"{row['slide_id']}.nuclei.parquet"

    def make(partial: Path) -> dict:
        bring()
        slide, tiles = (
            Slide(data / row["file"], row["mpp_given"], row["reader"]),
            read_table(grids / f"{row['slide_id']}.parquet", GRID),
        )
        nuclei, seen = slide_nuclei(slide, tiles, int(row["tile_px"]), load_finder(method))
        total, tiles = len(tiles), tiles[seen]
        features = slide_features(nuclei, tiles, float(row["tile_px"] * slide.mpp), slide.mpp)
        coords = tiles[["x", "y"]].to_numpy(np.int32)
        write_bag(
            partial,
            features,
            coords,
            {
                "name": method,
                "trained_on": "[]",
                "d": len(NAMES),
                "dtype": "float32",
                "columns": json.dumps(NAMES),
            },
        )
        if keep_nuclei:
            with written(final) as beside:
                write_table(nuclei.round(DECIMALS), beside, NUCLEI)
        else:
            final.unlink(missing_ok=True)
        return {
            "n": len(tiles),
            "sha": array_hash(features, coords),
            "unreadable": total - len(tiles),
            "nuclei_mm2": float(np.median(np.expm1(features[:, NAMES.index("log_density")]))),
        }

    key, beside = slide_key(row, data, method, keep_nuclei), [final] if keep_nuclei else []
    return keep_or_make(folder / f"{row['slide_id']}.h5", key, make, beside)


def slide_nuclei(
    slide: Slide, tiles: pd.DataFrame, size: int, for_slide: Callable[[list[np.ndarray], float], Find]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Nuclei whose centre lies in a tile, columns of `NUCLEI`, and which tiles could be read, (n,) bool.

    Parameters
    ----------
    slide : Slide
    tiles : DataFrame
        ``x, y``, level-0 pixels.
    size : int
        Side of a tile in level-0 pixels.
    for_slide : callable
        See `load_finder`.
    """
    margin = round(MARGIN_UM / slide.mpp)
    whole, scale = size + 2 * margin, slide.mpp / MPP
    side = round(whole * scale)
    coords, parts = tiles[["x", "y"]].to_numpy(np.int32), {}
    some = coords[np.unique(np.linspace(0, len(coords) - 1, SAMPLES).astype(int))]
    find_nuclei = for_slide(_readable(slide, some, size), MPP)
    batches = slide.tiles(coords, Wanted(size, side, margin))
    middles = cKDTree(coords + size / 2)
    for at, pixels in progress(batches, slide.path.name, -(-len(tiles) // BATCH)):
        for number, picture in zip(at, pixels, strict=True):
            x, y = coords[number]
            found = find_nuclei(picture, MPP * whole * scale / side).table
            # To level-0 pixels; a nucleus is kept by the tile that holds its centre: of tiles that overlap, by the
            # one whose middle is nearest.
            found["x"], found["y"] = (x - margin + found["x"] * whole / side), (y - margin + found["y"] * whole / side)
            inside = found["x"].between(x, x + size, inclusive="left") & found["y"].between(
                y, y + size, inclusive="left"
            )
            found = found[inside]
            parts[number] = found[middles.query(found[["x", "y"]], p=np.inf)[1] == number]
    return pd.concat([parts[n] for n in sorted(parts)], ignore_index=True), np.isin(np.arange(len(tiles)), list(parts))


def _readable(slide: Slide, coords: np.ndarray, size: int) -> list[np.ndarray]:
    """Tiles at `MPP`, without those that are broken."""
    side, found = round(size * slide.mpp / MPP), []
    for x, y in coords.tolist():
        with suppress(Unusable):
            found.append(slide.read(x, y, size, size, (side, side)))
    if not found:
        raise Unusable(f"{slide.path.name}: none of {len(coords)} tiles can be read")
    return found


def slide_features(nuclei: pd.DataFrame, tiles: pd.DataFrame, side: float, mpp: float) -> np.ndarray:
    """Features of every tile, (tiles, len(NAMES)) float32; a tile's halo is what its neighbours hold.

    Parameters
    ----------
    nuclei : DataFrame
        Columns of `NUCLEI`.
    tiles : DataFrame
    side : float
        Of a tile, µm.
    mpp : float
        µm per level-0 pixel.
    """
    placed = nuclei.assign(x_um=nuclei["x"] * mpp, y_um=nuclei["y"] * mpp)
    return tile_features(placed, tiles[["x", "y"]].to_numpy(float) * mpp, side, tiles["tissue"].to_numpy(float))
