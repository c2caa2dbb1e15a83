"""Nuclei that a finder sees on the tiles of a slide."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from confuselt.cells.features import MEASURED
from confuselt.cells.finder import Finder
from confuselt.cells.schema import NUCLEI
from confuselt.number import number_of
from confuselt.progress import progress
from confuselt.slides.slide import BATCH, Slide, Wanted
from confuselt.unusable import Unusable

SAMPLES = 16  # tiles of a slide that a finder sees beforehand


@dataclass(frozen=True)
class FromSlides:
    """Nuclei of slides, by a finder.

    Attributes
    ----------
    data : Path
        Where relative paths start.
    finder : Finder
    most : int or None
        Tiles of a slide in which nuclei are sought, drawn by its name; None: all.
    bring : callable
        Called before a slide itself is read.
    """

    data: Path
    finder: Finder
    most: int | None = None
    bring: Callable[[], None] = lambda: None

    @property
    def roles(self) -> dict[str, str]:
        """Role of each type."""
        return self.finder.card.types

    def facts(self, row: dict) -> tuple:
        """What the nuclei of a slide hang on beside the slide."""
        card = self.finder.card
        return self.finder.name, self.finder.weights, card.identity, self.most, list(card.trained_on)

    def recipe(self) -> dict:
        """What finds them."""
        found = {"name": self.finder.name, "weights": self.finder.weights[:16], "card": self.finder.card.identity}
        return found | {"trained_on": list(self.finder.card.trained_on), "max_tiles": self.most or 0}

    def nuclei(self, row: dict, tiles: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """Nuclei whose centre lies in a tile, columns of `NUCLEI`; which tiles can be read; in which they were sought.

        Parameters
        ----------
        row : dict
            Sheet row with the columns of ``tile/index``.
        tiles : DataFrame
            Columns of ``tile/grid``.

        Raises
        ------
        Unusable
            The slide is broken.
        """
        self.bring()
        slide = Slide(self.data / row["file"], row["mpp_given"], row["reader"])
        sought = drawn_tiles(row["slide_id"], len(tiles), self.most)
        found, seen = slide_nuclei(slide, tiles[sought], int(row["tile_px"]), self.finder)
        readable = ~sought
        readable[np.flatnonzero(sought)[seen]] = True
        return found, readable, sought


def drawn_tiles(slide: str, tiles: int, most: int | None) -> np.ndarray:
    """In which tiles of a slide nuclei are sought, (tiles,) bool: `most` of them, drawn by the slide's name alone."""
    chosen = np.ones(tiles, bool)
    if most is not None and most < tiles:
        chosen[:] = False
        chosen[np.random.default_rng(number_of(slide)).permutation(tiles)[:most]] = True
    return chosen


def slide_nuclei(slide: Slide, tiles: pd.DataFrame, size: int, finder: Finder) -> tuple[pd.DataFrame, np.ndarray]:
    """Nuclei whose centre lies in a tile, columns of `NUCLEI`, and which tiles could be read, (n,) bool.

    Parameters
    ----------
    slide : Slide
    tiles : DataFrame
        ``x, y``, level-0 pixels.
    size : int
        Side of a tile in level-0 pixels.
    finder : Finder
    """
    scale = slide.mpp / finder.card.mpp
    margin = finder.card.margin_um / slide.mpp + finder.lost / scale
    side = finder.odd + finder.step * -(-round((size + 2 * margin) * scale - finder.odd) // finder.step)
    margin = round((side / scale - size) / 2)
    whole = size + 2 * margin
    coords, parts = tiles[["x", "y"]].to_numpy(np.int32), {}
    samples = _readable(slide, coords[np.unique(np.linspace(0, len(coords) - 1, SAMPLES).astype(int))], size, scale)
    batches = progress(slide.tiles(coords, Wanted(size, side, margin)), slide.path.name, -(-len(tiles) // BATCH))
    middles = cKDTree(coords + size / 2)
    for number, table in finder.find(batches, samples, whole * slide.mpp / side):
        x, y = coords[number]
        # To level-0 pixels; a nucleus is kept by the tile that holds its centre: of tiles that overlap, by the one
        # whose middle is nearest.
        found = table.assign(x=x - margin + table["x"] * whole / side, y=y - margin + table["y"] * whole / side)
        inside = found["x"].between(x, x + size, inclusive="left") & found["y"].between(y, y + size, inclusive="left")
        found = found[inside]
        # A centre on a border is the right or lower tile's, here as above.
        parts[number] = found[middles.query(found[["x", "y"]] + 1e-3, p=np.inf)[1] == number]
    nuclei = pd.concat([parts[n] for n in sorted(parts)], ignore_index=True)
    missing = {name: np.nan for name in MEASURED if name not in nuclei}
    return nuclei.assign(**missing)[list(NUCLEI.columns)], np.isin(np.arange(len(tiles)), list(parts))


def _readable(slide: Slide, coords: np.ndarray, size: int, scale: float) -> list[np.ndarray]:
    """Tiles at the finder's resolution, without those that are broken."""
    side, found = round(size * scale), []
    for x, y in coords.tolist():
        with suppress(Unusable):
            found.append(slide.read(x, y, size, size, (side, side)))
    if not found:
        raise Unusable(f"{slide.path.name}: none of {len(coords)} tiles can be read")
    return found
