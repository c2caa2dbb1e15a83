"""Which genes and cell features move an arm's predictions: integrated gradients (Sundararajan et al. 2017), by captum.

The path goes from a patient like the mean of the training patients (0 after scaling) to the patient; attributions add
up to the difference of what is predicted for the two, which is checked.
"""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
import torch
from captum.attr import IntegratedGradients

from confuselt.finetune.arms import parse_arm
from confuselt.finetune.member import Member, load_member
from confuselt.finetune.network import ArmNetwork
from confuselt.learn.rows import spans
from confuselt.learn.store import SOME_ROWS, Store
from confuselt.model.packed import Packed
from confuselt.model.scaling import StreamScaler
from confuselt.rna.profiles import read_profiles

STEPS, TOGETHER = 24, 16  # points of a path; patients of whom gradients are taken at once
BUDGET = 128  # instances of a patient, drawn by the slides' ids
MOST_ERROR = 0.05  # of the change of an output, by which attributions may miss it unsaid
Forward = Callable[[torch.Tensor], torch.Tensor]
log = logging.getLogger(__name__)


class Attributed(NamedTuple):
    """What moves an output of some patients.

    Attributes
    ----------
    attributions, values : (n, d) tensor
        Of each patient's features, and these features.
    change : (n,) tensor
        Of the output, to which attributions must add up.
    """

    attributions: torch.Tensor
    values: torch.Tensor
    change: torch.Tensor

    @property
    def error(self) -> float:
        """By what share of the change the sums miss it."""
        gap = (self.attributions.sum(1) - self.change).abs().sum()
        return float(gap / self.change.abs().sum().clamp_min(1e-9))


def of_genes(model: dict, profiles: list[Path], folds: pd.DataFrame) -> pd.DataFrame:
    """Attributions of genes under an arm that sees RNA alone.

    Parameters
    ----------
    model : dict
        Content of the arm's checkpoint, one repeat.
    profiles : list of Path
        Normalised RNA of each of its folds.
    folds : DataFrame
        ``split/folds`` of the repeat.

    Returns
    -------
    DataFrame
        Columns of `schema.ATTRIBUTIONS`.
    """
    rows = []
    for fold, (facts, path) in enumerate(zip(model["folds"], profiles, strict=True)):
        read = read_profiles(path)
        values = torch.from_numpy(read.rows([p for p in _tested(folds, fold) if p in read.of]))
        if not len(values):
            continue
        for name, network, chosen in _outputs(model, facts):

            def forward(x: torch.Tensor, network: ArmNetwork = network, chosen: Forward = chosen) -> torch.Tensor:
                return chosen(network(len(x), None, [], x, list(range(len(x)))))

            found = Attributed(_integrated(forward, values, TOGETHER * STEPS), values, _change(forward, values))
            rows.append(_rows(model["arm"], fold, name, ("rna", read.genes), found))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def of_cells(model: dict, store: Path, folds: pd.DataFrame) -> pd.DataFrame:
    """Attributions of cell features under an arm that sees slides alone, tiles held fast; summed over instances.

    Parameters
    ----------
    model, folds
        See `of_genes`.
    store : Path
    """
    what, rows = parse_arm(model["arm"]), []
    bags = Store(store, what.streams)
    for fold, facts in enumerate(model["folds"]):
        scaler = StreamScaler.from_state(facts["scaler"])
        tiles = facts["scaler"]["widths"]["tile"]
        slides = list(bags.of_patients(_tested(folds, fold)).values())
        sizes = [min(sum(bags.lengths[i] for i in own), BUDGET) for own in slides]
        packs = [bags.pack(slides[some], scaler, BUDGET) for some in spans(sizes, SOME_ROWS)]
        for name, network, chosen in _outputs(model, facts) if packs else ():
            parts = [_of_bags(network, chosen, packed, tiles) for packed in packs]
            whole = Attributed(*(torch.cat(some) for some in zip(*parts, strict=True)))
            names = cell_names(store, whole.values.shape[1])
            rows.append(_rows(model["arm"], fold, name, ("cells", names), whole))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def cell_names(store: Path, width: int) -> list[str]:
    """Names of the cell features of a store, `width` of them."""
    with h5py.File(store) as file:
        stated = str(file["cells"].attrs.get("columns", ""))
        known = list(file["cells/columns"].asstr()[()]) if "cells/columns" in file else []
    if not known and stated.startswith("["):
        known = json.loads(stated)
    return known if len(known) == width else [f"feature {k}" for k in range(width)]


def _tested(folds: pd.DataFrame, fold: int) -> list[str]:
    return list(folds.loc[(folds["fold"] == fold) & (folds["role"] == "test"), "patient_id"])


def _outputs(model: dict, facts: dict) -> Iterator[tuple[tuple[str, str], ArmNetwork, Callable]]:
    """Task and output by name, the network that predicts it, and what picks it: of a class, beside the mean class."""
    member = load_member(parse_arm(model["arm"]), model, facts, facts["members"][0])
    for task in model["horizons"]:
        if (network := _network(member, task, "survival")) is not None:
            yield (task, "risk"), network, lambda out, task=task: out[task][:, 0]
    for task, classes in model["classes"].items():
        if (network := _network(member, task, task)) is not None:
            for k, name in enumerate(classes):
                yield (task, name), network, lambda out, task=task, k=k: out[task][:, k] - out[task].mean(1)


def _network(member: Member, task: str, group: str) -> ArmNetwork | None:
    """None where nothing could be learnt for the task in this fold."""
    network = member.networks.get(group)
    return network if network is not None and task in network.heads else None


def _integrated(forward: Forward, values: torch.Tensor, most: int) -> torch.Tensor:
    """Attributions of values, `most` points of paths at once."""
    gradients = IntegratedGradients(forward)
    start = torch.zeros_like(values)
    return gradients.attribute(values, start, n_steps=STEPS, internal_batch_size=most).detach()


@torch.no_grad()
def _change(forward: Forward, values: torch.Tensor) -> torch.Tensor:
    """By how much an output is another one than at the start of the path."""
    return forward(values) - forward(torch.zeros_like(values))


def _of_bags(network: ArmNetwork, chosen: Callable, packed: Packed, tiles: int) -> Attributed:
    """Of the cell features of some patients, summed over their instances; values are their means.

    Patients do not hang on each other, so that the gradient of the sum of their outputs is that of each.
    """
    rows, bags = packed.rows.float(), len(packed.lengths)
    fixed, cells = rows[:, :tiles], rows[None, :, tiles:]

    def each(x: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([fixed.expand(len(x), -1, -1), x], 2).reshape(-1, rows.shape[1])
        several = Packed(joined, packed.lengths * len(x))
        return chosen(network(bags * len(x), several, list(range(bags * len(x))), None, [])).reshape(len(x), bags)

    found = _integrated(lambda x: each(x).sum(1), cells, max(1, SOME_ROWS // len(rows)))
    sums, means = (
        torch.stack([op(part, 0) for part in values[0].split(packed.lengths)])
        for op, values in ((torch.sum, found), (torch.mean, cells))
    )
    return Attributed(sums, means, _change(each, cells)[0])


def _rows(
    arm: str, fold: int, name: tuple[str, str], features: tuple[str, list[str]], found: Attributed
) -> pd.DataFrame:
    """Mean strength, and whether a higher value raises the output; `features` are their stream and names."""
    if found.error > MOST_ERROR:
        said = "fold %d, %s: attributions miss the change of the output by %.0f %%"
        log.warning(said, fold, name, 100 * found.error)
    attributions = found.attributions.numpy()
    return pd.DataFrame(
        {
            "arm": arm,
            "fold": fold,
            "task": name[0],
            "output": name[1],
            "stream": features[0],
            "feature": features[1],
            "strength": np.abs(attributions).mean(0),
            "direction": np.sign((attributions * np.sign(found.values.numpy())).sum(0)),
            "error": found.error,
            "n": len(attributions),
        }
    )
