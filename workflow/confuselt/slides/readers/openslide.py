"""Whatever OpenSlide opens."""

from pathlib import Path

import numpy as np
import openslide

from confuselt.slides.files import as_pyramid
from confuselt.slides.reader import Unreadable
from confuselt.unusable import Unusable

PLAIN = (".tif", ".tiff")
BLOCK = 256  # of a level that does not say its own


class OpenSlideReader:
    """A `Reader` by OpenSlide.

    Raises
    ------
    Unusable
        OpenSlide does not open it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._slide = openslide.OpenSlide(path)
        except openslide.OpenSlideError as error:
            plain = path.suffix.lower() in PLAIN
            advice = f"; if it is a TIFF without tiles, {as_pyramid(path)}" if plain else ""
            raise Unusable(f"{path.name}: cannot be opened as a slide ({error}){advice}") from None
        self.properties = dict(self._slide.properties)
        self.sizes = list(self._slide.level_dimensions)
        self.blocks = [
            tuple(int(self.properties.get(f"openslide.level[{i}].tile-{side}", BLOCK)) for side in ("width", "height"))
            for i in range(len(self.sizes))
        ]
        self.reductions = [(1,)] * len(self.sizes)

    def read(self, level: int, reduction: int, box: tuple[int, int, int, int]) -> np.ndarray:
        """See `Reader`."""
        left, top, width, height = box
        part = np.full((height, width, 3), 255, np.uint8)
        # Where a part begins left of or above the slide, OpenSlide shows some of it a pixel beside its place.
        x, y = max(left, 0), max(top, 0)
        across, down = self.sizes[level]
        right, bottom = min(left + width, across), min(top + height, down)
        if x < right and y < bottom:
            part[y - top : bottom - top, x - left : right - left] = self._inside(level, x, y, right - x, bottom - y)
        return part

    def _inside(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        # OpenSlide takes places in pixels of level 0, and one scale for both axes.
        scale = self._slide.level_downsamples[level]
        try:
            region = np.asarray(
                self._slide.read_region((round(left * scale), round(top * scale)), level, (width, height))
            )
        except openslide.OpenSlideError as error:
            # OpenSlide refuses everything after a first error: open again, so that other parts can still be read.
            self._slide = openslide.OpenSlide(self.path)
            raise Unreadable(str(error)) from None
        alpha = region[..., 3:]
        if alpha.min() == 255:
            return region[..., :3]
        alpha = alpha.astype(np.uint16)
        return ((region[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
