"""A tile encoder, and how one is loaded by its name.

Each is a file of `encoders/`. Weights come from an installed package or a local file, never from the network inside a
job.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from confuselt.backend import load_backend


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder.

    Attributes
    ----------
    name : str
    dim : int
    size : int
        Side of a tile in pixels.
    weights : str
        sha256 of the weights, 16 hex digits.
    trained_on : tuple of str
        Cohorts that it saw.
    embed : callable
        (n, size, size, 3) uint8 RGB to (n, dim) float32.
    """

    name: str
    dim: int
    size: int
    weights: str
    trained_on: tuple[str, ...]
    embed: Callable[[np.ndarray], np.ndarray]


def load_encoder(name: str, device: torch.device) -> Encoder:
    """Encoder of a name in ``SLIDE_ENCODERS``: what `load` of its file makes."""
    return load_backend("embed.encoders", name).load(device)
