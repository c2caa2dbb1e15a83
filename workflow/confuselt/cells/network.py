"""What finders by a network share: pictures through it, on a GPU while those before are handed on."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from confuselt.cells.card import Card
from confuselt.cells.finder import Batches, Machine
from confuselt.cells.processes import processes
from confuselt.device import compiled, filled, in_pieces, pick_device
from confuselt.embed.architecture import make
from confuselt.embed.layouts import load_strictly
from confuselt.embed.weights import read_weights

MOST = {"cuda": 32, "cpu": 2}  # pictures through the network at once


@dataclass(frozen=True)
class Started:
    """Maps of some pictures that a GPU may still be working on.

    Attributes
    ----------
    pictures : (n, side, side, 3) uint8
    maps : list of Tensor
        (n, h, w, ...) as the finder's `_heads` are, good after `end`.
    end : Event, optional
        None where they are ready.
    """

    pictures: np.ndarray
    maps: list[torch.Tensor]
    end: torch.cuda.Event | None

    def done(self) -> list[np.ndarray]:
        """The maps, waited for."""
        if self.end is not None:
            self.end.synchronize()
        return [values.numpy() for values in self.maps]


@dataclass
class Network(ABC):
    """A network on its machine; a finder says what its `_heads` are and how they are `_handed` on.

    Attributes
    ----------
    name, card, weights
        See `finder.Finder`.
    model : Module
    machine : Machine
    step, odd, lost : int
        See `finder.Finder`.
    at_once : int
        Pictures; 0: as many as `MOST` says.
    """

    name: str
    card: Card
    weights: str
    model: nn.Module
    machine: Machine
    step: int = 1
    odd: int = 0
    lost: int = 0
    at_once: int = 0

    def __post_init__(self) -> None:
        self.device, self.pool = pick_device(self.machine.device), processes(self.machine.workers)
        self.at_once = self.at_once or MOST[self.device.type]
        self._half = self.device.type == "cuda" and self.card.precision == "float16"
        # Of a class of TIAToolbox, ``to`` may take a device alone.
        self.model = nn.Module.to(self.model.eval(), self.device, memory_format=torch.channels_last)
        if self._half:
            self.model = self.model.half()
        self._run = self.model

    def compile(self) -> None:
        """Have torch compile the network, where the machine asks for it; after what was tried at other sizes."""
        if self.machine.compiled:
            self._run = compiled(self.model)

    @abstractmethod
    def _heads(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Maps (n, h, w, ...) of a batch (n, 3, side, side) of values 0 to 255."""

    @abstractmethod
    def _handed(self, at: np.ndarray, started: Started) -> Iterator[tuple[int, Any]]:
        """Number and maps of every picture."""

    def _maps(self, batches: Batches) -> Iterator[tuple[int, Any]]:
        """Maps picture by picture; a GPU has the next piece before those of the last are handed on."""
        before: tuple[np.ndarray, Started] | None = None
        for at, pictures in batches:
            for some, started in in_pieces(self, self._started, pictures):
                if before is not None:
                    yield from self._handed(*before)
                before = at[some], started
        if before is not None:
            yield from self._handed(*before)

    @torch.inference_mode()
    def _started(self, pictures: np.ndarray) -> Started:
        """The network's work on a copy of some pictures, which on a GPU goes on by itself."""
        held = torch.from_numpy(pictures if self._run is self.model else filled(pictures, self.at_once))
        held = held.pin_memory() if self.device.type == "cuda" else held.clone()
        batch = held.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        batch = batch.to(torch.float16 if self._half else torch.float32, memory_format=torch.channels_last)
        maps = [_brought(values[: len(pictures)]) for values in self._heads(batch)]
        end = torch.cuda.current_stream(self.device).record_event() if self.device.type == "cuda" else None
        return Started(held.numpy()[: len(pictures)], maps, end)


def _brought(values: torch.Tensor) -> torch.Tensor:
    """Values on their way to memory that a GPU writes by itself."""
    if values.device.type == "cpu":
        return values
    return torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values.contiguous(), non_blocking=True)


def load_network(name: str, card: Card, weights: Path | None, architecture: str, arguments: dict) -> nn.Module:
    """A network with its weights.

    Raises
    ------
    ValueError
        There is no file of weights, or it is not of this network.
    """
    if weights is None:
        raise ValueError(f"cells.method {name}: cells.weights is needed, a file with the weights of {card.title}")
    model = make(architecture, arguments)
    load_strictly(
        model,
        read_weights(weights),
        f"cells.weights {weights}: not of {card.title or name} ({card.source}) with {len(card.types)} types",
    )
    return model
