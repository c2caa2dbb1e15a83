"""Mean scaled instance of each patient: what linear baselines see of slides."""

import numpy as np
import torch

from confuselt.learn.store import Store
from confuselt.model.scaling import StreamScaler


def patient_means(store: Store, slides: dict[str, list[int]], scaler: StreamScaler | None) -> dict[str, np.ndarray]:
    """Mean over all instances of a patient's slides, patient to (d,) float64; each instance is read once.

    Parameters
    ----------
    store : Store
    slides : dict of str to list of int
        Slide positions of each patient.
    scaler : StreamScaler or None
        None: features as they are.
    """
    owner = {i: patient for patient, own in slides.items() for i in own}
    sums: dict[str, torch.Tensor] = {}
    counts = dict.fromkeys(slides, 0)
    for some, packed in store.pieces(list(owner), scaler):
        for slide, rows in zip(some, packed.rows.split(packed.lengths), strict=True):
            sums[owner[slide]] = sums.get(owner[slide], 0) + rows.sum(0, dtype=torch.float64)
            counts[owner[slide]] += len(rows)
    return {patient: (total / counts[patient]).cpu().numpy() for patient, total in sums.items()}
