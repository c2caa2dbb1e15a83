"""CTransPath: a Swin transformer whose patches are embedded by a stem of convolutions."""

from pathlib import Path

import timm
import torch
from timm.models.swin_transformer import checkpoint_filter_fn
from torch import nn

from confuselt.embed.card import Card
from confuselt.embed.layouts import UNUSED, load_strictly
from confuselt.embed.weights import read_weights


class Stem(nn.Module):
    """Patches of 4 px by two convolutions of stride 2, in the place of timm's ``PatchEmbed``.

    References
    ----------
    .. [1] Xiao et al., Early convolutions help transformers see better, NeurIPS 2021.
    """

    def __init__(self, img_size: int, embed_dim: int, norm_layer: type[nn.Module], **_: object) -> None:
        super().__init__()
        self.grid_size, widths = (img_size // 4, img_size // 4), (3, embed_dim // 8, embed_dim // 4)
        layers = []
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.proj = nn.Sequential(*layers, nn.Conv2d(widths[-1], embed_dim, 1))
        self.norm = norm_layer(embed_dim)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) to (n, h / 4, w / 4, d)."""
        return self.norm(self.proj(pictures).permute(0, 2, 3, 1))


def untrained(card: Card) -> nn.Module:
    """The model without its weights."""
    return timm.create_model(card.architecture, num_classes=0, img_size=card.size, embed_layer=Stem)


def build(card: Card, weights: Path) -> nn.Module:
    """The model with its weights, in the names that its authors' timm had.

    References
    ----------
    .. [1] Wang et al., Transformer-based unsupervised contrastive learning for histopathological image classification,
       Medical Image Analysis 2022.
    """
    model = untrained(card)
    tensors = {name: value for name, value in read_weights(weights).items() if not UNUSED.fullmatch(name)}
    load_strictly(model, checkpoint_filter_fn(tensors, model), f"{weights}: not of CTransPath")
    return model
