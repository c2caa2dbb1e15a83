"""A tile encoder, and how one is loaded by its name.

Each is a file of `encoders/`. Weights come from an installed package or a local file, never from the network inside a
job.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import torch


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
    module = import_module(f"confuselt.embed.encoders.{re.sub('[^a-z0-9_]', '_', name)}")
    return module.load(device)
