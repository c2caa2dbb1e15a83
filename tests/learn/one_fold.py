"""One fold, pretrained and fine-tuned, its state kept after every step: a process of its own, to be killed.

python one_fold.py FOLDER; says "learning" when everything is imported.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from learn.stores import slides, write_store

from confuselt.config.learning import Finetune, Pretrain
from confuselt.finetune.arms import parse_arm
from confuselt.finetune.inputs import Inputs
from confuselt.finetune.targets import Targets
from confuselt.finetune.train import train_fold
from confuselt.learn import kept
from confuselt.learn.kept import Kept
from confuselt.learn.store import Store
from confuselt.pretrain.train import pretrain
from confuselt.rna.profiles import Profiles
from confuselt.written import written

MODEL = {**Pretrain().model.model_dump(), "hidden": 16, "attention": 8, "dim": 8}


def main(folder: Path) -> None:
    """Write ``done.pt``: pretraining checkpoint, facts and predictions of the arm."""
    kept.EVERY = 0.0
    streams, lengths, patients = slides(60, most=200)
    path = folder / "store.h5"
    if not path.exists():
        with written(path) as partial:
            write_store(partial, streams, lengths, patients)
    store, people = Store(path, "tile-cells"), sorted(set(patients))
    rng = np.random.default_rng(0)
    profiles = Profiles([f"G{i}" for i in range(20)], {p: rng.normal(size=20).astype(np.float32) for p in people})
    roles = {"train": people[:30], "inner": people[30:38], "test": people[38:]}
    cfg = {f"pretrain.{k}": v for k, v in Pretrain(epochs=120, batch_size=8, tiles=50).model_dump().items()}
    cfg |= {f"finetune.{k}": v for k, v in Finetune(epochs=120, batch_size=8, tiles=50).model_dump().items()}
    cfg |= {
        "pretrain.model": MODEL,
        "pack.scaling_tile": "standard",
        "pack.scaling_cells": "rank",
        "pack.scaling_deep": "rank",
    }
    checkpoint, history = pretrain(store, profiles, roles, cfg, (1, "t", 0, 0), kept=Kept(folder, "pre", "key"))
    days, event = rng.exponential(500, len(people)), (rng.random(len(people)) < 0.5).astype(float)
    labels = {"kind": rng.integers(0, 2, len(people))}
    targets = Targets(people, {"os": (days, event)}, labels, {"kind": ["a", "b"]}, {"os": [400]})
    inputs = Inputs(store, None, store.of_patients(people), profiles.of)
    arm, seed = parse_arm("both-pretrained-cells"), (1, "both-pretrained-cells", 0, 0)
    facts, rows = train_fold(arm, inputs, targets, roles, checkpoint, cfg, seed, Kept(folder, "arm", "key"))
    with written(folder / "done.pt") as partial:
        table = {column: rows[column].tolist() for column in rows}
        torch.save({"checkpoint": checkpoint, "history": history, "facts": facts, "predictions": table}, partial)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print("learning", flush=True)
    main(Path(sys.argv[1]))
