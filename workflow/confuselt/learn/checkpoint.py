"""Checkpoints: plain containers that load with ``weights_only=True``."""

import hashlib
from pathlib import Path
from typing import Any

import torch

from confuselt.stamp import get_stamp


def save_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values, with the stamp."""
    torch.save({**content, "stamp": get_stamp()}, path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running any code from it."""
    return torch.load(path, weights_only=True, map_location="cpu")


def hashed_ids(ids: list[str]) -> list[str]:
    """Training ids as a checkpoint keeps them: a patient can be recognised, a list cannot be read off.

    Not a protection against guessing: who knows the form of the ids (TCGA barcodes) can try them all.
    """
    return sorted(hashlib.sha256(i.encode()).hexdigest()[:20] for i in ids)


def seed_of(*parts: object) -> int:
    """A seed that depends on what is trained and on nothing else."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")
