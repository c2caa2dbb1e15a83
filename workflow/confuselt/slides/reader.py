"""What a reader of slides does; each is a file of `readers/`."""

from typing import Protocol

import numpy as np

HELD = 48_000_000  # bytes of decoded tiles that a reader keeps


class Unfit(Exception):
    """A reader does not read files like this one; the message says why."""


class Unreadable(Exception):
    """The file is broken at one place; what lies elsewhere may be whole."""


class Reader(Protocol):
    """An open slide.

    Attributes
    ----------
    sizes : list of (int, int)
        Width and height of each level, the largest first.
    blocks : list of (int, int)
        Width and height of what each level is stored in.
    reductions : list of tuple of int
        Per level, by what it can be divided while it is decoded; 1 always.
    """

    sizes: list[tuple[int, int]]
    blocks: list[tuple[int, int]]
    reductions: list[tuple[int, ...]]

    def read(self, level: int, reduction: int, box: tuple[int, int, int, int]) -> np.ndarray:
        """Part of a level.

        Parameters
        ----------
        level, reduction : int
        box : (int, int, int, int)
            Left, top, width and height in pixels of the level divided by `reduction`; may lie outside.

        Returns
        -------
        (height, width, 3) uint8
            RGB; white where the slide has no pixels.

        Raises
        ------
        Unreadable
        """
        ...


class Direct(Reader, Protocol):
    """A reader that is tried before OpenSlide."""

    def fullest(self, level: int, number: int) -> list[tuple[int, int, int, int]]:
        """Boxes of the blocks of a level that take most bytes: tissue, not glass."""
        ...
