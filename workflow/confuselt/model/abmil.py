"""Gated attention-based multiple instance learning over packed bags (Ilse et al., ICML 2018)."""

import torch
from torch import nn


def segment_softmax(scores: torch.Tensor, bag: torch.Tensor, bags: int) -> torch.Tensor:
    """Softmax within each bag.

    Parameters
    ----------
    scores : (N,) float
    bag : (N,) int64
        Bag of each row.
    bags : int

    Returns
    -------
    (N,) float
        Non-negative, summing to 1 in every bag that has rows.
    """
    top = torch.full((bags,), -torch.inf, dtype=scores.dtype, device=scores.device)
    top = top.scatter_reduce(0, bag, scores.detach(), "amax")
    weight = torch.exp(scores - top[bag])
    total = torch.zeros(bags, dtype=scores.dtype, device=scores.device).index_add(0, bag, weight)
    return weight / total[bag]


class GatedABMIL(nn.Module):
    """Bag vector as the attention-weighted mean of embedded instances.

    Parameters
    ----------
    width : int
        Features of an instance.
    hidden : int
        Width of the instance embedding and of the bag vector.
    attention : int
        Width of the two gates.
    dropout, dropout_input : float
        Of the instance embedding and of the instance features.
    uniform : bool
        Give every instance of a bag the same weight: mean pooling, the baseline that attention has to beat.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        attention: int,
        dropout: float = 0.0,
        dropout_input: float = 0.0,
        uniform: bool = False,
    ) -> None:
        super().__init__()
        self.uniform = uniform
        self.drop = nn.Dropout(dropout_input)
        self.embed = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout))
        self.tanh = nn.Linear(hidden, attention)
        self.gate = nn.Linear(hidden, attention)
        self.score = nn.Linear(attention, 1)

    def forward(
        self, rows: torch.Tensor, bag: torch.Tensor, bags: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pool packed bags.

        Parameters
        ----------
        rows : (N, width) float32
        bag : (N,) int64
        bags : int

        Returns
        -------
        pooled : (bags, hidden)
            Attention-weighted mean of the embedded instances.
        direct : (bags, width)
            The same weights over the (dropped-out) features themselves: a linear path around the embedding.
        weights : (N,)
        """
        rows = self.drop(rows)
        embedded = self.embed(rows)
        scores = self.score(torch.tanh(self.tanh(embedded)) * torch.sigmoid(self.gate(embedded))).squeeze(-1)
        weights = segment_softmax(torch.zeros_like(scores) if self.uniform else scores, bag, bags)
        pooled = embedded.new_zeros(bags, embedded.shape[1]).index_add(0, bag, weights[:, None] * embedded)
        direct = rows.new_zeros(bags, rows.shape[1]).index_add(0, bag, weights[:, None] * rows)
        return pooled, direct, weights
