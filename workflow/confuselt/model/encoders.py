"""Scalers, towers and temperature together: what pretraining learns and every arm starts from."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from confuselt.model.scaler import Scaler
from confuselt.model.towers import RnaTower, WsiTower
from confuselt.pack.bags import Bags, Packed

SCALER_ROWS = 50_000


class StreamScaler(nn.Module):
    """One `Scaler` per stream, applied to rows that hold the streams side by side."""

    def __init__(self, widths: dict[str, int], kinds: dict[str, str]) -> None:
        super().__init__()
        self.widths = widths
        self.of = nn.ModuleDict({s: Scaler(kinds[s], w) for s, w in widths.items()})

    def fit(self, rows: np.ndarray) -> "StreamScaler":
        """Learn from training rows (n, all widths)."""
        start = 0
        for stream, width in self.widths.items():
            self.of[stream].fit(rows[:, start : start + width])
            start += width
        return self

    @torch.no_grad()
    def forward(self, rows: np.ndarray) -> np.ndarray:
        """Scaled rows, float32."""
        parts, start = [], 0
        for stream, width in self.widths.items():
            parts.append(self.of[stream](torch.from_numpy(np.ascontiguousarray(rows[:, start : start + width]))))
            start += width
        return torch.cat(parts, 1).numpy()


def fit_scaler(bags: Bags, patients: list[str], kinds: dict[str, str], rng: np.random.Generator) -> StreamScaler:
    """Fit the scaling of the streams on the training patients' slides."""
    slides = [i for own in bags.of_patients(patients).values() for i in own]
    return StreamScaler(bags.widths, kinds).fit(bags.sample_rows(slides, SCALER_ROWS, rng))


class Encoders(nn.Module):
    """Two towers and the learnable temperature.

    Parameters
    ----------
    width : int
        Features of an instance.
    genes : int
    model : dict
        Block ``pretrain.model``.
    temperature : float
    """

    def __init__(self, width: int, genes: int, model: dict, temperature: float) -> None:
        super().__init__()
        self.wsi = WsiTower(width, model)
        self.rna = RnaTower(genes, model)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    @property
    def scale(self) -> torch.Tensor:
        """Inverse temperature, at most 100 as in CLIP."""
        return self.log_scale.exp().clamp(max=100.0)

    def embed_wsi(self, packed: Packed) -> torch.Tensor:
        """Unit vectors (bags, dim)."""
        device = self.log_scale.device
        vectors, _ = self.wsi(torch.from_numpy(packed.rows).to(device), torch.from_numpy(packed.bag).to(device), packed.bags)
        return F.normalize(vectors, dim=1)

    def embed_rna(self, genes: np.ndarray) -> torch.Tensor:
        """Unit vectors (patients, dim)."""
        return F.normalize(self.rna(torch.from_numpy(genes).to(self.log_scale.device)), dim=1)
