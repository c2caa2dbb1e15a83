"""The scaling of a training fold, applied where the instances are: on a GPU or on the CPU."""

import numpy as np
import torch

from confuselt.model.scaler import QUANTILES, Scaler

# On a CPU all steps of a block happen while it is in the cache; a GPU takes more at once.
BLOCK = {"cpu": 256, "cuda": 262_144}


class StreamScaler:
    """One `Scaler` per stream.

    Parameters
    ----------
    scalers : dict of str to Scaler
        In the order of the streams.
    widths : dict of str to int
    """

    def __init__(self, scalers: dict[str, Scaler], widths: dict[str, int]) -> None:
        self.scalers, self.widths = scalers, widths
        self._placed: dict[torch.device, list[_Affine | _Rank]] = {}

    @classmethod
    def fit(cls, rows: dict[str, np.ndarray], kinds: dict[str, str]) -> "StreamScaler":
        """Learn from training rows, stream to (n, width) float."""
        scalers = {s: Scaler.fit(kinds[s], part) for s, part in rows.items()}
        return cls(scalers, {s: part.shape[1] for s, part in rows.items()})

    def __call__(self, streams: list[torch.Tensor], dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Scaled rows with the streams side by side, (n, all widths).

        They are on the device of `streams` (n, width), which may be of any dtype.
        """
        device, rows = streams[0].device, len(streams[0])
        if device not in self._placed:
            kinds = {"rank": _Rank}
            self._placed[device] = [kinds.get(s.kind, _Affine)(s, device) for s in self.scalers.values()]
        out = torch.empty(rows, sum(self.widths.values()), dtype=dtype, device=device)
        ends = np.cumsum(list(self.widths.values()))
        for start in range(0, rows, BLOCK[device.type]):
            block = slice(start, start + BLOCK[device.type])
            for scale, part, width, end in zip(
                self._placed[device], streams, self.widths.values(), ends.tolist(), strict=True
            ):
                scaled = out[block, end - width : end]
                scale(part[block], scaled)
                if part.dtype != torch.float16:  # whose values are all known
                    scaled.masked_fill_(part[block].isnan(), 0)
        return out

    def beyond(self, rows: dict[str, np.ndarray]) -> np.ndarray:
        """Share of each row's values that no training row reached, (n,) float64; over all streams."""
        parts = [self.scalers[s].beyond(part) * part.shape[1] for s, part in rows.items()]
        return np.sum(parts, axis=0) / max(sum(part.shape[1] for part in rows.values()), 1)

    def state(self) -> dict:
        """Tensors and plain values for a checkpoint: as lists, quantiles would take longer to read than the weights."""
        return {"widths": dict(self.widths), "scalers": {s: _tensors(scaler) for s, scaler in self.scalers.items()}}

    @classmethod
    def from_state(cls, state: dict) -> "StreamScaler":
        """What `state` gave."""
        return cls({s: Scaler.from_state(v) for s, v in state["scalers"].items()}, state["widths"])


def _tensors(scaler: Scaler) -> dict:
    return {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in vars(scaler).items()}


class _Affine:
    """standard and robust: subtract, multiply, clip, all in the output."""

    def __init__(self, scaler: Scaler, device: torch.device) -> None:
        self.clip = scaler.clip
        self.centre = torch.tensor(scaler.centre, dtype=torch.float32, device=device)
        self.inverse = torch.tensor(1 / scaler.scale, dtype=torch.float32, device=device)

    def __call__(self, rows: torch.Tensor, out: torch.Tensor) -> None:
        if out.dtype == torch.float32:
            out.copy_(rows).sub_(self.centre).mul_(self.inverse).clamp_(-self.clip, self.clip)
        else:
            out.copy_(rows.float().sub_(self.centre).mul_(self.inverse).clamp_(-self.clip, self.clip))


class _Rank:
    """rank: normal scores of the place among the training quantiles; see `Scaler`."""

    def __init__(self, scaler: Scaler, device: torch.device) -> None:
        self.clip = scaler.clip
        self.quantiles = torch.tensor(scaler.quantiles.T.copy(), dtype=torch.float32, device=device)
        # Where the run of ties that begins at a quantile ends: one search then tells both ends.
        self.ends = torch.searchsorted(self.quantiles, self.quantiles, right=True)

    def __call__(self, rows: torch.Tensor, out: torch.Tensor) -> None:
        values, last = rows.T.float().contiguous(), QUANTILES - 1
        low = torch.searchsorted(self.quantiles, values)
        at = low.clamp(max=last)
        before, after = self.quantiles.gather(1, (low - 1).clamp(min=0)), self.quantiles.gather(1, at)
        between = (low - 1 + (values - before) / (after - before)).where((low > 0) & (low <= last), at.float())
        middle = (low + self.ends.gather(1, at) - 1) / 2
        level = torch.where(after == values, middle, between) / last
        edge = 0.5 / QUANTILES
        out.copy_(torch.special.ndtri(level.clamp_(edge, 1 - edge)).clamp_(-self.clip, self.clip).T)
