"""What the plan asks, in the words of the arms that it names."""

from dataclasses import dataclass

from confuselt.finetune.arms import DEEP, Arm, parse_arm

NAMES = ("modality", "pretraining", "cells")  # in the order in which they are answered
ALONE = {"wsi": "slides alone", "rna": "RNA alone", "both": "slides and RNA"}
MODELS = {"wsi": "a slide-only model", "rna": "an RNA-only model", "both": "a model of both"}
STARTS = {True: "pretrained on pairs of slides and RNA", False: "trained from scratch"}
STREAMS = {
    "tile": "tiles alone",
    "tile-cells": "what nuclei there are and how they lie beside the tiles",
    DEEP: "deep features of nuclei, by their role",
}


@dataclass(frozen=True)
class Question:
    """A planned contrast in words.

    Attributes
    ----------
    asks : str
        Ends in a question mark.
    sides : str
        What is set against what.
    """

    asks: str
    sides: str


def questions(contrasts: dict[str, dict]) -> dict[str, Question]:
    """Every question that is planned, by its name.

    Parameters
    ----------
    contrasts : dict
        ``evaluate.plan.contrasts``: ``arm`` and ``against`` of each.
    """
    planned = {name: contrasts[name] for name in NAMES if name in contrasts}
    return {
        name: _question(name, parse_arm(sides["arm"]), [parse_arm(arm) for arm in sides["against"]])
        for name, sides in planned.items()
    }


def _question(name: str, arm: Arm, against: list[Arm]) -> Question:
    differs = {part for part in NAMES if len({_part(part, a) for a in (arm, *against)} - {None}) > 1}
    if name == "modality" and differs == {name} and arm.modality == "both":
        return Question("Does a second modality help?", _against(arm, against, ALONE, set()))
    if name == "pretraining" and differs == {name} and arm.pretrained:
        sides = f"{ALONE[arm.modality]}: {STARTS[True]}, against {STARTS[False]}"
        return Question(f"Does contrastive pretraining help {MODELS[arm.modality]}?", sides)
    if name == "cells" and differs == {name} and against[0].streams == "tile":
        subject = ALONE[arm.modality].removesuffix(" alone")
        sides = f"{subject}: {STREAMS[arm.streams]}, against {STREAMS[against[0].streams]}"
        return Question("Do cell-type-related features help?", sides)
    # Sides that differ in something else than was meant are told in full.
    one, others = _told(arm, MODELS, differs), _better(against, MODELS, differs)
    return Question(f"Is {one} better than {others}?", _against(arm, against, ALONE, differs))


def _part(part: str, arm: Arm) -> object:
    """What an arm is in one of the ways in which arms differ; None: it says nothing of an arm without slides."""
    streams = None if arm.modality == "rna" else arm.streams
    return {"modality": arm.modality, "pretraining": arm.pretrained, "cells": streams}[part]


def _against(arm: Arm, against: list[Arm], words: dict[str, str], differs: set[str]) -> str:
    return f"{_told(arm, words, differs)}, against {_better(against, words, differs)}"


def _better(against: list[Arm], words: dict[str, str], differs: set[str]) -> str:
    *first, last = [_told(arm, words, differs) for arm in against]
    return f"the better of {', '.join(first)} and {last}" if first else last


def _told(arm: Arm, words: dict[str, str], differs: set[str]) -> str:
    more = [STARTS[arm.pretrained]] if "pretraining" in differs else []
    more += [STREAMS[arm.streams]] if "cells" in differs and arm.modality != "rna" else []
    return f"{words[arm.modality]} ({'; '.join(more)})" if more else words[arm.modality]
