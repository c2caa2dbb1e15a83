"""Embeddings of patients under one pretrained model: of slides, of RNA, of those that have both."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from confuselt.learn.store import Store
from confuselt.model.encoders import Encoders
from confuselt.model.scaling import StreamScaler
from confuselt.pretrain.retrieval import embed_patients, embed_profiles
from confuselt.pretrain.train import load_encoders
from confuselt.rna.profiles import read_profiles

NOBODY = np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class Space:
    """The joint space of a pretrained model, and what it is fed with.

    Attributes
    ----------
    encoders : Encoders
    bags : Store
    scaler : StreamScaler
    profiles : dict of str to (genes,) float32
    """

    encoders: Encoders
    bags: Store
    scaler: StreamScaler
    profiles: dict[str, np.ndarray]

    @classmethod
    def of(cls, checkpoint: dict, store: Path, rna: Path) -> "Space":
        """Of a checkpoint of `pretrain` with status ok, the training store, and the normalised RNA of its fold."""
        bags = Store(store, "tile-cells" if "cells" in checkpoint["streams"] else "tile")
        scaler = StreamScaler.from_state(checkpoint["scaler"])
        return cls(load_encoders(checkpoint), bags, scaler, read_profiles(rna).of)

    def slides(self, patients: list[str]) -> tuple[list[str], np.ndarray]:
        """Those with slides, and unit vectors of these, (n, dim) float32."""
        slides = self.bags.of_patients(patients)
        return list(slides), embed_patients(self.encoders, self.bags, self.scaler, slides) if slides else NOBODY

    def rna(self, patients: list[str]) -> tuple[list[str], np.ndarray]:
        """Those with RNA, and unit vectors of it, (n, dim) float32."""
        known = [p for p in patients if p in self.profiles]
        rows = [self.profiles[p] for p in known]
        return known, embed_profiles(self.encoders, np.stack(rows)) if known else NOBODY


def embed_pairs(
    checkpoint: dict, store: Path, rna: Path, patients: list[str]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Unit vectors of those of `patients` that have both modalities.

    Parameters
    ----------
    checkpoint, store, rna
        See `Space.of`.
    patients : list of str

    Returns
    -------
    patients : list of str
    wsi, rna : (n, dim) float32
    """
    space = Space.of(checkpoint, store, rna)
    both = [p for p in space.bags.of_patients(patients) if p in space.profiles]
    return both, space.slides(both)[1], space.rna(both)[1]
