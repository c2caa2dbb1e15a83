"""A trained network of an arm, each group of tasks at its own best epoch, and what it predicts."""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch

from confuselt.finetune.arms import Arm
from confuselt.finetune.inputs import Inputs, masks
from confuselt.finetune.network import ArmNetwork
from confuselt.survival.cox import survival_at


@dataclass
class Best:
    """Weights of the best epoch so far of one group of tasks."""

    loss: float = np.inf
    epoch: int = 0
    inner: dict[str, float] = field(default_factory=dict)
    weights: dict[str, torch.Tensor] = field(default_factory=dict)

    def offer(self, epoch: int, inner: dict[str, float], network: ArmNetwork) -> None:
        """Keep this epoch if its summed inner loss is the lowest.

        Where no inner patient informs the group, the last epoch stands.
        """
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
        every = outputs_of(list(self.networks.values()), inputs, patients, pattern, budget)
        found: dict[str, np.ndarray] = {}
        for group, outputs in zip(self.networks, every, strict=True):
            others = self.networks.keys() - {group} if group == "survival" else outputs.keys() - {group}
            found |= {task: values for task, values in outputs.items() if task not in others}
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
    networks: list[ArmNetwork], inputs: Inputs, patients: list[str], pattern: str, budget: int
) -> list[dict[str, np.ndarray]]:
    """Raw outputs of some patients under each network, which all see what is read once.

    Parameters
    ----------
    networks : list of ArmNetwork
    inputs : Inputs
    patients : list of str
    pattern : str
        See `masks`.
    budget : int
        Instances of a patient; a slide's are drawn by its id.

    Returns
    -------
    list of dict of str to (patients, outputs) float64
        Per network, by task.
    """
    parts: list[dict[str, list[np.ndarray]]] = [{t: [] for t in network.heads} for network in networks]
    for some in inputs.spans(patients, budget):
        batch = inputs.batch(some, masks(inputs, some, pattern), budget)
        packed, genes = inputs.load(batch, torch.float32)
        for network, found in zip(networks, parts, strict=True):
            network.eval()
            for task, value in network(len(some), packed, batch.owner, genes, batch.profiled).items():
                found[task].append(value.cpu().numpy().astype(np.float64))
    return [
        {t: np.concatenate(v) if v else np.zeros((0, network.heads[t])) for t, v in found.items()}
        for network, found in zip(networks, parts, strict=True)
    ]


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
