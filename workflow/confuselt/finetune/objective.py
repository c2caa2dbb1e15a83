"""What fine-tuning learns: partial likelihood of every endpoint and cross-entropy of every label, together."""

import numpy as np
import torch
from torch.nn import functional as F

from confuselt.finetune.targets import Targets
from confuselt.survival.cox import cox_loss


def groups_of(targets: Targets) -> dict[str, list[str]]:
    """Tasks that share an epoch.

    All endpoints (by summed inner partial likelihood) do; each label has one of its own (by inner cross-entropy). With
    few events survival overfits within some epochs, long before a label is learned.
    """
    survival = {"survival": list(targets.survival)} if targets.survival else {}
    return survival | {label: [label] for label in targets.labels}


def task_losses(outputs: dict[str, torch.Tensor], targets: Targets) -> dict[str, torch.Tensor]:
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
            value = outputs[task][torch.from_numpy(known)]
            losses[task] = F.cross_entropy(value, torch.from_numpy(label[known]).to(value.device))
    return losses


def joint_loss(losses: dict[str, torch.Tensor], groups: dict[str, list[str]]) -> torch.Tensor | None:
    """Sum over groups of tasks; None where no task is informed.

    Endpoints of one cohort tell much the same: together they weigh as much as one label.
    """
    informed = [[losses[t] for t in tasks if t in losses] for tasks in groups.values()]
    parts = [torch.stack(group).mean() for group in informed if group]
    return sum(parts) if parts else None
