"""Where a model is trained, and that the same seed gives the same model there."""

import logging
import os

import torch

log = logging.getLogger(__name__)
CPU = torch.device("cpu")


def pick_device(wanted: str) -> torch.device:
    """The device of a job, with deterministic algorithms only.

    ``auto``: cuda where a GPU is seen, else cpu; ``cuda`` without a GPU is an error, never a silent cpu.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts; products may differ without it
    if wanted == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            "device: cuda, but no GPU is seen by this job; set device: auto or cpu, or ask the scheduler for one"
        )
    device = torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
    torch.use_deterministic_algorithms(device.type == "cuda")
    log.info("device %s", torch.cuda.get_device_name() if device.type == "cuda" else "cpu")
    return device


def instances_dtype(device: torch.device) -> torch.dtype:
    """What scaled instances are learnt in: of values within ± 5, bfloat16 keeps what a GPU's product would."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32
