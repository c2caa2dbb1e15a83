"""The two towers: a WSI bag and an RNA profile each become one vector of the shared space."""

import torch
from torch import nn

from confuselt.model.abmil import GatedABMIL
from confuselt.model.packed import Packed


class LinearPlus(nn.Module):
    """A linear map with a one-hidden-layer network beside it.

    With some hundred patients the linear path does most of the work (measured on inner
    folds, see docs/ARCHITECTURE.md); the network adds what is not linear.
    """

    def __init__(self, width: int, hidden: int, out: int, dropout: float) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, out))
        self.linear = nn.Linear(width, out, bias=False)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(n, width) to (n, out)."""
        return self.network(rows) + self.linear(rows)


class WsiTower(nn.Module):
    """ABMIL over streams side by side, then a projection, with a linear path beside it.

    Parameters
    ----------
    width : int
        Features of an instance (all streams).
    model : dict
        Block ``pretrain.model``.
    uniform : bool
        Mean pooling instead of attention.
    """

    def __init__(self, width: int, model: dict, uniform: bool = False) -> None:
        super().__init__()
        self.pool = GatedABMIL(
            width, model["hidden"], model["attention"], model["dropout"], model["dropout_wsi"], uniform
        )
        self.project = nn.Linear(model["hidden"], model["dim"])
        self.linear = nn.Linear(width, model["dim"], bias=False)

    def forward(self, packed: Packed) -> tuple[torch.Tensor, torch.Tensor]:
        """Bag vectors (bags, dim) and attention (N,) of packed, scaled rows (N, width)."""
        pooled, direct, weights = self.pool(packed)
        return self.project(pooled) + self.linear(direct), weights


class RnaTower(nn.Module):
    """`LinearPlus` under strong input dropout.

    Parameters
    ----------
    genes : int
    model : dict
        Block ``pretrain.model``.
    """

    def __init__(self, genes: int, model: dict) -> None:
        super().__init__()
        self.drop = nn.Dropout(model["dropout_rna"])
        self.body = LinearPlus(genes, model["hidden"], model["dim"], model["dropout"])

    def forward(self, genes: torch.Tensor) -> torch.Tensor:
        """Vectors (patients, dim) of normalised profiles (patients, genes)."""
        return self.body(self.drop(genes))
