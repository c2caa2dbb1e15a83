"""What an arm's name means."""

from dataclasses import dataclass

INPUTS = {"wsi": ("wsi",), "rna": ("rna",), "both": ("both", "wsi", "rna")}


@dataclass(frozen=True)
class Arm:
    """One trained model family.

    Attributes
    ----------
    name : str
    modality : {"wsi", "rna", "both"}
    pretrained : bool
    streams : str or None
        Stream set of the WSI tower; for a pretrained RNA arm that of the checkpoint whose RNA tower it takes.
    uniform : bool
        Mean pooling instead of attention (the ``mean-pool`` baseline).
    """

    name: str
    modality: str
    pretrained: bool
    streams: str | None
    uniform: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """Input patterns that the arm is tested with."""
        return INPUTS[self.modality]


def parse_arm(name: str) -> Arm:
    """Read an arm's name, e.g. ``both-pretrained-cells``.

    ``mean-pool`` is wsi-scratch-cells without attention.
    """
    if name == "mean-pool":
        return Arm(name, "wsi", False, "tile-cells", uniform=True)
    parts = name.split("-")
    pretrained = parts[1] == "pretrained"
    if parts[0] == "rna":
        return Arm(name, "rna", pretrained, "tile-cells" if pretrained else None)
    return Arm(name, parts[0], pretrained, "tile-cells" if parts[2] == "cells" else "tile")
