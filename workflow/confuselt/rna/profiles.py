"""Normalised RNA of one fold, read without anndata: its import would cost more than most folds take to train."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np


@dataclass(frozen=True)
class Profiles:
    """Patients x genes of a fold.

    Attributes
    ----------
    genes : list of str
    of : dict of str to (genes,) float32
        Profile of each patient.
    reason : str
        Why there is none, where the file says so.
    """

    genes: list[str]
    of: dict[str, np.ndarray]
    reason: str = ""

    def rows(self, patients: list[str]) -> np.ndarray:
        """Profiles of some patients, (patients, genes) float32."""
        return np.stack([self.of[p] for p in patients]) if patients else np.zeros((0, len(self.genes)), np.float32)


def read_profiles(path: Path) -> Profiles:
    """Read a dense h5ad as `normalise_rna` writes it (anndata's on-disk format: X, obs and var with their index)."""
    with h5py.File(path) as file:
        names = {axis: [str(n) for n in file[axis][file[axis].attrs["_index"]].asstr()[()]] for axis in ("obs", "var")}
        reason = file["uns/reason"].asstr()[()] if "uns/reason" in file else ""
        values = (
            np.asarray(file["X"][()], np.float32)
            if isinstance(file.get("X"), h5py.Dataset)
            else np.zeros((0, 0), np.float32)
        )
    return Profiles(names["var"], dict(zip(names["obs"], values, strict=True)), reason)
