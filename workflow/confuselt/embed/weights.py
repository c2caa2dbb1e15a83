"""A file of weights: its tensors by name, whatever wraps them, and its hash."""

import hashlib
import pickle
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

WRAPPED = ("state_dict", "model_state_dict", "model", "teacher", "student", "desc")  # keys of a whole checkpoint
PREFIXES = ("module.", "model.", "backbone.", "teacher.", "encoder_q.", "visual.", "trunk.", "vit.", "dinov2.")


def sha256_of(path: Path) -> str:
    """Hash of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a file, on the CPU.

    Safetensors, or what ``torch.save`` wrote, which is read without running anything that is in it. A checkpoint that
    wraps its tensors is unwrapped, and a prefix that all names share is taken off.

    Raises
    ------
    ValueError
        It is no such file, or holds other things than tensors: the message names it.
    """
    try:
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as fault:
        if isinstance(fault, pickle.UnpicklingError) and zipfile.is_zipfile(path):
            raise ValueError(
                f"{path}: holds more than tensors, and loading it would run its code; "
                "save the state_dict of the model alone, best as safetensors"
            ) from None
        raise ValueError(f"{path}: is no file of weights, or not whole") from None
    while isinstance(found, dict) and (inner := next((k for k in WRAPPED if isinstance(found.get(k), dict)), None)):
        found = found[inner]
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{path}: holds no tensors by name but {type(found).__name__}")
    odd = [str(name) for name, value in found.items() if not isinstance(value, torch.Tensor)]
    if odd:
        raise ValueError(f"{path}: not all of its entries are tensors: {', '.join(odd[:5])}")
    while shared := next((p for p in PREFIXES if all(name.startswith(p) for name in found)), None):
        found = {name.removeprefix(shared): value for name, value in found.items()}
    return found
