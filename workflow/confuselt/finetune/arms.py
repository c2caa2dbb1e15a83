"""Names of arms and of baselines, and what an arm's name means: everybody has them from here."""

from dataclasses import dataclass

# End of an arm's name to its stream set; the last is made of nuclei found on slides, and is asked for by name.
STREAMS = {"nocells": "tile", "cells": "tile-cells", "deepcells": "deepcells"}
DEEP = "deepcells"
ARMS = (
    *(
        f"{kind}-{start}-{cells}"
        for kind in ("wsi", "both")
        for start in ("scratch", "pretrained")
        for cells in STREAMS
    ),
    "rna-scratch",
    "rna-pretrained",
)
USUAL = tuple(arm for arm in ARMS if not arm.endswith(DEEP))
BASELINES = ("clinical", "pca-cox", "mean-pool", "cca", "late-fusion")
# Of the first of each that is trained, the report says which genes and which cell features move it.
EXPLAINED = (("rna-scratch", "rna-pretrained"), ("wsi-pretrained-cells", "wsi-scratch-cells"))
# What `finetune_arm` trains, and the baselines of `fit_baseline`; late fusion has a rule of its own.
TRAINED = (*ARMS, "mean-pool")
FITTED = ("clinical", "pca-cox", "cca")
# Before an arm's name: the arm's score and the clinical one in one model.
PLUS = "clinical+"
INPUTS = {"wsi": ("wsi",), "rna": ("rna",), "both": ("both", "wsi", "rna")}


def explained(arms: list[str]) -> list[str]:
    """Of the arms that are trained, those of `EXPLAINED`."""
    return [first for some in EXPLAINED for first in [a for a in some if a in arms][:1]]


def streams_word(cells: bool) -> str:
    """End of an arm's name."""
    return "cells" if cells else "nocells"


def singles(cells: bool) -> tuple[str, str]:
    """What late fusion is made of, in a cohort with or without a cells stream."""
    return f"wsi-scratch-{streams_word(cells)}", "rna-scratch"


@dataclass(frozen=True)
class Arm:
    """One trained model family.

    Attributes
    ----------
    name : str
    modality : {"wsi", "rna", "both"}
    pretrained : bool
    streams : str or None
        Stream set of the WSI tower; for a pretrained RNA arm that of the checkpoint whose RNA tower it takes. None: no
        WSI tower, or one of all streams that there are (`uniform`).
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

    ``mean-pool`` is wsi-scratch-cells without attention; in a cohort without cells wsi-scratch-nocells.
    """
    if name == "mean-pool":
        return Arm(name, "wsi", False, None, uniform=True)
    parts = name.split("-")
    pretrained = parts[1] == "pretrained"
    if parts[0] == "rna":
        return Arm(name, "rna", pretrained, "tile-cells" if pretrained else None)
    return Arm(name, parts[0], pretrained, STREAMS[parts[2]])
