"""A tile encoder: a model with its weights, and how tiles go in and vectors come out.

What builds the model is a file of `encoders/`, what it is a card. Weights come from an installed package or a local
file, never from the network inside a job.
"""

import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from confuselt.backend import load_backend
from confuselt.device import compiled, filled, in_pieces
from confuselt.embed.card import Card
from confuselt.embed.weights import sha256_of

MOST = {"cuda": 256, "cpu": 32}  # tiles that go through a model at once; on a CPU more would leave its cache


@dataclass
class Encoder:
    """A loaded encoder.

    Attributes
    ----------
    name : str
    card : Card
    weights : str
        sha256 of the file of weights, 64 hex digits.
    model : Module
    device : device
    at_once : int
        Tiles that go through the model together: halved where memory does not do.
    compiled : bool
        Whether torch compiles the model: a minute before the first tile, faster after it on a GPU.
    worked : float
        Seconds spent on tiles so far.
    """

    name: str
    card: Card
    weights: str
    model: nn.Module
    device: torch.device
    at_once: int = 0
    compiled: bool = False
    worked: float = 0.0

    def __post_init__(self) -> None:
        self.at_once = self.at_once or MOST[self.device.type]
        # Of a class of its own (TIAToolbox's), ``to`` may take a device alone.
        nn.Module.to(self.model.eval(), self.device, memory_format=torch.channels_last)
        self._mean, self._std = (
            (255 * torch.tensor(v, dtype=torch.float64)).float().to(self.device)[:, None, None]
            for v in (self.card.mean, self.card.std)
        )
        if self.compiled:
            self._run = compiled(self.model)
        else:
            self._run = self.model if self.device.type == "cuda" else _folded(self.model, self.card)

    def block(self, tiles: int) -> np.ndarray:
        """Memory for so many tiles, (n, size, size, 3) uint8, from which a GPU reads by itself."""
        shape = (tiles, self.card.size, self.card.size, 3)
        return torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda").numpy()

    def embed(self, tiles: np.ndarray) -> np.ndarray:
        """Vectors of tiles.

        Parameters
        ----------
        tiles : (n, size, size, 3) uint8
            RGB.

        Returns
        -------
        (n, dim) float32
        """
        began = time.perf_counter()
        found = [vectors for _, vectors in in_pieces(self, self._forward, tiles)]
        self.worked += time.perf_counter() - began
        return np.concatenate(found) if found else np.empty((0, self.card.dim), np.float32)

    @torch.inference_mode()
    def _forward(self, tiles: np.ndarray) -> np.ndarray:
        batch = (
            torch.from_numpy(filled(tiles, self.at_once) if self.compiled else tiles)
            .to(self.device, non_blocking=True)
            .permute(0, 3, 1, 2)
            .float()
            .sub_(self._mean)
            .div_(self._std)
        )
        kind = getattr(torch, self.card.precision)
        with torch.autocast(self.device.type, kind, enabled=kind != torch.float32):
            out = self._run(batch.contiguous(memory_format=torch.channels_last))
        return _pooled(out, self.card, self.model)[: len(tiles)].float().cpu().numpy()


def _folded(model: nn.Module, card: Card) -> nn.Module:
    """On a CPU, the model with each batch norm inside the convolution before it, if it has any: half the time."""
    if card.precision != "float32" or not any(isinstance(part, nn.BatchNorm2d) for part in model.modules()):
        return model
    some = torch.zeros(1, 3, card.size, card.size).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes that a trace takes for constants, which they are
        return torch.jit.freeze(torch.jit.trace(model, some, check_trace=False))


def _pooled(out: torch.Tensor, card: Card, model: nn.Module) -> torch.Tensor:
    """(n, dim) of what a model returns."""
    if card.pooling == "vector":
        return out
    if out.ndim != 3:
        raise ValueError(
            f"pooling {card.pooling} is for tokens (n, t, d), {card.architecture} returns {tuple(out.shape)}"
        )
    if card.pooling == "cls":
        return out[:, 0]
    # The class token, then registers, then patches.
    before = getattr(model, "num_prefix_tokens", None)
    if before is None:
        raise ValueError(f"pooling cls+mean needs num_prefix_tokens, which {card.architecture} does not have")
    return torch.cat([out[:, 0], out[:, before:].mean(1)], 1)


def load_encoder(name: str, card: dict, weights: str | None, device: torch.device, compiled: bool = False) -> Encoder:
    """Encoder of a card.

    Parameters
    ----------
    name : str
    card : dict
        See `Card.in_job`.
    weights : str, optional
        File of its weights; None where a package brings them.
    device : device
    compiled : bool

    Raises
    ------
    ValueError
        The file is not of this encoder.
    """
    known = Card.model_validate(card)
    backend = load_backend("embed.encoders", known.loader)
    path = Path(weights) if weights else backend.weights_file()
    return Encoder(name, known, sha256_of(path), backend.build(known, path), device, compiled=compiled)
