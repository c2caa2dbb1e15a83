"""A trained network of an arm, each group of tasks at its own best epoch, and what it predicts."""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch

from confuselt.finetune.arms import Arm
from confuselt.finetune.cox import survival_at
from confuselt.finetune.inputs import Inputs, masks
from confuselt.finetune.network import ArmNetwork
from confuselt.finetune.targets import Targets


def groups_of(targets: Targets) -> dict[str, list[str]]:
    """Tasks that share an epoch: all endpoints (by summed inner partial likelihood), each label (by inner cross-entropy).

    With few events survival overfits within some epochs, long before a label is learned.
    """
    survival = {"survival": list(targets.survival)} if targets.survival else {}
    return survival | {label: [label] for label in targets.labels}


@dataclass
class Best:
    """Weights of the best epoch so far of one group of tasks."""

    loss: float = np.inf
    epoch: int = 0
    inner: dict[str, float] = field(default_factory=dict)
    weights: dict[str, torch.Tensor] = field(default_factory=dict)

    def offer(self, epoch: int, inner: dict[str, float], network: ArmNetwork) -> None:
        """Keep this epoch if its summed inner loss is the lowest; where no inner patient informs the group, the last stands."""
        loss = sum(inner.values()) if inner else np.inf
        if not self.weights or loss < self.loss or not inner:
            self.loss, self.epoch, self.inner, self.weights = loss, epoch, inner, copy.deepcopy(network.state_dict())


class Member:
    """One trained network, each group of tasks at its own epoch.

    Parameters
    ----------
    network : ArmNetwork
        Of the right shape; its weights are replaced.
    parts : dict
        Group to ``weights``; a group is a label, or ``survival``.
    """

    def __init__(self, network: ArmNetwork, parts: dict[str, dict]) -> None:
        self.networks = {}
        for group, part in parts.items():
            self.networks[group] = copy.deepcopy(network)
            self.networks[group].load_state_dict(part["weights"])
            self.networks[group].eval()

    def outputs(self, inputs: Inputs, patients: list[str], pattern: str, budget: int) -> dict[str, np.ndarray]:
        """Raw outputs per task, each from the network of its group."""
        found: dict[str, np.ndarray] = {}
        for group, network in self.networks.items():
            every = outputs_of(network, inputs, patients, pattern, budget)
            found |= {t: v for t, v in every.items() if t == group or (group == "survival" and t not in self.networks)}
        return found


def load_member(arm: Arm, model: dict, facts: dict, member: dict) -> Member:
    """One trained network from the saved facts of its fold.

    Parameters
    ----------
    arm : Arm
    model : dict
        Content of the arm's checkpoint: ``model, classes, horizons``.
    facts : dict
        One of its ``folds``.
    member : dict
        One of their ``members``.
    """
    heads = {**dict.fromkeys(model["horizons"], 1), **{t: len(c) for t, c in model["classes"].items()}}
    heads = {t: n for t, n in heads.items() if t not in facts["not_learnable"]}
    width = sum(facts["scaler"]["widths"].values()) if arm.modality != "rna" else None
    network = ArmNetwork(arm, width, len(facts["genes"]) if arm.modality != "wsi" else None, heads, model["model"])
    return Member(network, member["parts"])


@torch.no_grad()
def outputs_of(
    network: ArmNetwork, inputs: Inputs, patients: list[str], pattern: str, budget: int, chunk: int = 256
) -> dict[str, np.ndarray]:
    """Raw outputs of some patients, chunk by chunk; every slide's instances are drawn by its id."""
    network.eval()
    parts: dict[str, list[np.ndarray]] = {t: [] for t in network.heads}
    for start in range(0, len(patients), chunk):
        some = patients[start : start + chunk]
        for task, value in network(*inputs.batch(some, *masks(inputs, some, pattern), budget, None)).items():
            parts[task].append(value.cpu().numpy().astype(np.float64))
    return {t: np.concatenate(v) if v else np.zeros((0, network.heads[t])) for t, v in parts.items()}


def average_members(
    members: list[tuple[Member, dict]],
    inputs: Inputs,
    patients: list[str],
    pattern: str,
    classes: dict[str, list[str]],
    horizons: dict[str, list[int]],
    budget: int,
) -> dict[tuple[str, str], np.ndarray]:
    """Mean over members of one fold: ``(task, risk | surv_<days> | p_<class>)`` to (patients,) float64."""
    sums: dict[tuple[str, str], np.ndarray] = {}
    for member, baseline in members:
        outputs = member.outputs(inputs, patients, pattern, budget)
        for task, days in horizons.items():
            risk = outputs[task][:, 0]
            curve = {k: np.asarray(v) for k, v in baseline[task].items()}
            values = {
                "risk": risk,
                **{f"surv_{d}": survival_at(risk, curve["times"], curve["hazard"], d) for d in days},
            }
            for name, value in values.items():
                sums[task, name] = sums.get((task, name), 0) + value / len(members)
        for task, names in classes.items():
            shifted = np.exp(outputs[task] - outputs[task].max(1, keepdims=True))
            shares = shifted / shifted.sum(1, keepdims=True)
            for k, name in enumerate(names):
                sums[task, f"p_{name}"] = sums.get((task, f"p_{name}"), 0) + shares[:, k] / len(members)
    return sums
