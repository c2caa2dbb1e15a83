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


class StreamScaler:
    """One `Scaler` per stream, applied to rows that hold the streams side by side.

    Parameters
    ----------
    scalers : dict of str to Scaler
        In the order of the streams.
    widths : dict of str to int
    """

    def __init__(self, scalers: dict[str, Scaler], widths: dict[str, int]) -> None:
        self.scalers, self.widths = scalers, widths

    @classmethod
    def fit(cls, rows: np.ndarray, widths: dict[str, int], kinds: dict[str, str]) -> "StreamScaler":
        """Learn from training rows (n, all widths)."""
        return cls({s: Scaler.fit(kinds[s], part) for s, part in _parts(rows, widths)}, widths)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Scaled rows, float32."""
        return np.concatenate([self.scalers[s](part) for s, part in _parts(rows, self.widths)], axis=1)

    def beyond(self, rows: np.ndarray) -> np.ndarray:
        """Share of each row's values that no training row reached, (n,) float64; over all streams."""
        parts = [self.scalers[s].beyond(part) * part.shape[1] for s, part in _parts(rows, self.widths)]
        return np.sum(parts, axis=0) / max(rows.shape[1], 1)

    def state(self) -> dict:
        """Plain values for a checkpoint."""
        return {"widths": dict(self.widths), "scalers": {s: scaler.state() for s, scaler in self.scalers.items()}}

    @classmethod
    def from_state(cls, state: dict) -> "StreamScaler":
        """What `state` gave."""
        return cls({s: Scaler.from_state(v) for s, v in state["scalers"].items()}, state["widths"])


def _parts(rows: np.ndarray, widths: dict[str, int]) -> list[tuple[str, np.ndarray]]:
    return list(zip(widths, np.split(rows, np.cumsum(list(widths.values()))[:-1], axis=1), strict=True))


def fit_scaler(bags: Bags, patients: list[str], kinds: dict[str, str], rng: np.random.Generator) -> StreamScaler:
    """Fit the scaling of the streams on the training patients' slides."""
    slides = [i for own in bags.of_patients(patients).values() for i in own]
    return StreamScaler.fit(bags.sample_rows(slides, SCALER_ROWS, rng), bags.widths, kinds)


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
        vectors, _ = self.wsi(
            torch.from_numpy(packed.rows).to(device), torch.from_numpy(packed.bag).to(device), packed.bags
        )
        return F.normalize(vectors, dim=1)

    def embed_rna(self, genes: np.ndarray) -> torch.Tensor:
        """Unit vectors (patients, dim)."""
        return F.normalize(self.rna(torch.from_numpy(genes).to(self.log_scale.device)), dim=1)
