"""Gated attention-based multiple instance learning over packed bags (Ilse et al., ICML 2018)."""

from typing import Any

import torch
from torch import nn

from confuselt.model.packed import Packed, Run


class _Pool(torch.autograd.Function):
    """Softmax of the scores within each bag, and the weighted means of two sets of features.

    Bags of equal length are one batched matrix product, others one each. That is the same on every device and in every
    run (`index_add` on CUDA is not), and no weighted copy of the instances is ever made.
    """

    @staticmethod
    def forward(
        ctx: Any, scores: torch.Tensor, embedded: torch.Tensor, rows: torch.Tensor, runs: list[Run]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        bags = runs[-1].bags.stop if runs else 0
        weights = torch.empty_like(scores)
        means = [torch.empty(bags, values.shape[1], device=values.device) for values in (embedded, rows)]
        with torch.autocast(scores.device.type, enabled=False):
            for run in runs:
                share = scores[run.rows].view(-1, run.each).softmax(1)
                weights[run.rows] = share.view(-1)
                for mean, values in zip(means, (embedded, rows), strict=True):
                    mean[run.bags] = torch.bmm(share[:, None].to(values.dtype), _by_bag(values, run)).squeeze(1).float()
        ctx.save_for_backward(weights, embedded, rows)
        ctx.runs = runs
        ctx.mark_non_differentiable(weights)
        return *means, weights

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weights, *features = ctx.saved_tensors
        of_scores = torch.empty_like(weights)
        # Instances are data: who asks for their gradient gets it, nobody pays for it.
        of_features = [
            torch.empty_like(values) if needed else None
            for values, needed in zip(features, ctx.needs_input_grad[1:3], strict=True)
        ]
        for run in ctx.runs:
            share = weights[run.rows].view(-1, run.each)
            of_weights = torch.zeros_like(share)
            for values, gradient, of_values in zip(features, gradients, of_features, strict=False):
                of_mean = gradient[run.bags].to(values.dtype)
                of_weights += torch.bmm(_by_bag(values, run), of_mean[:, :, None]).squeeze(2)
                if of_values is not None:
                    torch.mul(share[:, :, None].to(values.dtype), of_mean[:, None], out=_by_bag(of_values, run))
            of_scores[run.rows] = (share * (of_weights - (share * of_weights).sum(1, keepdim=True))).view(-1)
        return of_scores, *of_features, None


def _by_bag(values: torch.Tensor, run: Run) -> torch.Tensor:
    """(bags, instances, width) view of the rows of a run."""
    return values[run.rows].view(-1, run.each, values.shape[1])


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
        # In place: the rows of a batch are its own, and the largest thing in memory.
        self.drop = nn.Dropout(dropout_input, inplace=True)
        self.embed = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout))
        self.tanh = nn.Linear(hidden, attention)
        self.gate = nn.Linear(hidden, attention)
        self.score = nn.Linear(attention, 1)

    def forward(self, packed: Packed) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pool packed bags.

        Parameters
        ----------
        packed : Packed
            Rows (N, width). In training they are dropped out in place.

        Returns
        -------
        pooled : (bags, hidden) float32
            Attention-weighted mean of the embedded instances.
        direct : (bags, width) float32
            The same weights over the (dropped-out) features themselves: a linear path around the embedding.
        weights : (N,) float32
            Non-negative, summing to 1 in every bag.
        """
        rows = self.drop(packed.rows)
        embedded = self.embed(rows)
        gated = torch.tanh(self.tanh(embedded)) * torch.sigmoid(self.gate(embedded))
        scores = self.score(gated).squeeze(-1).float()
        return _Pool.apply(torch.zeros_like(scores) if self.uniform else scores, embedded, rows, packed.runs())
