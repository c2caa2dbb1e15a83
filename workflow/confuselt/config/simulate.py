"""`simulate`: a cohort with known truth (with `acquire.source: simulate`)."""

from typing import Literal

from pydantic import Field, model_validator

from confuselt.config.block import Block


class Simulate(Block):
    """Draws a latent vector per patient with parts seen only by the WSI, only by RNA, and by both."""

    level: Literal["features", "slides"] = Field(
        "features",
        description=(
            "features: ready-made bags, a count matrix and a clinical table; "
            "slides: pyramidal slides, a count file per sample, a clinical table"
        ),
    )
    seed: int = Field(1, description="another seed is another cohort")
    patients: int = Field(200, ge=6, description="number of patients")
    sites: int = Field(20, ge=1, description="number of tissue source sites, of unequal size")
    effect: float = Field(
        1.0, ge=0, description="strength of the link from latent vector to survival and subtype; 0: nothing to learn"
    )
    modalities: Literal["own", "redundant"] = Field(
        "own",
        description=(
            "redundant: slides and RNA show the same vector, and survival and subtype depend on nothing else "
            "(level features)"
        ),
    )
    cells: Literal["own", "redundant"] = Field(
        "own",
        description=(
            "redundant: the cells stream is a fixed random projection of the tile stream, row by row: "
            "nothing new (level features)"
        ),
    )
    shared: Literal["relevant", "irrelevant"] = Field(
        "relevant",
        description="irrelevant: survival and subtype do not depend on what slides and RNA both show (level features)",
    )
    site_effect: float = Field(
        0.5, ge=0, description="size of the batch shift that a site puts on features and library size"
    )
    slide_mm: float = Field(
        0.8, ge=0.3, le=5, description="width of a simulated slide; its height is three quarters of that"
    )
    tiles: int = Field(24, ge=1, description="mean number of instances of a slide; 1: bags of one row")
    tile_features: int = Field(48, ge=8, description="width of the tile stream")
    cell_features: int = Field(16, ge=8, description="width of the cells stream")
    genes: int = Field(300, ge=60, description="number of genes")
    events: float = Field(0.5, gt=0, lt=1, description="share of patients with an event (the rest is censored)")
    without_slide: float = Field(0.08, ge=0, lt=1, description="share of patients without a slide")
    without_rna: float = Field(0.08, ge=0, le=1, description="share of patients without RNA")
    second_slide: float = Field(0.12, ge=0, lt=1, description="share of patients with two slides")

    @model_validator(mode="after")
    def _nulls(self) -> "Simulate":
        chosen = [
            f"{k} {getattr(self, k)}"
            for k in ("modalities", "cells", "shared")
            if getattr(self, k) != type(self).model_fields[k].default
        ]
        if self.level == "slides" and chosen:
            raise ValueError(
                f"{', '.join(chosen)}: simulated slides are frozen and have no such null; take simulate.level: features"
            )
        if self.modalities == "redundant" and self.shared == "irrelevant":
            raise ValueError(
                "modalities redundant leaves outcomes to the shared part alone and shared irrelevant "
                "takes it away: take effect: 0"
            )
        return self
