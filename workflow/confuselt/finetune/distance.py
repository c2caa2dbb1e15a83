"""How far out a patient lies among those that a model was trained on."""

import numpy as np
import torch

from confuselt.finetune.inputs import Inputs, masks


def distances(inputs: Inputs, patients: list[str], pattern: str, budget: int) -> np.ndarray:
    """Root mean square of each patient's scaled inputs, the mean over slides and RNA where both are used.

    Parameters
    ----------
    inputs : Inputs
    patients : list of str
        With what the pattern needs.
    pattern : str
        ``wsi``, ``rna`` or ``both``.
    budget : int
        Instances of a patient that are looked at.

    Returns
    -------
    (patients,) float64
        About 1 for a patient like those of training, more further out.
    """
    found: list[np.ndarray] = []
    for some in inputs.spans(patients, budget):
        batch = inputs.batch(some, masks(inputs, some, pattern), budget)
        packed, genes = inputs.load(batch, torch.float32)
        parts = []
        if packed is not None:
            mean = packed.rows.double().square().mean(1).split(packed.lengths)
            parts.append([float(rows.mean().sqrt()) for rows in mean])
        if genes is not None:
            parts.append(genes.double().square().mean(1).sqrt().tolist())
        found.append(np.mean(parts, axis=0))
    return np.concatenate(found) if found else np.zeros(0)
