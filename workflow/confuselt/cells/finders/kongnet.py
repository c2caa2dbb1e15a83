"""Typed nuclei as points by KongNet (Lv et al. 2025): TIAToolbox's network, and the peaks of what it says.

A map per type is high in the middle of each nucleus of that type. Outlines are not told, so that sizes and shapes are
missing, never zero. A model of one's own with ``target_channels``, ``min_distance`` and ``threshold_abs`` serves too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.spatial import cKDTree

from confuselt.cells.card import Card
from confuselt.cells.finder import Batches, Machine
from confuselt.cells.network import Network, Started, load_network
from confuselt.cells.processes import mapped
from confuselt.embed.weights import sha256_of

ARCHITECTURE = "tiatoolbox.models.architecture.kongnet:KongNet"
STEP = 32  # sides that its encoder halves five times without a rest
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as it was trained


@dataclass
class KongNet(Network):
    """See `finder.Finder`."""

    step: int = STEP

    def __post_init__(self) -> None:
        super().__post_init__()
        self._mean, self._sd = (torch.tensor(v, device=self.device).view(1, 3, 1, 1) * 255 for v in (MEAN, SD))
        told = len(self.model.target_channels)
        if told != len(self.card.types):
            raise ValueError(f"{self.name}: the network tells {told} types, its card {len(self.card.types)}")
        self.compile()

    def find(self, batches: Batches, samples: list[np.ndarray], mpp: float) -> Iterator[tuple[int, pd.DataFrame]]:
        """See `finder.Finder.find`."""
        work = partial(
            points_of,
            types=tuple(self.card.types),
            apart=int(self.model.min_distance),
            least=float(self.model.threshold_abs),
        )
        yield from mapped(work, self._maps(batches), self.pool, self.machine.workers)

    def _handed(self, at: np.ndarray, started: Started) -> Iterator[tuple[int, np.ndarray]]:
        (found,) = started.done()
        yield from ((int(number), shares) for number, shares in zip(at, found, strict=True))

    def _heads(self, batch: torch.Tensor) -> list[torch.Tensor]:
        scaled = ((batch - self._mean) / self._sd).to(batch.dtype)
        # In float16 what is nearly sure would be alike.
        return [self._run(scaled)[:, self.model.target_channels].float().sigmoid().permute(0, 2, 3, 1)]


def points_of(shares: np.ndarray, types: tuple[str, ...], apart: int, least: float) -> pd.DataFrame:
    """Nuclei of a picture: see `finder.Finder.find`.

    Parameters
    ----------
    shares : (h, w, types) float32
        Probability that the middle of a nucleus of each type is here.
    types : tuple of str
    apart : int
        Pixels within which one nucleus alone is found, whatever its type.
    least : float
        Probability of a nucleus.
    """
    from tiatoolbox.models.architecture.utils import nms_on_detection_maps, peak_detection_map_overlap

    peaks = peak_detection_map_overlap(shares, min_distance=apart, threshold_abs=least, return_probability=True)
    peaks = nms_on_detection_maps(peaks, min_distance=apart)
    y, x, kind = np.nonzero(peaks)
    share = peaks[y, x, kind]
    surest = np.lexsort((kind, -share))
    x, y, kind, share = (values[surest] for values in (x, y, kind, share))
    # Of two that are alike, both are left: the first type is taken.
    near = cKDTree(np.column_stack([x, y])).query_pairs(apart, p=np.inf, output_type="ndarray") if len(x) else []
    kept = ~np.isin(np.arange(len(x)), [second for _, second in near])
    table = pd.DataFrame({"x": x.astype(float), "y": y.astype(float), "type": np.array(types, object)[kind]})
    return table.assign(probability=share)[kept].reset_index(drop=True)


def load(name: str, card: Card, weights: Path | None, machine: Machine) -> KongNet:
    """See `finder.load_finder`."""
    arguments = dict(card.arguments)
    model = load_network(name, card, weights, arguments.pop("architecture", ARCHITECTURE), arguments)
    return KongNet(name, card, sha256_of(weights), model, machine)
