"""Train one arm on one fold and predict its test patients."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from confuselt.device import instances_dtype
from confuselt.finetune.arms import Arm
from confuselt.finetune.distance import distances
from confuselt.finetune.inner_predictions import inner_predictions
from confuselt.finetune.inputs import Inputs, drop_modality, masks
from confuselt.finetune.member import Best, Member, average_members, outputs_of
from confuselt.finetune.network import ArmNetwork
from confuselt.finetune.objective import groups_of, joint_loss, task_losses
from confuselt.finetune.targets import Targets, curve_days
from confuselt.learn.batch import Batch
from confuselt.learn.checkpoint import hashed_ids, seed_of
from confuselt.learn.kept import Kept
from confuselt.learn.loop import Loop
from confuselt.learn.optimiser import AdamW
from confuselt.learn.scaling import fit_scaler, scalings
from confuselt.model.scaling import StreamScaler
from confuselt.survival.cox import breslow
from confuselt.unusable import NotAvailable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ArmFold:
    """What the members of an arm are trained on in one fold.

    Attributes
    ----------
    arm : Arm
    inputs : Inputs
        With the scaler of the fold.
    targets : Targets
        Of the tasks that the training patients can teach.
    train, inner : list of str
        Patients that the arm can learn from.
    start : dict or None
        Pretraining checkpoint that the towers start from.
    cfg : dict
        ``finetune.*``, ``pretrain.model``.
    """

    arm: Arm
    inputs: Inputs
    targets: Targets
    train: list[str]
    inner: list[str]
    start: dict | None
    cfg: dict

    @property
    def heads(self) -> dict[str, int]:
        """Task to number of outputs."""
        return {**dict.fromkeys(self.targets.survival, 1), **{t: len(c) for t, c in self.targets.classes.items()}}

    @property
    def pattern(self) -> str:
        """All that the arm may use of a patient; see `masks`."""
        return "any" if self.arm.modality == "both" else self.arm.modality

    def network(self) -> ArmNetwork:
        """A network to start from, on the device."""
        width, genes = self.inputs.width or None, self.inputs.genes or None
        network = ArmNetwork(self.arm, width, genes, self.heads, self.cfg["pretrain.model"])
        for name in ("wsi", "rna") if self.start is not None else ():
            tower, weights = getattr(network, name), self.start["weights"]
            if tower is not None:
                tower.load_state_dict({k[len(name) + 1 :]: v for k, v in weights.items() if k.startswith(f"{name}.")})
        return network.to(self.inputs.device)


class ArmLearner:
    """The learner of fine-tuning.

    Parameters
    ----------
    fold : ArmFold
    seed : int
    name : str

    Attributes
    ----------
    best : dict of str to Best
        Per group of tasks.
    """

    rate_key = "finetune.learning_rate"

    def __init__(self, fold: ArmFold, seed: int, name: str) -> None:
        self.fold, self.seed, self.name, self.module = fold, seed, name, fold.network()
        self.groups = groups_of(fold.targets)
        self.best = {group: Best() for group in self.groups}
        self.size = min(fold.cfg["finetune.batch_size"], len(fold.train))
        self.steps = max(1, len(fold.train) // self.size)

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Whole batches of training patients; of a both arm, some without one of their modalities."""
        fold = self.fold
        order = np.random.default_rng([self.seed, epoch]).permutation(len(fold.train))
        for step in range(first, self.steps):
            chosen = [fold.train[i] for i in order[step * self.size : (step + 1) * self.size]]
            use = masks(fold.inputs, chosen, fold.pattern)
            if fold.arm.modality == "both":
                rng = np.random.default_rng([self.seed, epoch, step])
                use = drop_modality(use, fold.cfg["finetune.modality_dropout"], rng)
            yield fold.inputs.batch(chosen, use, fold.cfg["finetune.tiles"], self.seed, epoch)

    def outputs(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Outputs per task."""
        packed, genes = self.fold.inputs.load(batch, instances_dtype(self.fold.inputs.device))
        return self.module(len(batch.patients), packed, batch.owner, genes, batch.profiled)

    def loss(self, outputs: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor | None:
        """Over all tasks that the patients of the batch inform."""
        return joint_loss(task_losses(outputs, self.fold.targets.take(batch.patients)), self.groups)

    def watch(self, epoch: int, loss: float) -> None:
        """Keep the weights of every group of tasks that the inner patients find better than before."""
        losses = self._inner_losses()
        for group, tasks in self.groups.items():
            self.best[group].offer(epoch, {t: losses[t] for t in tasks if t in losses}, self.module)

    def _inner_losses(self) -> dict[str, float]:
        fold = self.fold
        if not fold.inner:
            return {}
        outputs = outputs_of([self.module], fold.inputs, fold.inner, fold.pattern, fold.cfg["finetune.tiles"])[0]
        values = {t: torch.from_numpy(v) for t, v in outputs.items()}
        return {t: v.item() for t, v in task_losses(values, fold.targets.take(fold.inner)).items()}

    def state(self) -> dict:
        """Best epochs so far."""
        return {group: vars(best) for group, best in self.best.items()}

    def restore(self, state: dict) -> None:
        """What `state` gave."""
        self.best = {group: Best(**values) for group, values in state.items()}


def train_fold(
    arm: Arm,
    inputs: Inputs,
    targets: Targets,
    roles: dict[str, list[str]],
    checkpoint: dict | None,
    cfg: dict,
    seed: tuple,
    kept: Kept | None = None,
) -> tuple[dict, pd.DataFrame]:
    """Train the members of an arm on one fold and predict the test patients under every input pattern.

    Parameters
    ----------
    arm : Arm
    inputs : Inputs
        Without a scaler; normalised profiles of this fold.
    targets : Targets
    roles : dict
        ``train``, ``inner``, ``test`` patients.
    checkpoint : dict or None
        Pretrained towers.
    cfg : dict
        ``finetune.*``, ``pretrain.model``, ``pack.*``.
    seed : tuple
    kept : Kept, optional
        Where an interrupted training is taken up.

    Returns
    -------
    fold : dict
        Weights and baseline hazards of the members, scaler, hashed training ids, inner losses, predictions of the inner
        patients, ``not_learnable`` (tasks that the training patients cannot teach, with the reason), and of the
        training patients per input pattern ``median`` and ``spread`` (mean, SD) of each endpoint's risk and ``far``,
        their sorted `distances`.
    predictions : DataFrame
        ``patient_id, inputs, task, output, value`` of the test patients, for every other task.

    Raises
    ------
    NotAvailable
        The fold's training patients cannot feed the arm, or teach none of the tasks.
    """
    check_fed(arm, inputs, roles["train"], checkpoint)
    train = inputs.any_of(roles["train"], arm.modality)
    inner = inputs.any_of(roles["inner"], arm.modality)
    learnable, lost = targets.learnable(train)
    if not (learnable.survival or learnable.labels):
        raise NotAvailable("; ".join(f"{t}: {r}" for t, r in lost.items()) or "no task")
    scaler = fold_scaler(arm, inputs, roles["train"], checkpoint, cfg, seed)
    fold = ArmFold(arm, replace(inputs, scaler=scaler), learnable, train, inner, checkpoint, cfg)
    members = [fit_member(fold, (*seed, m), kept) for m in range(cfg["finetune.members"])]
    trained = {i: fold.inputs.has(roles["train"], i) for i in arm.inputs}
    risks = {i: _risks(fold, members, patients, i) for i, patients in trained.items()}
    inner_able = fold.inputs.has(roles["inner"], arm.inputs[0])
    facts = {
        "scaler": scaler.state() if scaler else {},
        "members": [{"parts": m["parts"], "baseline": m["baseline"]} for m in members],
        "median": {i: {t: float(np.median(r)) for t, r in of.items()} for i, of in risks.items()},
        "spread": {i: {t: [float(r.mean()), float(r.std())] for t, r in of.items()} for i, of in risks.items()},
        "far": {i: sorted(distances(fold.inputs, p, i, cfg["finetune.tiles"]).tolist()) for i, p in trained.items()},
        "inner": {t: float(np.mean([m["inner"].get(t, np.nan) for m in members])) for t in fold.heads},
        "inner_predictions": _inner_predictions(fold, members, inner_able),
        "not_learnable": lost,
        "trained_on": hashed_ids(sorted({*roles["train"], *roles["inner"]})),
    }
    test = {i: fold.inputs.has(roles["test"], i) for i in arm.inputs}
    rows = [_predictions(fold, members, patients, pattern) for pattern, patients in test.items() if patients]
    nobody = pd.DataFrame(columns=["patient_id", "inputs", "task", "output", "value"])
    return facts, pd.concat(rows, ignore_index=True) if rows else nobody


def check_fed(arm: Arm, inputs: Inputs, train: list[str], checkpoint: dict | None) -> None:
    """Raise NotAvailable where a fold's training patients lack what the arm needs."""
    if arm.modality in ("wsi", "both") and (inputs.store is None or inputs.store.missing):
        raise NotAvailable(inputs.store.missing if inputs.store is not None else "no slides")
    if arm.modality in ("rna", "both") and not inputs.profiles:
        raise NotAvailable("no RNA")
    if checkpoint is not None and checkpoint["status"] != "ok":
        raise NotAvailable(f"pretraining was not available: {checkpoint['reason']}")
    for modality, what, have in (("wsi", "slide", inputs.slides), ("rna", "RNA profile", inputs.profiles)):
        if arm.modality in (modality, "both") and not any(p in have for p in train):
            raise NotAvailable(f"no training patient of a fold has a {what}")


def fold_scaler(
    arm: Arm, inputs: Inputs, train: list[str], checkpoint: dict | None, cfg: dict, seed: tuple
) -> StreamScaler | None:
    """The checkpoint's scaler, else one fitted on this fold's training patients; None for RNA alone."""
    if arm.modality == "rna":
        return None
    if checkpoint is not None:
        return StreamScaler.from_state(checkpoint["scaler"])
    return fit_scaler(inputs.store, train, scalings(cfg), seed_of("scaler", *seed))


def fit_member(fold: ArmFold, seed: tuple, kept: Kept | None) -> dict:
    """One member.

    ``member``, ``parts`` (weights and epoch per group of tasks), ``inner`` losses, ``baseline`` hazards.
    """
    number, cfg = seed_of("finetune", *seed), fold.cfg
    torch.manual_seed(number)
    learner = ArmLearner(fold, number, f"{fold.arm.name} fold {seed[-2]}")
    network = learner.module
    towers = [p for tower in (network.wsi, network.rna) if tower is not None for p in tower.parameters()]
    in_towers = {id(p) for p in towers}
    rest = [p for p in network.parameters() if id(p) not in in_towers]
    share = cfg["finetune.pretrained_rate"] if fold.start is not None else 1.0
    rates = [
        {"params": rest, "lr": cfg["finetune.learning_rate"]},
        {"params": towers, "lr": cfg["finetune.learning_rate"] * share},
    ]
    optimiser = AdamW(rates, weight_decay=cfg["finetune.weight_decay"])
    own = kept.of(f"m{seed[-1]}") if kept else None
    Loop(learner, optimiser, cfg["finetune.epochs"], learner.steps, own).run()
    best = learner.best
    epochs = ", ".join(f"{g} epoch {b.epoch}, inner loss {b.loss:.3f}" for g, b in best.items())
    log.info("%s: %s", learner.name, epochs)
    parts = {g: {"weights": {k: v.cpu() for k, v in b.weights.items()}, "epoch": b.epoch} for g, b in best.items()}
    member = Member(network, parts)
    losses = {t: v for b in best.values() for t, v in b.inner.items()}
    return {"member": member, "parts": parts, "inner": losses, "baseline": _baselines(fold, member)}


def _baselines(fold: ArmFold, member: Member) -> dict[str, dict[str, list[float]]]:
    """Breslow's baseline hazard per endpoint over training and inner patients."""
    patients = [*fold.train, *fold.inner]
    outputs = member.outputs(fold.inputs, patients, fold.pattern, fold.cfg["finetune.tiles"])
    found = {}
    for task, (days, event) in fold.targets.take(patients).survival.items():
        use = np.isfinite(days)
        times, hazard = breslow(outputs[task][use, 0], days[use], event[use])
        found[task] = {"times": times.tolist(), "hazard": hazard.tolist()}
    return found


def _averaged(
    fold: ArmFold, members: list[dict], patients: list[str], pattern: str
) -> dict[tuple[str, str], np.ndarray]:
    pairs = [(m["member"], m["baseline"]) for m in members]
    days = {task: curve_days(horizons) for task, horizons in fold.targets.horizons.items()}
    return average_members(
        pairs, fold.inputs, patients, pattern, fold.targets.classes, days, fold.cfg["finetune.tiles"]
    )


def _inner_predictions(fold: ArmFold, members: list[dict], patients: list[str]) -> dict:
    """Risk or class probabilities of the inner patients, so that arms can be compared over the same of them."""
    averaged = _averaged(fold, members, patients, fold.arm.inputs[0])
    values = {t: averaged[t, "risk"][:, None] for t in fold.targets.survival}
    values |= {t: np.column_stack([averaged[t, f"p_{c}"] for c in names]) for t, names in fold.targets.classes.items()}
    return inner_predictions(patients, values)


def _predictions(fold: ArmFold, members: list[dict], patients: list[str], pattern: str) -> pd.DataFrame:
    of_patients = {"patient_id": patients, "inputs": pattern}
    averaged = _averaged(fold, members, patients, pattern)
    return pd.concat(
        [
            pd.DataFrame({**of_patients, "task": task, "output": output, "value": value})
            for (task, output), value in averaged.items()
        ],
        ignore_index=True,
    )


def _risks(fold: ArmFold, members: list[dict], patients: list[str], pattern: str) -> dict[str, np.ndarray]:
    """Risks of training patients per endpoint.

    Their median cuts Kaplan-Meier curves, mean and SD put single arms on one scale for late fusion.
    """
    if not patients:
        return {}
    averaged = _averaged(fold, members, patients, pattern)
    return {task: averaged[task, "risk"] for task in fold.targets.survival}
