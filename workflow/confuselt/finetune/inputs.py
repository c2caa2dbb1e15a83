"""What patients bring to an arm: slides, RNA profiles, and the masks that say which of them is used."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from confuselt.model.encoders import fit_scaler
from confuselt.pack.bags import Bags, widest
from confuselt.rna.profiles import read_profiles


@dataclass
class Inputs:
    """What the patients of a cohort bring to an arm.

    Attributes
    ----------
    bags : Bags or None
    slides : dict of str to list of int
        Slide positions of each patient that has any.
    profiles : dict of str to (genes,) float32
    """

    bags: Bags | None
    slides: dict[str, list[int]]
    profiles: dict[str, np.ndarray]

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
        self,
        patients: list[str],
        use_wsi: np.ndarray,
        use_rna: np.ndarray,
        budget: int | None,
        rng: np.random.Generator | None,
    ) -> tuple:
        """Arguments of `ArmNetwork.forward` for some patients under a mask."""
        packed = (
            self.bags.pack([self.slides[p] for p, u in zip(patients, use_wsi, strict=True) if u], budget, rng)
            if self.bags is not None
            else None
        )
        chosen = [self.profiles[p] for p, u in zip(patients, use_rna, strict=True) if u]
        return packed, np.stack(chosen) if chosen else None, use_wsi, use_rna


def masks(inputs: Inputs, patients: list[str], pattern: str) -> tuple[np.ndarray, np.ndarray]:
    """Which modality is used of each patient under ``wsi``, ``rna``, ``both``, or ``any`` (all that there is)."""
    wsi = np.array([p in inputs.slides and pattern != "rna" for p in patients], bool)
    rna = np.array([p in inputs.profiles and pattern != "wsi" for p in patients], bool)
    return wsi, rna


def drop_modality(
    wsi: np.ndarray, rna: np.ndarray, rate: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Take one modality away from a share `rate` of the patients that have both, either with equal chance."""
    hit = (rng.random(len(wsi)) < rate) & wsi & rna
    first = rng.random(len(wsi)) < 0.5
    return wsi & ~(hit & first), rna & ~(hit & ~first)


def joined_inputs(store: Path, rna: Path, train: list[str], cfg: dict) -> tuple[Inputs, dict]:
    """Tile and cells streams (tile alone where the cohort has no cells), scaled on training patients, and RNA; the state of the scaler."""
    profiles = read_profiles(rna).of
    bags = widest(store)
    if bags.missing:
        return Inputs(None, {}, profiles), {}
    kinds = {s: cfg[f"pack.scaling_{s}"] for s in bags.streams}
    scaler = fit_scaler(bags, train, kinds, np.random.default_rng([cfg["seed"], 3]))
    bags.scale(scaler)
    return Inputs(bags, bags.of_patients(bags.patient_ids), profiles), scaler.state()
