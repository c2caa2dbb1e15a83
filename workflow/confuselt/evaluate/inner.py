"""Which arm is better on inner data."""

import numpy as np
import torch

from confuselt.finetune.targets import Targets
from confuselt.learn.checkpoint import hashed_ids
from confuselt.survival.cox import cox_loss

# Arm to (repeat, fold) to the arm's predictions of that fold's inner patients, as `finetune` saves them.
InnerPredictions = dict[str, dict[tuple[int, int], dict]]


def inner_losses(candidates: tuple[str, ...], task: str, inner: InnerPredictions, targets: Targets) -> dict[str, float]:
    """Mean loss over folds of each candidate, over the inner patients that all of them can score.

    Losses over different patients cannot be compared: a risk set with more patients has a higher partial likelihood
    loss whatever the model.

    Parameters
    ----------
    candidates : tuple of str
    task : str
    inner : dict
    targets : Targets

    Returns
    -------
    dict of str to float
        Arm to partial likelihood per event, or cross-entropy per patient. Empty where no fold informs the choice.
    """
    trained = [a for a in candidates if a in inner]
    if not trained:
        return {}
    at = {hashed_ids([p])[0]: i for i, p in enumerate(targets.patients)}
    folds = set.intersection(*({k for k, found in inner[a].items() if task in found["values"]} for a in trained))
    losses: dict[str, list[float]] = {a: [] for a in trained}
    for key in sorted(folds):
        common = sorted(set.intersection(*(set(inner[a][key]["patients"]) for a in trained)))
        one = {
            a: _loss(inner[a][key], common, task, targets.take([targets.patients[at[h]] for h in common]))
            for a in trained
        }
        if all(np.isfinite(v) for v in one.values()):
            for arm, loss in one.items():
                losses[arm].append(loss)
    return {a: float(np.mean(v)) for a, v in losses.items() if v}


def _loss(found: dict, patients: list[str], task: str, known: Targets) -> float:
    """Loss of one arm on some inner patients (hashed ids, in the order of `known`); NaN where they say nothing."""
    place = {h: i for i, h in enumerate(found["patients"])}
    values = found["values"][task][[place[h] for h in patients]]
    if task in known.survival:
        days, event = known.survival[task]
        use = np.isfinite(days)
        if event[use].sum() == 0:
            return np.nan
        return cox_loss(values[use, 0], torch.from_numpy(days[use]), torch.from_numpy(event[use])).item()
    label = known.labels[task]
    use = label >= 0
    return float(-np.log(np.maximum(values.numpy()[use, label[use]], 1e-12)).mean()) if use.any() else np.nan


def inner_choice(
    candidates: tuple[str, ...], task: str, inner: InnerPredictions, targets: Targets
) -> tuple[str | None, str | None]:
    """The candidate with the lowest inner loss, and None.

    Where inner data say nothing it is the first trained one, and that it is that; None where none was trained.
    """
    losses = inner_losses(candidates, task, inner, targets)
    if losses:
        return min(losses, key=losses.get), None
    first = next((a for a in candidates if a in inner), None)
    return first, first and f"inner data do not say which of {' and '.join(candidates)} is better, the first is taken"
