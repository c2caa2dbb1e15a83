"""Who is near whom in the joint space of slides and RNA."""

from pathlib import Path

import numpy as np

from confuselt.pretrain.pairs import Space

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
    space, people = Space.of(checkpoint, store, profiles), list(dict.fromkeys([patient, *others]))
    both = {"slide": space.slides(people), "RNA": space.rna(people)}
    sides = {name: side for name, side in both.items() if side[0]}
    found = []
    for name, (ids, vectors) in sides.items():
        if patient not in ids:
            continue
        own = vectors[ids.index(patient)]
        for other, (theirs, side) in sides.items():
            cosine = side @ own
            # Across modalities the own partner counts, and should be near.
            order = [k for k in np.argsort(-cosine) if theirs[k] != patient or other != name]
            found += [
                {"from": name, "to": other, "rank": rank, "patient": theirs[k], "cosine": float(cosine[k])}
                for rank, k in enumerate(order[:SHOWN], 1)
            ]
    return found
