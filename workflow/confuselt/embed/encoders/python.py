"""A model that a function of an installed package returns, by ``package.module:function``.

TIAToolbox's encoder classes, and any of one's own. A change in that package is not seen: a new encoder name is what
makes features anew.
"""

from importlib import import_module
from pathlib import Path

from torch import nn

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
    module, _, name = card.architecture.partition(":")
    try:
        model = getattr(import_module(module), name)(**card.arguments)
    except (ImportError, AttributeError, TypeError, ValueError) as fault:
        raise ValueError(
            f"architecture {card.architecture} with {card.arguments} cannot be made ({fault}); "
            "wanted package.module:function of an installed package"
        ) from None
    if not isinstance(model, nn.Module):
        raise ValueError(f"{card.architecture} returns {type(model).__name__}, wanted a torch module")
    load_strictly(model, read_weights(weights), f"{weights}: not of {card.architecture}")
    return model
