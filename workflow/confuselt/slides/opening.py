"""Which reader a slide gets: the direct one of its kind where it shows what OpenSlide shows, else OpenSlide."""

import logging
from pathlib import Path

import cv2
import numpy as np

from confuselt.backend import load_backend
from confuselt.slides.reader import Direct, Reader, Unfit, Unreadable
from confuselt.slides.readers.openslide import OpenSlideReader

VENDORS = ("aperio", "generic-tiff")  # others shift, overlap or leave out tiles
LIKE = 4.0  # mean difference of grey levels on a reduced level, where OpenSlide reads between pixels
TRIED = 5  # tiles of a level, in case that some are broken

log = logging.getLogger(__name__)


def open_reader(path: Path, name: str) -> tuple[Reader, dict[str, str]]:
    """The reader of a slide, and OpenSlide's properties of it.

    Parameters
    ----------
    path : Path
    name : str
        The reader that is tried before OpenSlide: see `suffixes.reader_of`.

    Raises
    ------
    Unusable
        OpenSlide does not open the file.
    """
    through = OpenSlideReader(path)
    if name == "openslide":
        return through, through.properties
    vendor = through.properties.get("openslide.vendor")
    try:
        if vendor not in VENDORS:
            raise Unfit(f"slides of {vendor}")
        direct = load_backend("slides.readers", name).open_direct(path, through.sizes)
        _compare(direct, through)
    except Unfit as reason:
        log.info("%s is read through OpenSlide (%s)", path.name, reason)
        return through, through.properties
    return direct, through.properties


def _compare(direct: Direct, through: OpenSlideReader) -> None:
    """Unfit where the fullest tile of a level that can be read is another one than OpenSlide's."""
    for level, size in enumerate(through.sizes):
        for box in direct.fullest(level, TRIED):
            try:
                ours, theirs = (reader.read(level, 1, box).astype(np.int16) for reader in (direct, through))
            except Unreadable:
                continue
            if level == 0 and (ours != theirs).any():
                raise Unfit(f"level 0 differs by up to {np.abs(ours - theirs).max()} grey levels")
            if np.abs(_small(ours) - _small(theirs)).mean() > LIKE:
                raise Unfit(f"level {level} of {size[0]} x {size[1]} px differs")
            break
        else:
            if level == 0:
                raise Unfit("its tiles cannot be read")


def _small(pixels: np.ndarray) -> np.ndarray:
    size = tuple(max(1, side // 8) for side in pixels.shape[1::-1])
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
