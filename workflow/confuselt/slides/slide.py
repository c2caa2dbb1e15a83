"""Read a whole slide image at a wanted µm per pixel."""

from pathlib import Path

import cv2
import numpy as np
import openslide

from confuselt.slides.resolution import LEAST_MPP, MOST_MPP
from confuselt.unusable import Unusable

BAND = 32_000_000  # pixels of a level that are read at once


class Slide:
    """An open slide.

    Parameters
    ----------
    path : Path
    mpp : float, optional
        µm per level-0 pixel from the user's sheet; used where given, whatever the file says.

    Attributes
    ----------
    mpp : float
    mpp_source : {"sheet", "file"}
    width, height : int
        Level-0 pixels.

    Raises
    ------
    Unusable
        The file is absent, empty, no slide, or does not say its µm per pixel.
    """

    def __init__(self, path: Path, mpp: float | None = None) -> None:
        path = Path(path)
        if not path.is_file():
            raise Unusable(f"{path.name}: the file is listed but absent")
        if path.stat().st_size == 0:
            raise Unusable(f"{path.name}: the file is empty (0 bytes)")
        try:
            self._slide = openslide.OpenSlide(path)
        except openslide.OpenSlideError as error:
            raise Unusable(f"{path.name}: cannot be opened as a slide ({error})") from None
        self.path, (self.width, self.height) = path, self._slide.dimensions
        self.mpp, self.mpp_source = self._resolution(mpp)
        # Exact per level: a truncated downsample would read another field of view.
        self._downsamples = [self.width / w for w, _ in self._slide.level_dimensions]

    def _resolution(self, given: float | None) -> tuple[float, str]:
        if given is not None:
            return given, "sheet"
        stated = [self._slide.properties.get(p) for p in (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y)]
        if None in stated:
            raise Unusable(
                f"{self.path.name}: the file does not say its µm per pixel; give it in a column mpp of the slide sheet"
            )
        x, y = (float(v) for v in stated)
        if not (LEAST_MPP <= x <= MOST_MPP) or abs(x - y) > 0.02 * x:
            raise Unusable(
                f"{self.path.name}: the file says {x:g} x {y:g} µm per pixel, which cannot be; "
                "give the true value in a column mpp of the slide sheet"
            )
        return (x + y) / 2, "file"

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
        level = self._level(width / size[0])
        scale = self._downsamples[level]
        shape = (max(1, round(width / scale)), max(1, round(height / scale)))
        try:
            region = np.asarray(self._slide.read_region((x, y), level, shape))
        except openslide.OpenSlideError as error:
            # OpenSlide refuses everything after a first error: open again, so that other parts can still be read.
            self._slide = openslide.OpenSlide(self.path)
            raise Unusable(f"{self.path.name}: cannot be read at ({x}, {y}): {error}") from None
        alpha = region[..., 3:].astype(np.uint16)
        rgb = (
            region[..., :3]
            if alpha.min() == 255
            else ((region[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
        )
        return rgb if shape == size else cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_AREA)

    def whole(self, mpp: float) -> np.ndarray:
        """The whole slide at about `mpp` µm per pixel, RGB.

        Read band by band: a slide whose smallest level is large (40 mm without a pyramid: 14 GB) needs no more memory
        than another.
        """
        width, height = (max(1, round(v * self.mpp / mpp)) for v in (self.width, self.height))
        scale = self._downsamples[self._level(self.width / width)]
        rows = max(1, int(BAND * height * scale**2 // (self.width * self.height)))
        bands = []
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            # At whole pixels of the level: OpenSlide would blur at others.
            y, end = (round(round(v * self.height / height / scale) * scale) for v in (top, bottom))
            bands.append(self.read(0, y, self.width, end - y, (width, bottom - top)))
        return np.concatenate(bands)

    def _level(self, downsample: float) -> int:
        """The smallest level that is no coarser."""
        return max((i for i, d in enumerate(self._downsamples) if d <= downsample * 1.01), default=0)
