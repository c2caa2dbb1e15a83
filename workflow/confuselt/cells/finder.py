"""A finder of nuclei, by its name: a file of `finders/` each."""

from collections.abc import Callable

import numpy as np

from confuselt.backend import load_backend

Find = Callable[[np.ndarray, float], object]


def load_finder(name: str) -> Callable[[list[np.ndarray], float], Find]:
    """``for_slide`` of a finder.

    It is given some tiles of a slide, (h, w, 3) uint8 RGB, and their µm per pixel, and returns what finds the nuclei of
    a picture of that slide, at a µm per pixel: they have a ``table`` with the columns of ``finders.classical.Nuclei``.
    """
    return load_backend("cells.finders", name).for_slide
