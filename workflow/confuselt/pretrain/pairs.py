"""Both embeddings of the patients that have a slide and RNA, under one pretrained model."""

from pathlib import Path

import numpy as np

from confuselt.learn.store import Store
from confuselt.model.scaling import StreamScaler
from confuselt.pretrain.retrieval import embed_patients, embed_profiles
from confuselt.pretrain.train import load_encoders
from confuselt.rna.profiles import read_profiles


def embed_pairs(
    checkpoint: dict, store: Path, rna: Path, patients: list[str]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Unit vectors of those of `patients` that have both modalities.

    Parameters
    ----------
    checkpoint : dict
        Content of a checkpoint of `pretrain` with status ok.
    store, rna : Path
        Training store; normalised RNA of the checkpoint's fold.
    patients : list of str

    Returns
    -------
    patients : list of str
    wsi, rna : (n, dim) float32
    """
    bags = Store(store, "tile-cells" if "cells" in checkpoint["streams"] else "tile")
    scaler = StreamScaler.from_state(checkpoint["scaler"])
    profiles, encoders = read_profiles(rna).of, load_encoders(checkpoint)
    slides = {p: s for p, s in bags.of_patients(patients).items() if p in profiles}
    if not slides:
        return [], np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)
    return (
        list(slides),
        embed_patients(encoders, bags, scaler, slides),
        embed_profiles(encoders, np.stack([profiles[p] for p in slides])),
    )
