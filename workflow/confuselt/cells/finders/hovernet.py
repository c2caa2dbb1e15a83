"""Typed nuclei by HoVer-Net (Graham et al. 2019): TIAToolbox's network and watershed.

The network takes a tile whole, with a margin, so that no nucleus is parted at a seam; what it makes of it is cut into
nuclei in processes beside it. A model of one's own with the same three heads serves too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from confuselt.cells.card import Card
from confuselt.cells.finder import Batches, Machine
from confuselt.cells.measure import in_um, measure
from confuselt.cells.processes import mapped, processes
from confuselt.cells.stain import haematoxylin
from confuselt.device import compiled, filled, in_pieces, pick_device
from confuselt.embed.architecture import make
from confuselt.embed.layouts import load_strictly
from confuselt.embed.weights import read_weights, sha256_of

ARCHITECTURE = "tiatoolbox.models.architecture.hovernet:HoVerNet"
STEP = 8  # sides that its pooling halves three times without a rest
ODD = {"original": 6}  # whose first convolution takes three pixels of each side
LEAST_PX, MOST = 10, {"cuda": 32, "cpu": 2}  # pixels of a nucleus; pictures through the network at once


@dataclass(frozen=True)
class Maps:
    """What the network says of a picture, and the picture below it.

    Attributes
    ----------
    nucleus : (h, w) float16
        Probability that a pixel is of a nucleus.
    apart : (h, w, 2) float16
        Distance to the middle of its nucleus, horizontal and vertical, -1 to 1.
    kind : (h, w) uint8
        Number of its type, 0 for none.
    picture : (h, w, 3) uint8
    """

    nucleus: np.ndarray
    apart: np.ndarray
    kind: np.ndarray
    picture: np.ndarray


@dataclass(frozen=True)
class Started:
    """Maps of some pictures that a GPU may still be working on.

    Attributes
    ----------
    pictures : (n, side, side, 3) uint8
    maps : list of Tensor
        (n, h, w) float16, (n, h, w, 2) float16 and (n, h, w) uint8, good after `end`.
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
class HoverNet:
    """See `finder.Finder`."""

    name: str
    card: Card
    weights: str
    model: nn.Module
    machine: Machine
    step: int = STEP
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
        self.odd = ODD.get(self.card.arguments.get("mode"), 0)
        side = 28 * STEP + self.odd
        self._run = self.model
        nucleus, apart, kind = self._started(np.zeros((1, side, side, 3), np.uint8)).done()
        if apart.shape[-1] != 2 or nucleus.shape[1:] != kind.shape[1:]:
            raise ValueError(f"{self.name}: heads of shape {nucleus.shape}, {apart.shape}, {kind.shape}")
        self.lost = (side - nucleus.shape[1]) // 2
        if self.machine.compiled:
            self._run = compiled(self.model)

    def find(self, batches: Batches, samples: list[np.ndarray], mpp: float) -> Iterator[tuple[int, pd.DataFrame]]:
        """See `finder.Finder.find`."""
        work = partial(nuclei_of, types=tuple(self.card.types), mpp=mpp, lost=self.lost)
        yield from mapped(work, self._maps(batches), self.pool, self.machine.workers)

    def _maps(self, batches: Batches) -> Iterator[tuple[int, Maps]]:
        """Maps picture by picture; a GPU has the next piece before those of the last are handed on."""
        before: tuple[np.ndarray, Started] | None = None
        for at, pictures in batches:
            for some, started in in_pieces(self, self._started, pictures):
                if before is not None:
                    yield from self._handed(*before)
                before = at[some], started
        if before is not None:
            yield from self._handed(*before)

    def _handed(self, at: np.ndarray, started: Started) -> Iterator[tuple[int, Maps]]:
        heads = started.done()
        inside = slice(self.lost, started.pictures.shape[1] - self.lost)
        for number, picture, *maps in zip(at, started.pictures[:, inside, inside], *heads, strict=True):
            yield int(number), Maps(*maps, picture)

    @torch.inference_mode()
    def _started(self, pictures: np.ndarray) -> Started:
        """The network's work on a copy of some pictures, which on a GPU goes on by itself."""
        held = torch.from_numpy(pictures if self._run is self.model else filled(pictures, self.at_once))
        held = held.pin_memory() if self.device.type == "cuda" else held.clone()
        batch = held.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        batch = batch.to(torch.float16 if self._half else torch.float32, memory_format=torch.channels_last)
        heads = self._run(batch)
        if heads["tp"].shape[1] != len(self.card.types) + 1 or heads["np"].shape[1] != 2:
            raise ValueError(
                f"{self.name}: the network tells {heads['tp'].shape[1] - 1} types, its card {len(self.card.types)}"
            )
        nucleus = heads["np"].float().softmax(1)[:, 1].half()
        apart = heads["hv"].permute(0, 2, 3, 1).half()
        kind = heads["tp"].argmax(1).to(torch.uint8)
        maps = [_brought(values[: len(pictures)]) for values in (nucleus, apart, kind)]
        end = torch.cuda.current_stream(self.device).record_event() if self.device.type == "cuda" else None
        return Started(held.numpy()[: len(pictures)], maps, end)


def _brought(values: torch.Tensor) -> torch.Tensor:
    """Values on their way to memory that a GPU writes by itself."""
    if values.device.type == "cpu":
        return values
    return torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values.contiguous(), non_blocking=True)


def nuclei_of(maps: Maps, types: tuple[str, ...], mpp: float, lost: int) -> pd.DataFrame:
    """Nuclei of a picture's maps: see `finder.Finder.find`.

    The type of a nucleus is that of most of its pixels, its probability their share; none where no pixel has one.

    Parameters
    ----------
    maps : Maps
    types : tuple of str
        From number 1 on.
    mpp : float
    lost : int
        Pixels by which the maps begin beside the picture.
    """
    from tiatoolbox.models.architecture.hovernet import HoVerNet

    nucleus, apart = maps.nucleus.astype(np.float32), maps.apart.astype(np.float32)
    if not (nucleus >= 0.5).any():
        label = np.zeros(nucleus.shape, np.int32)
    else:
        label = HoVerNet._proc_np_hv(nucleus[..., None], apart).astype(np.int32)
    found = measure(label, haematoxylin(maps.picture))
    inside, kinds = label > 0, len(types) + 1
    votes = np.bincount(label[inside] * kinds + maps.kind[inside], minlength=(int(label.max()) + 1) * kinds)
    votes = votes.reshape(-1, kinds)[found["label"]]
    kind = votes[:, 1:].argmax(1) if len(votes) else np.zeros(0, int)
    most = votes[:, 1:].max(1, initial=0)
    name = np.where(most > 0, np.array(types, object)[kind], None)
    probability = np.where(most > 0, most / np.maximum(found["area"], 1), np.nan)
    placed = found.assign(x=found["x"] + lost, y=found["y"] + lost)
    table = in_um(placed, mpp).assign(type=name, probability=probability)
    return table[found["area"] >= LEAST_PX].reset_index(drop=True)


def load(name: str, card: Card, weights: Path | None, machine: Machine) -> HoverNet:
    """See `finder.load_finder`."""
    if weights is None:
        raise ValueError(f"cells.method {name}: cells.weights is needed, a file with the weights of {card.title}")
    arguments = dict(card.arguments)
    architecture = arguments.pop("architecture", ARCHITECTURE)
    if architecture == ARCHITECTURE:
        arguments["num_types"] = len(card.types) + 1
    model = make(architecture, arguments)
    load_strictly(
        model,
        read_weights(weights),
        f"cells.weights {weights}: not of {card.title or name} ({card.source}) with {len(card.types)} types",
    )
    return HoverNet(name, card, sha256_of(weights), model, machine)
