"""What a step sees of some patients, and how the next batch is read while this one is learnt."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from confuselt.learn.store import Drawn


@dataclass(frozen=True)
class Batch:
    """Slides and RNA of some patients.

    Attributes
    ----------
    patients : list of str
    drawn : Drawn or None
        Bags of instances.
    owner : list of int
        Patient (place in `patients`) of each bag, ascending.
    genes : (profiles, genes) float32 tensor or None
    profiled : list of int
        Patient of each profile, ascending.
    """

    patients: list[str]
    drawn: Drawn | None
    owner: list[int]
    genes: torch.Tensor | None
    profiled: list[int]

    def split(self, pieces: int) -> list["Batch"]:
        """The same patients in about as many pieces, in their order."""
        size = -(-len(self.patients) // pieces)
        return [self._of(start, min(start + size, len(self.patients))) for start in range(0, len(self.patients), size)]

    def _of(self, start: int, stop: int) -> "Batch":
        bags, profiles = (
            [k for k, patient in enumerate(rows) if start <= patient < stop] for rows in (self.owner, self.profiled)
        )
        drawn = self.drawn.bags(bags[0], bags[-1] + 1) if bags else None
        genes = self.genes[profiles[0] : profiles[-1] + 1] if profiles else None
        owner, profiled = (
            [rows[k] - start for k in of] for rows, of in ((self.owner, bags), (self.profiled, profiles))
        )
        return Batch(self.patients[start:stop], drawn, owner, genes, profiled)


def ahead(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """The batches; for a GPU each is drawn and read in a thread while the one before is learnt."""
    if device.type == "cpu":
        yield from batches
        return
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch
