"""Feature scaling, fitted on training rows and stored inside the checkpoint."""

import numpy as np
import torch
from torch import nn

QUANTILES = 201


class Scaler(nn.Module):
    """Scale columns by references from training rows, then clip.

    Parameters
    ----------
    kind : {"standard", "robust", "rank"}
        standard: mean and SD; robust: median and IQR / 1.349; rank: normal scores through
        interpolated training quantiles (a van der Waerden score; needs no finite moments).
    width : int
        Number of columns.
    clip : float
        Scaled values lie within ± this.
    """

    def __init__(self, kind: str, width: int, clip: float = 5.0) -> None:
        super().__init__()
        if kind not in ("standard", "robust", "rank"):
            raise ValueError(f"unknown scaling '{kind}'")
        self.kind, self.clip = kind, clip
        self.register_buffer("centre", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(width, dtype=torch.float64))
        self.register_buffer("quantiles", torch.zeros(width if kind == "rank" else 0, QUANTILES, dtype=torch.float64))

    def fit(self, rows: np.ndarray) -> "Scaler":
        """Learn the references from training rows, (n, width) float."""
        rows = np.asarray(rows, np.float64)
        if self.kind == "rank":
            levels = np.linspace(0, 1, QUANTILES)
            self.quantiles.copy_(torch.from_numpy(np.quantile(rows, levels, axis=0).T.copy()))
            return self
        if self.kind == "standard":
            centre, scale = rows.mean(0), rows.std(0)
        else:
            low, centre, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
            scale = (high - low) / 1.349
            # More than half of the rows may share a value; the SD is then the only width there is.
            scale = np.where(scale > 0, scale, rows.std(0))
        self.centre.copy_(torch.from_numpy(centre))
        self.scale.copy_(torch.from_numpy(np.where(scale > 0, scale, 1.0)))
        return self

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Scaled rows, (n, width) float32."""
        rows = rows.to(self.centre.dtype)
        if self.kind != "rank":
            return ((rows - self.centre) / self.scale).clamp(-self.clip, self.clip).float()
        levels = self._level(rows.T.contiguous()).T
        edge = 0.5 / QUANTILES
        return torch.special.ndtri(levels.clamp(edge, 1 - edge)).clamp(-self.clip, self.clip).float()

    def _level(self, columns: torch.Tensor) -> torch.Tensor:
        """Position among the training quantiles, 0 to 1; the middle of a run of ties."""
        last = QUANTILES - 1
        low = torch.searchsorted(self.quantiles, columns, side="left")
        high = torch.searchsorted(self.quantiles, columns, side="right")
        below, above = (low - 1).clamp(0, last), low.clamp(0, last)
        left, right = self.quantiles.gather(1, below), self.quantiles.gather(1, above)
        part = torch.where(right > left, (columns - left) / (right - left).clamp_min(1e-300), torch.zeros_like(columns))
        between = below + part.clamp(0, 1) * (above - below)
        ties = (low + high - 1) / 2
        return torch.where(high > low, ties, between) / last
