"""The two towers together: what pretraining learns and every arm starts from."""

import torch
from torch import nn
from torch.nn import functional as F

from confuselt.model.packed import Packed
from confuselt.model.towers import RnaTower, WsiTower


class Encoders(nn.Module):
    """Two towers into one space.

    Parameters
    ----------
    width : int
        Features of an instance.
    genes : int
    model : dict
        Block ``pretrain.model``.
    """

    def __init__(self, width: int, genes: int, model: dict) -> None:
        super().__init__()
        self.wsi = WsiTower(width, model)
        self.rna = RnaTower(genes, model)

    def embed_wsi(self, packed: Packed) -> torch.Tensor:
        """Unit vectors (bags, dim) float32."""
        return F.normalize(self.wsi(packed)[0].float(), dim=1)

    def embed_rna(self, genes: torch.Tensor) -> torch.Tensor:
        """Unit vectors (patients, dim) float32 of normalised profiles (patients, genes)."""
        return F.normalize(self.rna(genes).float(), dim=1)
