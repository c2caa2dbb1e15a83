"""Read a whole slide image at a wanted µm per pixel."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import openslide

from confuselt.slides.files import files_of
from confuselt.slides.levels import View, choose, views_of
from confuselt.slides.opening import open_reader
from confuselt.slides.reader import HELD, Unreadable
from confuselt.slides.resolution import LEAST_MPP, MOST_MPP
from confuselt.slides.workers import Workers
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)

BAND = 32_000_000  # pixels of a level that are read at once
PIECE = 256  # px of a level: what is left out around a broken place
BATCH = 32  # tiles
NEAR = 0.02  # of a level's sides
MOST_LOST = 0.1  # of a slide's tiles


@dataclass(frozen=True)
class Wanted:
    """How tiles are read.

    Attributes
    ----------
    size : int
        Side of a tile, level-0 pixels.
    out : int
        Side of what is returned.
    margin : int
        Level-0 pixels around each tile that are wanted too. Where the file is broken there alone, they are white.
    """

    size: int
    out: int
    margin: int = 0

    @property
    def whole(self) -> int:
        """Side of a tile with its margin."""
        return self.size + 2 * self.margin


class Slide:
    """An open slide.

    Parameters
    ----------
    path : Path
    mpp : float, optional
        µm per level-0 pixel from the user's sheet; used where given, whatever the file says.
    reader : str
        What is tried before OpenSlide: see `suffixes.reader_of`.

    Attributes
    ----------
    mpp : float
    mpp_source : {"sheet", "file"}
    mpp_file : float or None
        What the file says, where that can be.
    objective : float or None
        Power of the objective that the file states.
    width, height : int
        Level-0 pixels.
    bounds : (int, int)
        Left and top of what the scanner has seen, level-0 pixels; QuPath counts from there.

    Raises
    ------
    Unusable
        The file is absent, empty or no slide, a file that belongs to it is absent, or it does not say its µm per pixel.
    """

    def __init__(self, path: Path, mpp: float | None = None, reader: str = "tiled_tiff") -> None:
        path = Path(path)
        files_of(path)  # raises where one is absent
        self.path, self.reader = path, reader
        self._reader, properties = open_reader(path, reader)
        self.width, self.height = self._reader.sizes[0]
        self._views = views_of(self._reader)
        self.bounds = tuple(
            int(_number(properties, p) or 0)
            for p in (openslide.PROPERTY_NAME_BOUNDS_X, openslide.PROPERTY_NAME_BOUNDS_Y)
        )
        self.mpp, self.mpp_source = self._resolution(mpp, properties)
        self.objective = _number(properties, openslide.PROPERTY_NAME_OBJECTIVE_POWER)

    def _resolution(self, given: float | None, properties: dict[str, str]) -> tuple[float, str]:
        stated = [_number(properties, p) for p in (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y)]
        x, y = stated
        can_be = None not in stated and LEAST_MPP <= x <= MOST_MPP and abs(x - y) <= 0.02 * x
        self.mpp_file = (x + y) / 2 if can_be else None
        if given is not None:
            return given, "sheet"
        if None in stated:
            raise Unusable(
                f"{self.path.name}: the file does not say its µm per pixel; give it in a column mpp of the slide sheet"
            )
        if not can_be:
            raise Unusable(
                f"{self.path.name}: the file says {x:g} x {y:g} µm per pixel, which cannot be; "
                "give the true value in a column mpp of the slide sheet"
            )
        return self.mpp_file, "file"

    def read(self, x: int, y: int, width: int, height: int, size: tuple[int, int]) -> np.ndarray:
        """Part of the slide.

        Parameters
        ----------
        x, y : int
            Top left, level-0 pixels; may lie outside the slide.
        width, height : int
            Level-0 pixels.
        size : (int, int)
            Width and height of the result.

        Returns
        -------
        (size[1], size[0], 3) uint8
            RGB; white where the slide has no pixels.

        Raises
        ------
        Unusable
            The file is broken here.
        """
        view = choose(self._views, min(width / size[0], height / size[1]))
        try:
            part = self._reader.read(view.level, view.reduction, _box(view, x, y, width, height))
        except Unreadable as reason:
            raise Unusable(f"{self.path.name}: cannot be read at ({x}, {y}): {reason}") from None
        return _resized(part, size)

    def tiles(
        self, coords: np.ndarray, wanted: Wanted, workers: Workers | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Square tiles, batch by batch, in the order in which what is stored is decoded once.

        Parameters
        ----------
        coords : (n, 2) int
            Left and top of each, level-0 pixels; may lie outside the slide.
        wanted : Wanted
        workers : Workers, optional
            Who reads instead of this process; the batches are the same, and come in any order.

        Yields
        ------
        at : (k,) int
            Which of `coords` these are. A tile that cannot be read is in no batch.
        pixels : (k, out, out, 3) uint8
            RGB; white where the slide has no pixels. Good until the next batch is asked for.

        Raises
        ------
        Unusable
            More than `MOST_LOST` of the tiles cannot be read.
        """
        order, lost = self._order(coords - wanted.margin, wanted), []
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        for at, pixels, faults in (
            workers.batches(self, coords, batches, wanted) if workers else self._batches(coords, batches, wanted)
        ):
            lost += faults
            if len(lost) > MOST_LOST * len(coords):
                raise Unusable(f"{self.path.name}: {len(lost)} of {len(coords)} tiles cannot be read, first {lost[0]}")
            if len(at):
                yield at, pixels
        if lost:
            log.warning("%s: %d of %d tiles cannot be read, first %s", self.path.name, len(lost), len(coords), lost[0])

    def _batches(
        self, coords: np.ndarray, batches: list[np.ndarray], wanted: Wanted
    ) -> Iterator[tuple[np.ndarray, np.ndarray, list[str]]]:
        for batch in batches:
            pixels = np.empty((len(batch), wanted.out, wanted.out, 3), np.uint8)
            at, faults = self.read_batch(coords, batch, wanted, pixels)
            yield at, pixels[: len(at)], faults

    def read_batch(
        self, coords: np.ndarray, batch: np.ndarray, wanted: Wanted, pixels: np.ndarray
    ) -> tuple[np.ndarray, list[str]]:
        """Fill `pixels` with those of a batch that can be read; which these are, and what is wrong with the others."""
        view, at, faults = choose(self._views, wanted.whole / wanted.out), [], []
        for number in batch:
            x, y = (int(v) for v in coords[number])
            try:
                pixels[len(at)] = _resized(self._tile(view, x, y, wanted), (wanted.out, wanted.out))
                at.append(number)
            except Unreadable as reason:
                faults.append(f"the one at ({x}, {y}): {reason}")
        return np.array(at, int), faults

    def _tile(self, view: View, x: int, y: int, wanted: Wanted) -> np.ndarray:
        """A tile with its margin, in pixels of a level."""
        whole = _box(view, x - wanted.margin, y - wanted.margin, wanted.whole, wanted.whole)
        try:
            return self._reader.read(view.level, view.reduction, whole)
        except Unreadable:
            if not wanted.margin:
                raise
        left, top, width, height = _box(view, x, y, wanted.size, wanted.size)
        part = np.full((whole[3], whole[2], 3), 255, np.uint8)
        part[top - whole[1] :, left - whole[0] :][:height, :width] = self._reader.read(
            view.level, view.reduction, (left, top, width, height)
        )
        return part

    def _order(self, coords: np.ndarray, wanted: Wanted) -> np.ndarray:
        """Row by row within strips so narrow that the decoded tiles of a row of them are held until the next row."""
        view = choose(self._views, wanted.whole / wanted.out)
        across, down = self._reader.blocks[view.level]
        rows = wanted.whole / view.scale[1] + 2 * down / view.reduction
        strip = max(1, int(HELD / (3 * rows)) - 2 * across // view.reduction) * view.scale[0]
        x, y = coords[:, 0], coords[:, 1]
        return np.lexsort((x, y, x // strip))

    def whole(self, mpp: float) -> np.ndarray:
        """The whole slide at about `mpp` µm per pixel, RGB: a level that is as coarse to 2 % is shown as it is.

        Read band by band: a slide whose smallest level is large (40 mm without a pyramid: 14 GB) needs no more memory
        than another. What is broken on a level is taken from a finer one, and is white where that is broken too.
        """
        width, height = (max(1, round(v * self.mpp / mpp)) for v in (self.width, self.height))
        view = choose(self._views, min(self.width / width, self.height / height))
        across, down = view.size
        if max(abs(width - across), abs(height - down)) <= NEAR * min(across, down):
            width, height = view.size
        rows = max(1, BAND * height // (across * down))
        bands = []
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            y, end = (round(v * down / height) for v in (top, bottom))
            bands.append(_resized(self._around(view, (0, y, across, max(1, end - y))), (width, bottom - top)))
        return bands[0] if len(bands) == 1 else np.concatenate(bands)

    def _around(self, view: View, box: tuple[int, int, int, int]) -> np.ndarray:
        """Part of a level, broken places made good as far as can be."""
        left, top, width, height = box
        try:
            return self._reader.read(view.level, view.reduction, box)
        except Unreadable:
            pass
        if max(width, height) <= PIECE:
            finer = [v for v in self._views if v.level < view.level and v.reduction == 1]
            if not finer:
                return np.full((height, width, 3), 255, np.uint8)
            below = finer[-1]
            x, y, right, bottom = (
                round(v * view.scale[i % 2] / below.scale[i % 2])
                for i, v in enumerate((left, top, left + width, top + height))
            )
            return _resized(self._around(below, (x, y, right - x, bottom - y)), (width, height))
        part = np.empty((height, width, 3), np.uint8)
        half = (-(-width // 2) if width > PIECE else width, -(-height // 2) if height > PIECE else height)
        for y in range(0, height, half[1]):
            for x in range(0, width, half[0]):
                size = (min(half[0], width - x), min(half[1], height - y))
                part[y : y + size[1], x : x + size[0]] = self._around(view, (left + x, top + y, *size))
        return part


def _number(properties: dict[str, str], name: str) -> float | None:
    """A number among the properties of a file; None where there is none."""
    with suppress(KeyError, ValueError):
        return float(properties[name])
    return None


def _box(view: View, x: int, y: int, width: int, height: int) -> tuple[int, int, int, int]:
    """A part in pixels of a level: whole ones, as between them is nothing to see."""
    across, down = view.scale
    return round(x / across), round(y / down), max(1, round(width / across)), max(1, round(height / down))


def _resized(part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Means over areas where it gets smaller."""
    if part.shape[1::-1] == size:
        return part
    return cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_AREA)
