"""What finds nuclei on pictures: a file of `finders/` each, chosen by a card."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from confuselt.cells.card import Card

Batches = Iterable[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Machine:
    """What a finder runs on, which changes no result.

    Attributes
    ----------
    device : str
        As in the config.
    workers : int
        Processes beside this one.
    compiled : bool
        Whether torch compiles a network.
    """

    device: str = "cpu"
    workers: int = 0
    compiled: bool = False


class Finder(Protocol):
    """A loaded finder.

    Attributes
    ----------
    name : str
    card : Card
    weights : str
        sha256 of its file of weights, 64 hex digits; "" where it has none.
    lost : int
        Pixels of a picture's border of which it tells nothing.
    step : int
        Sides of pictures are multiples of this, plus `odd`.
    odd : int
    """

    name: str
    card: Card
    weights: str
    lost: int
    step: int
    odd: int

    def find(self, batches: Batches, samples: list[np.ndarray], mpp: float) -> Iterator[tuple[int, pd.DataFrame]]:
        """Nuclei of pictures of a slide, picture by picture in their order.

        Parameters
        ----------
        batches : iterable of ((k,) int, (k, side, side, 3) uint8)
            Numbers of pictures, and pictures at ``card.mpp``, RGB, good until the next.
        samples : list of (h, w, 3) uint8
            Some tiles of the slide.
        mpp : float
            µm per pixel of the pictures: a whole number of pixels makes no exact ``card.mpp``.

        Yields
        ------
        int
        DataFrame
            ``x, y`` (px of the picture), ``type`` (of ``card.types``), and of ``features.MEASURED`` what is known.
        """
