"""What pretraining learns: an objective over the views of a batch. Another one is another class with this `forward`."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class InfoNCE(nn.Module):
    """Symmetric InfoNCE with a learnable temperature (Radford et al. 2021).

    Several slides of a patient are positives.

    Parameters
    ----------
    temperature : float
        To start from.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    @property
    def scale(self) -> torch.Tensor:
        """Inverse temperature, at most 100 as in CLIP."""
        return self.log_scale.exp().clamp(max=100.0)

    def forward(self, views: dict[str, torch.Tensor], owner: torch.Tensor) -> torch.Tensor:
        """Mean of the two directions.

        Parameters
        ----------
        views : dict
            ``wsi`` (slides, dim) and ``rna`` (patients, dim), unit vectors.
        owner : (slides,) int64
            Patient (row of ``rna``) of each slide.

        Returns
        -------
        scalar tensor
            Slide to patient: cross-entropy. Patient to slide: mean log-probability over the patient's slides
            (Khosla et al. 2020, "outside" form).
        """
        logits = self.scale * views["wsi"] @ views["rna"].T
        to_rna = F.cross_entropy(logits, owner)
        own = F.one_hot(owner, len(views["rna"])).T.to(logits.dtype)
        to_wsi = -((logits.T.log_softmax(1) * own).sum(1) / own.sum(1)).mean()
        return (to_rna + to_wsi) / 2
