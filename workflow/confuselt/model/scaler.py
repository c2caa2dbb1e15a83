"""Feature scaling, fitted on training rows and stored with the model. Numpy alone, so that no job loads more for it."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

QUANTILES = 201
KINDS = ("standard", "robust", "rank")
ARRAYS = ("centre", "scale", "quantiles", "low", "high")
COLUMNS = 64  # looked at together


@dataclass(frozen=True)
class Scaler:
    """Columns scaled by references from training rows, then clipped. NaN, a value that is not known, becomes 0.

    Attributes
    ----------
    kind : {"standard", "robust", "rank"}
        standard: mean and SD; robust: median and IQR / 1.349; rank: normal scores through
        interpolated training quantiles (van der Waerden; needs no finite moments).
    clip : float
        Scaled values lie within ± this.
    centre, scale : (width,) float64
        Of standard and robust; empty for rank.
    quantiles : (QUANTILES, width) float64
        Of rank; empty otherwise.
    low, high : (width,) float64
        Range of the training rows.
    """

    kind: str
    clip: float
    centre: np.ndarray
    scale: np.ndarray
    quantiles: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, kind: str, rows: np.ndarray, clip: float = 5.0) -> "Scaler":
        """Learn the references from training rows, (n, width) float."""
        if kind not in KINDS:
            raise ValueError(f"unknown scaling '{kind}', known: {KINDS}")
        # Column by column, so that no float64 copy of all rows is made.
        blocks = [_references(kind, rows[:, at : at + COLUMNS]) for at in range(0, rows.shape[1], COLUMNS)]
        return cls(kind, clip, **{name: np.concatenate([block[name] for block in blocks], axis=-1) for name in ARRAYS})

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Scaled rows, (n, width) float32."""
        rows = np.asarray(rows, np.float64)
        if self.kind != "rank":
            scaled = np.clip((rows - self.centre) / self.scale, -self.clip, self.clip)
            return np.nan_to_num(scaled, nan=0.0).astype(np.float32)
        edge = 0.5 / QUANTILES
        levels = np.empty_like(rows)
        for k in range(rows.shape[1]):
            levels[:, k] = _level(rows[:, k], self.quantiles[:, k])
        scaled = np.clip(ndtri(np.clip(levels, edge, 1 - edge)), -self.clip, self.clip)
        return np.where(np.isnan(rows), 0.0, scaled).astype(np.float32)

    def beyond(self, rows: np.ndarray) -> np.ndarray:
        """Share of each row's values that no training row reached on either side, (n,) float64."""
        return ((rows < self.low) | (rows > self.high)).mean(1)

    def state(self) -> dict:
        """Plain values: what a JSON file keeps."""
        return {"kind": self.kind, "clip": self.clip, **{name: getattr(self, name).tolist() for name in ARRAYS}}

    @classmethod
    def from_state(cls, state: dict) -> "Scaler":
        """What `state` gave."""
        arrays = {name: np.asarray(state[name], np.float64) for name in ARRAYS}
        return cls(state["kind"], state["clip"], **arrays)


def _references(kind: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of a `Scaler` for some columns, from the values that are known; of a column without any: 0 stays 0."""
    rows, none = np.asarray(rows, np.float64), np.zeros(0)
    missing = np.isnan(rows)
    if missing.any():
        known = [column[~gone] for column, gone in zip(rows.T, missing.T, strict=True)]
        each = [_references(kind, column[:, None] if len(column) else np.zeros((1, 1))) for column in known]
        return {name: np.concatenate([one[name] for one in each], axis=-1) for name in ARRAYS}
    found = {"centre": none, "scale": none, "quantiles": np.zeros((0, 0)), "low": rows.min(0), "high": rows.max(0)}
    if kind == "rank":
        return found | {"quantiles": np.quantile(rows, np.linspace(0, 1, QUANTILES), axis=0)}
    if kind == "standard":
        centre, scale = rows.mean(0), rows.std(0)
    else:
        low, centre, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
        # More than half of the rows may share a value; the SD is then the only width there is.
        scale = np.where(high > low, (high - low) / 1.349, rows.std(0))
    return found | {"centre": centre, "scale": np.where(scale > 0, scale, 1.0)}


def _level(column: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Position among the training quantiles, 0 to 1, interpolated; the middle of a run of ties."""
    low, high = (np.searchsorted(quantiles, column, side) for side in ("left", "right"))
    levels = np.linspace(0, 1, QUANTILES)
    return np.where(high > low, (low + high - 1) / 2 / (QUANTILES - 1), np.interp(column, quantiles, levels))
