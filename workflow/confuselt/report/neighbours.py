"""Who is near whom in the joint space of slides and RNA."""

from pathlib import Path

import numpy as np

from confuselt.learn.store import Store
from confuselt.model.scaling import StreamScaler
from confuselt.pretrain.retrieval import embed_patients, embed_profiles
from confuselt.pretrain.train import load_encoders
from confuselt.rna.profiles import read_profiles

SHOWN = 5


def nearest(checkpoint: dict, store: Path, profiles: Path, patient: str, others: list[str]) -> list[dict]:
    """Rows ``from, to, rank, patient, cosine``: the nearest others, within and across modalities.

    Parameters
    ----------
    checkpoint : dict
        Content of a checkpoint of `pretrain`.
    store, profiles : Path
        Training store; normalised RNA of the checkpoint's fold.
    patient : str
    others : list of str
        Among whom to look, such as the test patients of the fold.
    """
    if checkpoint["status"] != "ok":
        return []
    sides = _sides(checkpoint, store, profiles, list(dict.fromkeys([patient, *others])))
    found = []
    for name, (ids, vectors) in sides.items():
        if patient not in ids:
            continue
        own = vectors[ids.index(patient)]
        for other, (theirs, space) in sides.items():
            cosine = space @ own
            # Across modalities the own partner counts, and should be near.
            order = [k for k in np.argsort(-cosine) if theirs[k] != patient or other != name]
            found += [
                {"from": name, "to": other, "rank": rank, "patient": theirs[k], "cosine": float(cosine[k])}
                for rank, k in enumerate(order[:SHOWN], 1)
            ]
    return found


def _sides(
    checkpoint: dict, store: Path, profiles: Path, patients: list[str]
) -> dict[str, tuple[list[str], np.ndarray]]:
    """Unit vectors of whoever has the modality."""
    bags = Store(store, "tile-cells" if "cells" in checkpoint["streams"] else "tile")
    encoders, known = load_encoders(checkpoint), read_profiles(profiles).of
    slides, people = bags.of_patients(patients), [p for p in patients if p in known]
    sides = {}
    if slides:
        scaler = StreamScaler.from_state(checkpoint["scaler"])
        sides["slide"] = list(slides), embed_patients(encoders, bags, scaler, slides)
    if people:
        sides["RNA"] = people, embed_profiles(encoders, np.stack([known[p] for p in people]))
    return sides
