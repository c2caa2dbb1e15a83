"""A store that is smaller than a batch: read once, scaled once per fold and not in every step."""

import numpy as np
import torch

from confuselt.model.scaling import StreamScaler


class Whole:
    """All instances of the usable slides in memory.

    Parameters
    ----------
    parts : list of (N, width) tensor
        Per stream, slide after slide.
    lengths : list of int
        Instances of each slide.
    """

    def __init__(self, parts: list[torch.Tensor], lengths: list[int]) -> None:
        self.parts = parts
        self._starts = np.concatenate([[0], np.cumsum(lengths)])
        self._scaled: tuple[StreamScaler | None, torch.Tensor] | None = None

    def places(self, slides: list[int], picked: list[np.ndarray]) -> torch.Tensor:
        """Where the instances `picked` of each slide stand, (n,) int64."""
        at = [self._starts[slide] + own for slide, own in zip(slides, picked, strict=True)]
        return torch.from_numpy(np.concatenate(at) if at else np.zeros(0, int))

    def scaled(self, scaler: StreamScaler | None) -> torch.Tensor:
        """All instances under a scaler, (N, all widths) float32; the last scaler's are kept."""
        if self._scaled is None or self._scaled[0] is not scaler:
            rows = torch.cat([part.float() for part in self.parts], 1) if scaler is None else scaler(self.parts)
            self._scaled = scaler, rows
        return self._scaled[1]
