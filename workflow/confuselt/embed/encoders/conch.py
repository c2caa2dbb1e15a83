"""CONCH: the picture's half of a CoCa, a vision transformer whose tokens one learned query pools."""

from pathlib import Path

import timm
import torch
from torch import nn

from confuselt.embed.card import Card
from confuselt.embed.layouts import load_strictly
from confuselt.embed.weights import read_weights

HEADS = 8
# The halves for words and captions, and the projection to where pictures and words are compared.
ELSEWHERE = ("text", "logit_scale", "attn_pool_caption", "ln_caption", "proj_contrast")


class Pooler(nn.Module):
    """One vector from tokens by attention.

    References
    ----------
    .. [1] Yu et al., CoCa: contrastive captioners are image-text foundation models, TMLR 2022.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, dim))
        self.attn = nn.MultiheadAttention(dim, HEADS, kdim=width, vdim=width, batch_first=True)
        self.ln_q, self.ln_k = nn.LayerNorm(dim), nn.LayerNorm(width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, t, width) to (n, dim)."""
        keys, query = self.ln_k(tokens), self.ln_q(self.query).expand(len(tokens), -1, -1)
        return self.attn(query, keys, keys, need_weights=False)[0][:, 0]


class Conch(nn.Module):
    """What its authors advise for other tasks: the pooled vector before the projection, not normalised."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.trunk = timm.create_model(card.architecture, num_classes=0, img_size=card.size, global_pool="")
        self.attn_pool_contrast = Pooler(self.trunk.num_features, card.dim)
        self.ln_contrast = nn.LayerNorm(card.dim)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) to (n, dim)."""
        return self.ln_contrast(self.attn_pool_contrast(self.trunk(pictures)))


def build(card: Card, weights: Path) -> nn.Module:
    """The model with its weights.

    References
    ----------
    .. [1] Lu et al., A visual-language foundation model for computational pathology, Nature Medicine 2024.
    """
    model, tensors = Conch(card), read_weights(weights)
    own = {name.removeprefix("visual."): value for name, value in tensors.items()}
    own = {name: value for name, value in own.items() if not name.startswith(ELSEWHERE)}
    load_strictly(model, own, f"{weights}: not of CONCH")
    return model
