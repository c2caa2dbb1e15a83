"""Train one arm on one fold and predict its test patients."""

import logging

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from confuselt.finetune.arms import Arm
from confuselt.finetune.cox import breslow, cox_loss
from confuselt.finetune.inner_predictions import inner_predictions
from confuselt.finetune.inputs import Inputs, drop_modality, masks
from confuselt.finetune.member import Best, Member, average_members, groups_of, outputs_of
from confuselt.finetune.network import ArmNetwork
from confuselt.finetune.targets import Targets, curve_days
from confuselt.model.checkpoint import hashed_ids, seed_of
from confuselt.model.encoders import StreamScaler, fit_scaler
from confuselt.model.optimiser import AdamW
from confuselt.model.schedule import one_cycle
from confuselt.progress import progress
from confuselt.unusable import NotAvailable

log = logging.getLogger(__name__)


def task_loss(outputs: dict[str, torch.Tensor], targets: Targets) -> dict[str, torch.Tensor]:
    """Loss of each task that these patients can inform: partial likelihood per event, cross-entropy per patient."""
    losses = {}
    for task, (days, event) in targets.survival.items():
        known = np.isfinite(days)
        if event[known].sum() > 0:
            value = outputs[task].squeeze(1)[torch.from_numpy(known)]
            losses[task] = cox_loss(
                value, *(torch.from_numpy(v[known]).float().to(value.device) for v in (days, event))
            )
    for task, label in targets.labels.items():
        known = label >= 0
        if known.any():
            losses[task] = F.cross_entropy(
                outputs[task][torch.from_numpy(known)], torch.from_numpy(label[known]).to(outputs[task].device)
            )
    return losses


def train_fold(
    arm: Arm,
    inputs: Inputs,
    genes: int,
    targets: Targets,
    roles: dict[str, list[str]],
    checkpoint: dict | None,
    cfg: dict,
    seed: tuple,
    device: torch.device,
) -> tuple[dict, pd.DataFrame]:
    """Train the members of an arm on one fold and predict the test patients under every input pattern.

    Parameters
    ----------
    arm : Arm
    inputs : Inputs
        Unscaled bags, normalised profiles of this fold.
    genes : int
    targets : Targets
    roles : dict
        ``train``, ``inner``, ``test`` patients.
    checkpoint : dict or None
        Pretrained towers.
    cfg : dict
        ``finetune.*``, ``pretrain.model``, ``pack.*``.
    seed : tuple
    device : torch.device

    Returns
    -------
    fold : dict
        Weights and baseline hazards of the members, scaler, hashed training ids, inner losses, predictions of the
        inner patients, ``median`` and ``spread`` (mean, SD) of the training patients' risk per input pattern and
        endpoint, and ``not_learnable``: tasks that the training patients cannot teach, with the reason.
    predictions : DataFrame
        ``patient_id, inputs, task, output, value`` of the test patients, for every other task.

    Raises
    ------
    NotAvailable
        The fold's training patients cannot feed the arm, or teach none of the tasks.
    """
    if arm.modality in ("wsi", "both") and (inputs.bags is None or inputs.bags.missing):
        raise NotAvailable(inputs.bags.missing if inputs.bags is not None else "no slides")
    if arm.modality in ("rna", "both") and not inputs.profiles:
        raise NotAvailable("no RNA")
    if checkpoint is not None and checkpoint["status"] != "ok":
        raise NotAvailable(f"pretraining was not available: {checkpoint['reason']}")
    train = inputs.any_of(roles["train"], arm.modality)
    inner = inputs.any_of(roles["inner"], arm.modality)
    for modality, have in (("slide", inputs.slides), ("RNA profile", inputs.profiles)):
        wanted = arm.modality == "both" or (arm.modality == "wsi") == (modality == "slide")
        if wanted and not any(p in have for p in roles["train"]):
            raise NotAvailable(f"no training patient of a fold has a {modality}")
    lost = targets.take(train).not_learnable()
    targets = targets.only({*targets.survival, *targets.labels} - set(lost))
    heads = {**dict.fromkeys(targets.survival, 1), **{t: len(c) for t, c in targets.classes.items()}}
    if not heads:
        raise NotAvailable("; ".join(f"{t}: {r}" for t, r in lost.items()) or "no task")
    scaler = _scale_bags(arm, inputs, roles["train"], checkpoint, cfg, seed)
    members = [
        _fit_member(arm, inputs, genes, targets, train, inner, heads, checkpoint, cfg, (*seed, m), device)
        for m in range(cfg["finetune.members"])
    ]
    test = {i: inputs.has(roles["test"], i) for i in arm.inputs}
    rows = [
        _predictions(members, inputs, patients, pattern, targets, cfg) for pattern, patients in test.items() if patients
    ]
    trained = {i: _risks(members, inputs, inputs.has(roles["train"], i), i, targets, cfg) for i in arm.inputs}
    fold = {
        "scaler": scaler.state() if scaler else {},
        "members": [{"parts": m["parts"], "baseline": m["baseline"]} for m in members],
        "median": {i: {t: float(np.median(r)) for t, r in risks.items()} for i, risks in trained.items()},
        "spread": {i: {t: [float(r.mean()), float(r.std())] for t, r in risks.items()} for i, risks in trained.items()},
        "inner": {t: float(np.mean([m["inner"].get(t, np.nan) for m in members])) for t in heads},
        "inner_predictions": _inner_predictions(
            members, inputs, inputs.has(roles["inner"], arm.inputs[0]), arm.inputs[0], targets, cfg
        ),
        "not_learnable": lost,
        "trained_on": hashed_ids(sorted({*roles["train"], *roles["inner"]})),
    }
    return fold, pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(
        columns=["patient_id", "inputs", "task", "output", "value"]
    )


def _scale_bags(
    arm: Arm, inputs: Inputs, train: list[str], checkpoint: dict | None, cfg: dict, seed: tuple
) -> StreamScaler | None:
    """Scale the bags once: with the checkpoint's scaler, else with one fitted on this fold's training patients."""
    if arm.modality == "rna":
        return None
    if checkpoint is not None:
        scaler = StreamScaler.from_state(checkpoint["scaler"])
    else:
        kinds = {s: cfg[f"pack.scaling_{s}"] for s in inputs.bags.streams}
        scaler = fit_scaler(inputs.bags, train, kinds, np.random.default_rng([seed_of("scaler", *seed)]))
    inputs.bags.scale(scaler)
    return scaler


def _fit_member(
    arm: Arm,
    inputs: Inputs,
    genes: int,
    targets: Targets,
    train: list[str],
    inner: list[str],
    heads: dict[str, int],
    checkpoint: dict | None,
    cfg: dict,
    seed: tuple,
    device: torch.device,
) -> dict:
    torch.manual_seed(seed_of("finetune", *seed))
    rng = np.random.default_rng([seed_of("finetune", *seed)])
    width = sum(inputs.bags.widths.values()) if inputs.bags is not None else None
    network = ArmNetwork(arm, width, genes, heads, cfg["pretrain.model"]).to(device)
    towers = [t for t in (network.wsi, network.rna) if t is not None]
    if checkpoint is not None:
        for name in ("wsi", "rna"):
            tower = getattr(network, name)
            if tower is not None:
                tower.load_state_dict(
                    {k[len(name) + 1 :]: v for k, v in checkpoint["weights"].items() if k.startswith(f"{name}.")}
                )
    rate = cfg["finetune.learning_rate"] * (cfg["finetune.pretrained_rate"] if checkpoint is not None else 1.0)
    in_towers = {id(p) for t in towers for p in t.parameters()}
    rest = [p for p in network.parameters() if id(p) not in in_towers]
    rates = [
        {"params": rest, "lr": cfg["finetune.learning_rate"]},
        {"params": [p for t in towers for p in t.parameters()], "lr": rate},
    ]
    optimiser = AdamW(rates, weight_decay=cfg["finetune.weight_decay"])
    size = min(cfg["finetune.batch_size"], len(train))
    steps = max(1, len(train) // size)
    schedule = one_cycle(optimiser, [g["lr"] for g in rates], cfg["finetune.epochs"] * steps)
    groups = groups_of(targets)
    best = {group: Best() for group in groups}
    for epoch in progress(range(1, cfg["finetune.epochs"] + 1), f"{arm.name} fold {seed[-2]}"):
        network.train()
        order = rng.permutation(len(train))
        for step in range(steps):
            chosen = [train[i] for i in order[step * size : (step + 1) * size]]
            wsi, rna = masks(inputs, chosen, arm.modality if arm.modality != "both" else "any")
            if arm.modality == "both":
                wsi, rna = drop_modality(wsi, rna, cfg["finetune.modality_dropout"], rng)
            losses = task_loss(
                network(*inputs.batch(chosen, wsi, rna, cfg["finetune.tiles"], rng)), targets.take(chosen)
            )
            if losses:
                optimiser.zero_grad(set_to_none=True)
                # Endpoints of one cohort tell much the same: together they weigh as much as one label.
                total = sum(
                    torch.stack([losses[t] for t in tasks if t in losses]).mean()
                    for tasks in groups.values()
                    if losses.keys() & set(tasks)
                )
                if not torch.isfinite(total):
                    raise FloatingPointError(
                        f"{arm.name}: the loss is {total.item()} in epoch {epoch}; lower finetune.learning_rate"
                    )
                total.backward()
                optimiser.step()
            schedule.step()
        watched = _inner_loss(network, arm, inputs, inner, targets, cfg)
        for group, tasks in groups.items():
            best[group].offer(epoch, {t: watched[t] for t in tasks if t in watched}, network)
    log.info(
        "%s fold %s: %s",
        arm.name,
        seed[-2],
        ", ".join(f"{g} epoch {b.epoch}, inner loss {b.loss:.3f}" for g, b in best.items()),
    )
    parts = {
        group: {"weights": {k: v.cpu() for k, v in b.weights.items()}, "epoch": b.epoch} for group, b in best.items()
    }
    member = Member(network, parts)
    losses = {t: v for b in best.values() for t, v in b.inner.items()}
    return {
        "member": member,
        "parts": parts,
        "inner": losses,
        "baseline": _baselines(member, arm, inputs, [*train, *inner], targets, cfg),
    }


def _pattern(arm: Arm) -> str:
    return "any" if arm.modality == "both" else arm.modality


def _inner_loss(
    network: ArmNetwork, arm: Arm, inputs: Inputs, inner: list[str], targets: Targets, cfg: dict
) -> dict[str, float]:
    if not inner:
        return {}
    outputs = outputs_of(network, inputs, inner, _pattern(arm), cfg["finetune.tiles"])
    return {
        t: v.item()
        for t, v in task_loss({t: torch.from_numpy(v) for t, v in outputs.items()}, targets.take(inner)).items()
    }


def _baselines(
    member: Member, arm: Arm, inputs: Inputs, patients: list[str], targets: Targets, cfg: dict
) -> dict[str, dict[str, list[float]]]:
    """Breslow's baseline hazard per endpoint over training and inner patients."""
    outputs = member.outputs(inputs, patients, _pattern(arm), cfg["finetune.tiles"])
    known = targets.take(patients)
    found = {}
    for task, (days, event) in known.survival.items():
        use = np.isfinite(days)
        times, hazard = breslow(outputs[task][use, 0], days[use], event[use])
        found[task] = {"times": times.tolist(), "hazard": hazard.tolist()}
    return found


def _averaged(
    members: list[dict], inputs: Inputs, patients: list[str], pattern: str, targets: Targets, cfg: dict
) -> dict[tuple[str, str], np.ndarray]:
    pairs = [(m["member"], m["baseline"]) for m in members]
    days = {task: curve_days(horizons) for task, horizons in targets.horizons.items()}
    return average_members(pairs, inputs, patients, pattern, targets.classes, days, cfg["finetune.tiles"])


def _inner_predictions(
    members: list[dict], inputs: Inputs, patients: list[str], pattern: str, targets: Targets, cfg: dict
) -> dict:
    """Risk or class probabilities of the inner patients, so that arms can be compared over the same of them."""
    averaged = _averaged(members, inputs, patients, pattern, targets, cfg)
    values = {t: averaged[t, "risk"][:, None] for t in targets.survival}
    values |= {t: np.column_stack([averaged[t, f"p_{c}"] for c in names]) for t, names in targets.classes.items()}
    return inner_predictions(patients, values)


def _predictions(
    members: list[dict], inputs: Inputs, patients: list[str], pattern: str, targets: Targets, cfg: dict
) -> pd.DataFrame:
    averaged = _averaged(members, inputs, patients, pattern, targets, cfg)
    return pd.concat(
        [
            pd.DataFrame({"patient_id": patients, "inputs": pattern, "task": task, "output": output, "value": value})
            for (task, output), value in averaged.items()
        ],
        ignore_index=True,
    )


def _risks(
    members: list[dict], inputs: Inputs, patients: list[str], pattern: str, targets: Targets, cfg: dict
) -> dict[str, np.ndarray]:
    """Risks of training patients per endpoint: their median cuts Kaplan-Meier curves, mean and SD put single arms on one scale for late fusion."""
    if not patients:
        return {}
    averaged = _averaged(members, inputs, patients, pattern, targets, cfg)
    return {task: averaged[task, "risk"] for task in targets.survival}
