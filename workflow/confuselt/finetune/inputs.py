"""What the patients of a cohort bring to an arm, and which of it is used."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from confuselt.device import CPU
from confuselt.learn.batch import Batch
from confuselt.learn.rows import spans
from confuselt.learn.store import SOME_ROWS, Store
from confuselt.model.packed import Packed
from confuselt.model.scaling import StreamScaler


@dataclass(frozen=True)
class Inputs:
    """Slides and RNA of patients.

    Attributes
    ----------
    store : Store or None
    scaler : StreamScaler or None
        Of the fold; None where there is no store, or nothing is fitted yet.
    slides : dict of str to list of int
        Slide positions of each patient that has any.
    profiles : dict of str to (genes,) float32
    device : device
        Where networks compute.
    """

    store: Store | None
    scaler: StreamScaler | None
    slides: dict[str, list[int]]
    profiles: dict[str, np.ndarray]
    device: torch.device = CPU

    @property
    def genes(self) -> int:
        """Genes of a profile."""
        return len(next(iter(self.profiles.values()), ()))

    @property
    def width(self) -> int:
        """Features of an instance, all streams."""
        return sum(self.store.widths.values()) if self.store is not None else 0

    def has(self, patients: list[str], inputs: str) -> list[str]:
        """Patients that can be served with an input pattern."""
        need_wsi, need_rna = inputs in ("wsi", "both"), inputs in ("rna", "both")
        return [p for p in patients if (not need_wsi or p in self.slides) and (not need_rna or p in self.profiles)]

    def any_of(self, patients: list[str], modality: str) -> list[str]:
        """Patients that an arm of this modality can learn from."""
        if modality == "both":
            return [p for p in patients if p in self.slides or p in self.profiles]
        return self.has(patients, modality)

    def batch(
        self, patients: list[str], use: tuple[np.ndarray, np.ndarray], budget: int, seed: int = 0, epoch: int = 0
    ) -> Batch:
        """What is used of some patients.

        Parameters
        ----------
        patients : list of str
        use : two (patients,) bool
            Whether the slides and the RNA of each are used; see `masks`.
        budget : int
            Instances of a patient, the same share for each of its slides.
        seed, epoch : int
            Of the draw; 0, 0 for predictions.
        """
        owner, profiled = (np.flatnonzero(mask).tolist() for mask in use)
        drawn = self.store.draw([self.slides[patients[k]] for k in owner], budget, seed, epoch) if owner else None
        genes = torch.from_numpy(np.stack([self.profiles[patients[k]] for k in profiled])) if profiled else None
        return Batch(patients, drawn, owner, genes, profiled)

    def load(self, batch: Batch, dtype: torch.dtype) -> tuple[Packed | None, torch.Tensor | None]:
        """Scaled bags and profiles of a batch, on the device."""
        packed = self.store.load(batch.drawn, self.scaler, dtype) if batch.owner else None
        return packed, batch.genes.to(self.device) if batch.profiled else None

    def spans(self, patients: list[str], budget: int) -> Iterator[list[str]]:
        """Neighbours among `patients` that are predicted together: a bounded number of instances at once."""
        sizes = [
            min(budget, sum(self.store.lengths[i] for i in self.slides[p])) if p in self.slides else 1 for p in patients
        ]
        for some in spans(sizes, SOME_ROWS):
            yield patients[some]


def masks(inputs: Inputs, patients: list[str], pattern: str) -> tuple[np.ndarray, np.ndarray]:
    """Which modality is used of each patient under ``wsi``, ``rna``, ``both``, or ``any`` (all that there is)."""
    wsi = np.array([p in inputs.slides and pattern != "rna" for p in patients], bool)
    rna = np.array([p in inputs.profiles and pattern != "wsi" for p in patients], bool)
    return wsi, rna


def drop_modality(
    use: tuple[np.ndarray, np.ndarray], rate: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Take one modality away from a share `rate` of the patients that have both, either with equal chance."""
    wsi, rna = use
    hit = (rng.random(len(wsi)) < rate) & wsi & rna
    first = rng.random(len(wsi)) < 0.5
    return wsi & ~(hit & first), rna & ~(hit & ~first)
