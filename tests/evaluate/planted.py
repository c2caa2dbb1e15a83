"""Arms trained on planted outcomes, and the same with weights that no outcome has formed."""

import copy

import numpy as np
import torch

from confuselt.config.learning import Finetune, Pretrain
from confuselt.finetune.arms import parse_arm
from confuselt.finetune.inputs import Inputs
from confuselt.finetune.member import load_member
from confuselt.finetune.targets import Targets
from confuselt.finetune.train import train_fold

PATIENTS = 500
MODEL = {**Pretrain().model.model_dump(), "hidden": 16, "attention": 8, "dim": 16, "dropout_rna": 0.2}
CFG = {f"finetune.{k}": v for k, v in Finetune(epochs=80, learning_rate=2e-3, members=1).model_dump().items()}
CFG |= {"pretrain.model": MODEL, **{f"pack.scaling_{s}": "standard" for s in ("tile", "cells", "deep")}}
PEOPLE = [f"P{i:03d}" for i in range(PATIENTS)]
ROLES = {"train": PEOPLE[:360], "inner": PEOPLE[360:420], "test": PEOPLE[420:]}


def trained(arm: str, inputs: Inputs, hazard: np.ndarray, rng: np.random.Generator) -> dict:
    """Checkpoint of an arm as `finetune_arm` writes it, one fold; who has more of `hazard` lives shorter."""
    days = rng.exponential(np.exp(-hazard) * 900)
    targets = Targets(PEOPLE, {"os": (days, np.ones(PATIENTS))}, {}, {}, {"os": [400]})
    facts, _ = train_fold(parse_arm(arm), inputs, targets, ROLES, None, CFG, (1, arm, 0, 0))
    return {"arm": arm, "folds": [facts], "classes": {}, "horizons": {"os": [400]}, "model": MODEL}


def randomised(model: dict, seed: int = 5) -> dict:
    """The same with weights that no outcome has formed."""
    model = copy.deepcopy(model)
    facts = model["folds"][0]
    torch.manual_seed(seed)
    fresh = load_member(parse_arm(model["arm"]), model, facts, facts["members"][0]).networks["survival"]
    for module in fresh.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    facts["members"][0]["parts"]["survival"]["weights"] = fresh.state_dict()
    return model
