"""Symmetric InfoNCE between slides and patients (Radford et al. 2021), several slides of a patient being positives."""

import torch
from torch.nn import functional as F


def contrastive_loss(wsi: torch.Tensor, rna: torch.Tensor, owner: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Mean of the two directions.

    Parameters
    ----------
    wsi : (slides, dim)
        Unit vectors.
    rna : (patients, dim)
        Unit vectors.
    owner : (slides,) int64
        Patient (row of `rna`) of each slide.
    scale : scalar tensor
        Inverse temperature.

    Returns
    -------
    scalar tensor
        Slide to patient: cross-entropy. Patient to slide: mean log-probability over the patient's slides
        (Khosla et al. 2020, "outside" form).
    """
    logits = scale * wsi @ rna.T
    to_rna = F.cross_entropy(logits, owner)
    own = F.one_hot(owner, len(rna)).T.to(logits.dtype)
    to_wsi = -((logits.T.log_softmax(1) * own).sum(1) / own.sum(1)).mean()
    return (to_rna + to_wsi) / 2
