"""Mean scaled instance of each patient: what linear baselines see of slides."""

import numpy as np
import torch

from confuselt.learn.store import Store
from confuselt.model.scaling import StreamScaler


def patient_means(store: Store, slides: dict[str, list[int]], scaler: StreamScaler | None) -> dict[str, np.ndarray]:
    """Mean over all instances of a patient's slides, patient to (d,) float64; each instance is read once.

    Of a feature, over the instances of which it is known; 0 where it is of none.

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
    counts: dict[str, torch.Tensor] = {}
    widths = list(store.widths.values())
    for some, packed in store.pieces(list(owner), None):
        missing = packed.rows.isnan()
        scaled = packed.rows if scaler is None else scaler(list(packed.rows.split(widths, 1)))
        scaled = scaled.masked_fill(missing, 0)
        parts = zip(some, scaled.split(packed.lengths), missing.split(packed.lengths), strict=True)
        for slide, rows, gone in parts:
            sums[owner[slide]] = sums.get(owner[slide], 0) + rows.sum(0, dtype=torch.float64)
            counts[owner[slide]] = counts.get(owner[slide], 0) + (~gone).sum(0)
    return {patient: (total / counts[patient].clamp(min=1)).cpu().numpy() for patient, total in sums.items()}
