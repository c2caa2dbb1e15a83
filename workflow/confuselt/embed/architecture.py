"""A network by the name of the function that makes it, ``package.module:function`` of an installed package."""

from importlib import import_module
from typing import Any

from torch import nn


def make(architecture: str, arguments: dict[str, Any]) -> nn.Module:
    """What the function returns.

    Raises
    ------
    ValueError
        There is no such function, it takes other arguments, or it returns no module.
    """
    module, _, name = architecture.partition(":")
    try:
        model = getattr(import_module(module), name)(**arguments)
    except (ImportError, AttributeError, TypeError, ValueError) as fault:
        raise ValueError(
            f"architecture {architecture} with {arguments} cannot be made ({fault}); "
            "wanted package.module:function of an installed package"
        ) from None
    if not isinstance(model, nn.Module):
        raise ValueError(f"{architecture} returns {type(model).__name__}, wanted a torch module")
    return model
