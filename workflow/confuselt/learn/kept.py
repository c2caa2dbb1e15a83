"""Where training stands: kept every few minutes, so that a killed job goes on in the middle of a fold."""

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from confuselt.written import written

log = logging.getLogger(__name__)
EVERY = 300.0  # seconds between two states


@dataclass
class Kept:
    """The state of one training on disk.

    Attributes
    ----------
    folder : Path
    name : str
    key : str
        What the training depends on: a state of another key is not taken.
    """

    folder: Path
    name: str
    key: str
    _last: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> Path:
        """File of the state."""
        return self.folder / f"{self.name}.state"

    def of(self, part: str) -> "Kept":
        """State of a part of this training."""
        return Kept(self.folder, f"{self.name}.{part}", self.key)

    def due(self) -> bool:
        """Whether it is time to keep the state."""
        return time.monotonic() - self._last >= EVERY

    def save(self, state: dict) -> None:
        """Keep tensors and plain values, whole or not at all."""
        with written(self.path) as partial:
            torch.save({"key": self.key, "state": state}, partial)
        self._last = time.monotonic()

    def load(self) -> dict | None:
        """What was kept under this key; None where nothing was."""
        if not self.path.exists():
            return None
        found = torch.load(self.path, weights_only=True, map_location="cpu")
        if found["key"] != self.key:
            return None
        log.info("going on where an earlier, interrupted job stood")
        return found["state"]
