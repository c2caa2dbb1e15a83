"""A model that a function of an installed package returns, by ``package.module:function``.

TIAToolbox's encoder classes, and any of one's own. A change in that package is not seen: a new encoder name is what
makes features anew.
"""

from pathlib import Path

from torch import nn

from confuselt.embed.architecture import make
from confuselt.embed.card import Card
from confuselt.embed.layouts import load_strictly
from confuselt.embed.weights import read_weights


def build(card: Card, weights: Path) -> nn.Module:
    """The model with its weights.

    Raises
    ------
    ValueError
        There is no such function, it returns no module, or the file is not of this model.
    """
    model = make(card.architecture, card.arguments)
    load_strictly(model, read_weights(weights), f"{weights}: not of {card.architecture}")
    return model
