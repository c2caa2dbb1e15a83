"""Where a model is trained."""

import logging

import torch

log = logging.getLogger(__name__)


def pick_device(wanted: str) -> torch.device:
    """``auto``: cuda where a GPU is seen, else cpu; ``cuda`` without a GPU is an error, never a silent cpu."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            "device: cuda, but no GPU is seen by this job; set device: auto or cpu, or ask the scheduler for one"
        )
    device = torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
    log.info("device %s", torch.cuda.get_device_name() if device.type == "cuda" else "cpu")
    return device
