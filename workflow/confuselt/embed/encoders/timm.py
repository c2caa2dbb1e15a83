"""Any model of timm."""

from functools import partial
from pathlib import Path

import timm
from torch import nn

from confuselt.embed.card import Card
from confuselt.embed.layouts import load_strictly, to_timm
from confuselt.embed.weights import read_weights

LAYERS = {"SwiGLUPacked": timm.layers.SwiGLUPacked, "SwiGLU": timm.layers.SwiGLU}


def build(card: Card, weights: Path) -> nn.Module:
    """The model with its weights; of a card that pools tokens, what it returns are tokens.

    Raises
    ------
    ValueError
        timm does not know the architecture or its arguments, or the file is not of this model.
    """
    model = untrained(card)
    load_strictly(model, to_timm(read_weights(weights), card.layout, model), f"{weights}: not of {card.architecture}")
    return model


def untrained(card: Card) -> nn.Module:
    """The same without its weights."""
    arguments = {k: LAYERS.get(v, v) if k.endswith("_layer") else v for k, v in card.arguments.items()}
    if (eps := arguments.pop("norm_eps", None)) is not None:
        arguments["norm_layer"] = partial(nn.LayerNorm, eps=eps)
    if card.pooling != "vector":
        arguments["global_pool"] = ""
    try:
        return timm.create_model(card.architecture, pretrained=False, num_classes=0, **arguments)
    except (RuntimeError, TypeError, ValueError, AssertionError) as fault:
        raise ValueError(f"timm does not make {card.architecture} with {card.arguments}: {fault}") from None
