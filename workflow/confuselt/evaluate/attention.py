"""Where a trained arm looks on the slides of some patients."""

from pathlib import Path

import numpy as np
import torch

from confuselt.finetune.arms import parse_arm
from confuselt.finetune.member import load_member
from confuselt.learn.store import Store
from confuselt.model.scaling import StreamScaler

Looked = dict[str, tuple[np.ndarray, np.ndarray]]  # slide id to places and attention


@torch.no_grad()
def attention(model: dict, fold: int, store: Path, patients: list[str], wanted: list[str]) -> dict[str, Looked]:
    """Attention of a fold's model on the slides of some patients.

    Parameters
    ----------
    model : dict
        Content of the checkpoint of an arm with a WSI tower.
    fold : int
    store : Path
    patients : list of str
        Test patients of the fold.
    wanted : list of str
        Whose networks: some of `parts`. A slide is read once for all.

    Returns
    -------
    dict of str to dict
        Part to slide id to ``coords`` (n, 2) int32 and attention times n, (n,) float64: 1 is what every tile would get
        from a mean.
    """
    facts, what = model["folds"][fold], parse_arm(model["arm"])
    bags, scaler = Store(store, what.streams), StreamScaler.from_state(facts["scaler"])
    networks = load_member(what, model, facts, facts["members"][0]).networks
    found: dict[str, Looked] = {part: {} for part in wanted}
    for slides in bags.of_patients(patients).values():
        for at in slides:
            packed, coords = bags.pack([[at]], scaler), bags.coords(at)
            for part in wanted:
                weights = networks[part].wsi(packed)[1].numpy().astype(float)
                found[part][bags.slide_ids[at]] = coords, weights * len(weights)
    return found


def parts(model: dict, fold: int) -> list[str]:
    """Networks of a fold's model: survival, which all endpoints share, and every label; without what was not learned.

    A fold that could not be trained has none.
    """
    members = model["folds"][fold].get("members") or [{"parts": {}}]
    found = list(members[0]["parts"])
    return sorted(found, key=lambda part: part != "survival")
