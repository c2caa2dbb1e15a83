"""Bags end to end: what a slide tower takes."""

from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import torch


class Run(NamedTuple):
    """Neighbouring bags of as many instances: their rows, their bags, and instances per bag."""

    rows: slice
    bags: slice
    each: int


@dataclass(frozen=True)
class Packed:
    """Bags end to end, without padding.

    Attributes
    ----------
    rows : (N, d) float tensor
        Streams side by side, on the device where they are used. A tower in training may change them in place.
    lengths : list of int
        Instances of each bag; none is 0.
    """

    rows: torch.Tensor
    lengths: list[int]

    def runs(self) -> list[Run]:
        """Neighbouring bags of equal length, which one matrix product can pool."""
        found, row, bag = [], 0, 0
        for each, same in groupby(self.lengths):
            count = len(list(same))
            found.append(Run(slice(row, row + count * each), slice(bag, bag + count), each))
            row, bag = row + count * each, bag + count
        return found
