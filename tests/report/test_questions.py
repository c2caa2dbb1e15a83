"""Questions follow the arms that the plan names; the preset's are as they are cited elsewhere."""

import pytest

from confuselt.config.learning import Plan
from confuselt.report.questions import Question, questions


def test_of_the_preset():
    assert questions(Plan().model_dump()["contrasts"]) == {
        "modality": Question(
            "Does a second modality help?", "slides and RNA, against the better of slides alone and RNA alone"
        ),
        "pretraining": Question(
            "Does contrastive pretraining help a slide-only model?",
            "slides alone: pretrained on pairs of slides and RNA, against trained from scratch",
        ),
        "cells": Question(
            "Do cell-type-related features help?",
            "slides: what nuclei there are and how they lie beside the tiles, against tiles alone",
        ),
    }


@pytest.mark.parametrize(
    ("name", "arm", "against", "asks", "sides"),
    [
        (
            "pretraining",
            "rna-pretrained",
            ["rna-scratch"],
            "Does contrastive pretraining help an RNA-only model?",
            "RNA alone: pretrained on pairs of slides and RNA, against trained from scratch",
        ),
        (
            "modality",
            "both-pretrained-cells",
            ["rna-pretrained"],
            "Does a second modality help?",
            "slides and RNA, against RNA alone",
        ),
        (
            "modality",
            "both-scratch-cells",
            ["rna-pretrained"],
            "Is a model of both (trained from scratch) better than "
            "an RNA-only model (pretrained on pairs of slides and RNA)?",
            "slides and RNA (trained from scratch), against RNA alone (pretrained on pairs of slides and RNA)",
        ),
        (
            "modality",
            "rna-scratch",
            ["wsi-scratch-cells", "both-scratch-nocells"],
            "Is an RNA-only model better than the better of a slide-only model (what nuclei there are and how they "
            "lie beside the tiles) and a model of both (tiles alone)?",
            "RNA alone, against the better of slides alone (what nuclei there are and how they lie beside the tiles) "
            "and slides and RNA (tiles alone)",
        ),
        (
            "cells",
            "both-scratch-deepcells",
            ["both-scratch-nocells"],
            "Do cell-type-related features help?",
            "slides and RNA: deep features of nuclei, by their role, against tiles alone",
        ),
    ],
)
def test_of_other_arms(name, arm, against, asks, sides):
    assert questions({name: {"arm": arm, "against": against}}) == {name: Question(asks, sides)}
