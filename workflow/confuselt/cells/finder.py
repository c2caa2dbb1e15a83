"""A finder of nuclei, by its name: a file of `finders/` each."""

from collections.abc import Callable
from importlib import import_module

import numpy as np


def load_finder(name: str) -> Callable[[np.ndarray, float], object]:
    """``find_nuclei`` of a finder: a picture, (h, w, 3) uint8 RGB, and its µm per pixel, to its nuclei.

    What it returns has a ``table`` with the columns of ``finders.classical.Nuclei``.
    """
    return import_module(f"confuselt.cells.finders.{name}").find_nuclei
