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

from confuselt.cells.card import Card
from confuselt.cells.finder import Batches, Machine
from confuselt.cells.measure import in_um, measure
from confuselt.cells.network import Network, Started, load_network
from confuselt.cells.processes import mapped
from confuselt.cells.stain import haematoxylin
from confuselt.embed.weights import sha256_of

ARCHITECTURE = "tiatoolbox.models.architecture.hovernet:HoVerNet"
STEP = 8  # sides that its pooling halves three times without a rest
ODD = {"original": 6}  # whose first convolution takes three pixels of each side
LEAST_PX = 10  # pixels of a nucleus


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


@dataclass
class HoverNet(Network):
    """See `finder.Finder`."""

    step: int = STEP

    def __post_init__(self) -> None:
        super().__post_init__()
        self.odd = ODD.get(self.card.arguments.get("mode"), 0)
        side = 28 * STEP + self.odd
        nucleus, apart, kind = self._started(np.zeros((1, side, side, 3), np.uint8)).done()
        if apart.shape[-1] != 2 or nucleus.shape[1:] != kind.shape[1:]:
            raise ValueError(f"{self.name}: heads of shape {nucleus.shape}, {apart.shape}, {kind.shape}")
        self.lost = (side - nucleus.shape[1]) // 2
        self.compile()

    def find(self, batches: Batches, samples: list[np.ndarray], mpp: float) -> Iterator[tuple[int, pd.DataFrame]]:
        """See `finder.Finder.find`."""
        work = partial(nuclei_of, types=tuple(self.card.types), mpp=mpp, lost=self.lost)
        yield from mapped(work, self._maps(batches), self.pool, self.machine.workers)

    def _handed(self, at: np.ndarray, started: Started) -> Iterator[tuple[int, Maps]]:
        heads = started.done()
        inside = slice(self.lost, started.pictures.shape[1] - self.lost)
        for number, picture, *maps in zip(at, started.pictures[:, inside, inside], *heads, strict=True):
            yield int(number), Maps(*maps, picture)

    def _heads(self, batch: torch.Tensor) -> list[torch.Tensor]:
        heads = self._run(batch)
        if heads["tp"].shape[1] != len(self.card.types) + 1 or heads["np"].shape[1] != 2:
            raise ValueError(
                f"{self.name}: the network tells {heads['tp'].shape[1] - 1} types, its card {len(self.card.types)}"
            )
        nucleus = heads["np"].float().softmax(1)[:, 1].half()
        return [nucleus, heads["hv"].permute(0, 2, 3, 1).half(), heads["tp"].argmax(1).to(torch.uint8)]


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
    arguments = dict(card.arguments)
    architecture = arguments.pop("architecture", ARCHITECTURE)
    if architecture == ARCHITECTURE:
        arguments["num_types"] = len(card.types) + 1
    model = load_network(name, card, weights, architecture, arguments)
    return HoverNet(name, card, sha256_of(weights), model, machine)
