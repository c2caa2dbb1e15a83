"""Where a model is trained, and that the same seed gives the same model there."""

import fcntl
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol, TypeVar

import numpy as np
import torch
from torch import nn

Result = TypeVar("Result")

log = logging.getLogger(__name__)
CPU = torch.device("cpu")
_held: list[tuple[int, IO[str]]] = []  # the GPU that this process computes on, and its lock


def pick_device(wanted: str) -> torch.device:
    """The device of a job, with deterministic algorithms only.

    ``auto``: cuda where a GPU is seen, else cpu; ``cuda`` without a GPU is an error, never a silent cpu.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts; products may differ without it
    if wanted == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            "device: cuda, but no GPU is seen by this job; set device: auto or cpu, or ask the scheduler for one"
        )
    device = CPU
    if wanted != "cpu" and torch.cuda.is_available():
        device = torch.device("cuda", _held[0][0] if _held else _free_gpu())  # a job with several models has one GPU
    torch.use_deterministic_algorithms(device.type == "cuda")
    # It would write over all new memory first, which nobody reads before it is set.
    torch.utils.deterministic.fill_uninitialized_memory = False
    log.info("device %s", torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu")
    return device


def _free_gpu() -> int:
    """The first GPU that no other job of this machine has taken, by a lock that ends with the process.

    Jobs side by side see all GPUs of a workstation, and each would take the first.
    """
    for index in range(torch.cuda.device_count()):
        name = f"confuselt-{torch.cuda.get_device_properties(index).uuid}.lock"
        try:
            lock = (Path(tempfile.gettempdir()) / name).open("w")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # taken, or another user's
            continue
        _held.append((index, lock))
        return index
    return 0


class TakesPieces(Protocol):
    """A model that takes so many things `at_once`."""

    at_once: int


def in_pieces(
    model: TakesPieces, forward: Callable[[np.ndarray], Result], things: np.ndarray
) -> Iterator[tuple[slice, Result]]:
    """What a model makes of a batch, piece by piece; a piece that a GPU's memory does not hold is halved, for good.

    Parameters
    ----------
    model : TakesPieces
    forward : callable
        A piece to its result.
    things : (n, ...) array

    Yields
    ------
    slice
        Of `things`.
    object
        Its result.
    """
    start = 0
    while start < len(things):
        some = slice(start, min(start + model.at_once, len(things)))
        try:
            found = forward(things[some])
        except torch.cuda.OutOfMemoryError:
            if model.at_once == 1:
                raise
            torch.cuda.empty_cache()
            model.at_once //= 2
            continue
        yield some, found
        start = some.stop


def compiled(model: nn.Module) -> Callable:
    """The model, compiled for batches of one size: another size is compiled anew, so fill them up (`filled`)."""
    return torch.compile(model, dynamic=False)


def filled(things: np.ndarray, size: int) -> np.ndarray:
    """`things` (n, ...) and zeros behind them up to (size, ...)."""
    if len(things) == size:
        return things
    return np.concatenate([things, np.zeros((size - len(things), *things.shape[1:]), things.dtype)])


def instances_dtype(device: torch.device) -> torch.dtype:
    """What scaled instances are learnt in: of values within ± 5, bfloat16 keeps what a GPU's product would."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32
