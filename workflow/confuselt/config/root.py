"""The whole config: a block per stage and the root keys."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from confuselt.cells.card import Card as FinderCard
from confuselt.config.acquire import Acquire
from confuselt.config.block import FOLDER_NAME, Block
from confuselt.config.finders import check_cells, finder_card
from confuselt.config.learning import Evaluate, Finetune, Patient, Predict, Pretrain
from confuselt.config.merge import merge
from confuselt.config.simulate import Simulate
from confuselt.config.stages import Cells, Embed, Pack, Rna, Split, Tile
from confuselt.config.tasks import Tasks
from confuselt.embed.card import Card, card_of, names, read_card
from confuselt.finetune.arms import DEEP

# What the simulator writes, in the words of `acquire`: a simulated cohort takes the road of a local one.
SIMULATED_FILES = {
    "features": {
        "slides": None,
        "tile": "tile_features.parquet",
        "cells": "cell_features.parquet",
        "rna": "rna_counts.parquet",
    },
    "slides": {"slides": "slides.csv", "tile": None, "cells": None, "rna": "rna.csv"},
}
SIMULATED_ALIKE = {"clinical": "clinical.csv", "site_map": None, "id_column": "patient_id"}
# The same for a project of GDC, whose sheets are made from its manifest.
GDC_FILES = {"slides": "slides.parquet", "tile": None, "cells": None, "rna": "rna.parquet"}


class Config(Block):
    """Every key of config.yaml."""

    data: str = Field("data", description="folder where the relative paths of `acquire` start")
    results: str = Field("results", description="folder of everything that is written")
    cohort: str = Field("tcga-brca", description="name of the cohort: results/cohorts/<cohort>", pattern=FOLDER_NAME)
    experiment: str = Field(
        "main", description="name of the experiment: results/experiments/<experiment>", pattern=FOLDER_NAME
    )
    seed: int = Field(17, description="seed of splits, models and bootstraps")
    max_excluded: float = Field(
        0.2,
        ge=0,
        le=1,
        description="share of a cohort's data that may be excluded before the run ends in an error. "
        "Never triggers a rerun",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where models are trained; auto: cuda where a GPU is seen. Never triggers a rerun"
    )
    store: Literal["auto", "device", "host"] = Field(
        "auto",
        description="where training keeps the cohort's features; device: on the GPU (or in memory), host: on disk, "
        "each batch read when it is asked for; auto: on a GPU that has room. Never triggers a rerun",
    )
    numeric_threads: int = Field(
        1, ge=1, description="threads of numeric libraries in each job; fixed, so that results do not depend on --cores"
    )
    tasks: Tasks = Field(Tasks(), description="what is predicted")
    acquire: Acquire = Field(Acquire(), description="where the cohort comes from")
    simulate: Simulate = Field(Simulate(), description="a cohort with known truth")
    groups: int = Field(
        128,
        ge=1,
        description=(
            "slides are handled in so many jobs per stage (a slide's group follows from its id); "
            "about 1 slide a group on CPU, 16 or more on a GPU"
        ),
    )
    tile: Tile = Field(Tile(), description="tissue and tiles of slides")
    embed: Embed = Field(Embed(), description="tile stream")
    cells: Cells = Field(Cells(), description="cells stream")
    rna: Rna = Field(Rna(), description="RNA normalisation")
    split: Split = Field(Split(), description="folds")
    pack: Pack = Field(Pack(), description="training store and scaling of the streams")
    pretrain: Pretrain = Field(Pretrain(), description="contrastive pretraining")
    finetune: Finetune = Field(Finetune(), description="supervised training of the arms")
    evaluate: Evaluate = Field(Evaluate(), description="metrics, comparisons, report")
    predict: Predict = Field(Predict(), description="trained models on another cohort")
    patient: Patient = Field(Patient(), description="a page for one patient")
    first: str | None = Field(None, description="experiment that the target `compare` sets beside `second`")
    second: str | None = Field(None, description="the other one")

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        survival, labels = [t.name for t in self.tasks.survival], [t.name for t in self.tasks.labels]
        if survival and self.evaluate.primary not in survival:
            raise ValueError(
                f"evaluate.primary '{self.evaluate.primary}' is no endpoint of tasks.survival {survival}: "
                "set evaluate.primary to one of them"
            )
        # config.yaml writes every default out, so that a default value is all that tells an unset key.
        unset = self.evaluate.primary == Evaluate().primary
        if not survival and self.evaluate.primary not in labels and not unset:
            raise ValueError(
                f"tasks.survival is [] and evaluate.primary '{self.evaluate.primary}' is no label "
                f"of tasks.labels {labels}: set it to one of them"
            )
        for name in self.rna.calls:
            if name not in labels:
                raise ValueError(f"rna.calls '{name}' is no label of tasks.labels {labels}")
            if not next(t for t in self.tasks.labels if t.name == name).from_rna:
                raise ValueError(f"rna.calls '{name}': its class is defined on RNA then; set from_rna: true in tasks")
        if self.predict.name == self.cohort:
            raise ValueError(
                f"predict.name '{self.predict.name}' is the training cohort; name the other cohort differently"
            )
        if self.predict.arm not in self.finetune.arms and self.predict.name:
            raise ValueError(f"predict.arm '{self.predict.arm}' is not among finetune.arms {self.finetune.arms}")
        if self.acquire.site is None and self.split.group == "site":
            raise ValueError("acquire.site is null (one site): set split.group: patient")
        self._check_encoder()
        check_cells(self.cells)
        self._check_deep_cells()
        if self.cells.method != "ready" and not self.from_slides:
            raise ValueError(
                f"cells.method {self.cells.method} is for slides, embed.encoder '{self.embed.encoder}' reads none "
                f"({self.readers}): "
                "for features that came with the cohort, and where there are no cells, set cells.method: ready"
            )
        if self.from_slides and self.tile.size != self.encoder_card.size:
            raise ValueError(
                f"tile.size {self.tile.size}: {self.embed.encoder} takes tiles of {self.encoder_card.size} pixels; "
                "for another field of view set tile.mpp"
            )
        if self.acquire.source == "simulate" and (self.simulate.level == "slides") != self.from_slides:
            raise ValueError(
                f"simulate.level '{self.simulate.level}' and embed.encoder '{self.embed.encoder}' do not fit: "
                f"slides need an encoder that reads them ({self.readers}), features any other name"
            )
        if self.acquire.source == "gdc" and not self.from_slides:
            raise ValueError(
                "acquire.source gdc fetches slides: embed.encoder must be one that reads them "
                f"({self.readers}), not '{self.embed.encoder}'"
            )
        if self.acquire.source != "gdc" and not self.acquire.keep_slides:
            raise ValueError(
                "acquire.keep_slides: false deletes slides after use, and only those of GDC can be fetched again: "
                f"acquire.source is '{self.acquire.source}'"
            )
        if self.acquire.source == "simulate" and self.acquire.limit is not None:
            raise ValueError("acquire.limit is for cohorts of one's own; a simulated one has simulate.patients")
        second = self.for_cohort(self.predict.name or self.cohort)
        if self.predict.name and self.predict.data and second.acquire.source == "simulate":
            raise ValueError(
                f"predict.data '{self.predict.data}' would not be read: "
                f"acquire.source of '{self.predict.name}' is simulate; set predict.acquire.source: local"
            )
        if second.acquire.source == "gdc" and not self.from_slides:
            raise ValueError(
                "predict.acquire.source gdc fetches slides: "
                f"embed.encoder must be one that reads them, not '{self.embed.encoder}'"
            )
        if not survival and self.evaluate.primary not in labels:
            return self.model_copy(update={"evaluate": self.evaluate.model_copy(update={"primary": labels[0]})})
        return self

    def _check_deep_cells(self) -> None:
        deep = [arm for arm in self.finetune.arms if arm.endswith(DEEP)]
        if not deep:
            return
        if self.cells.method == "ready":
            raise ValueError(f"finetune.arms {deep[0]}: is made of nuclei, cells.method ready has none")
        if self.cells.crops and not self.cells.keep_nuclei:
            raise ValueError(f"finetune.arms {deep[0]}: cells.crops needs the nuclei; set cells.keep_nuclei: true")
        cohorts = [self] + [self.for_cohort(self.predict.name)] * bool(self.predict.name and self.predict.arm in deep)
        if self.cells.crops and not all(cohort.acquire.keep_slides for cohort in cohorts):
            raise ValueError(
                f"finetune.arms {deep[0]}: cells.crops reads slides again, acquire.keep_slides: false deletes them; "
                "set cells.crops: 0"
            )

    def _check_encoder(self) -> None:
        own, known = self.embed.card, self.embed.encoder in names()
        if own is not None and known:
            raise ValueError(
                f"embed.card: '{self.embed.encoder}' is an encoder of the project; name your own differently"
            )
        if self.embed.weights is None:
            if own is not None:
                raise ValueError(f"embed.card {own}: its weights are needed; set embed.weights to their file")
            if self.embed.sha256 is not None:
                raise ValueError("embed.sha256 is of a file of weights: set embed.weights")
            return
        if own is None and not known:
            raise ValueError(
                f"embed.weights: '{self.embed.encoder}' is no encoder of the project ({', '.join(names())}); "
                "set embed.card to a card of your own"
            )
        if self.encoder_card.bundled:
            raise ValueError(f"embed.weights: {self.embed.encoder} brings its own; remove the key")
        if not self.embed.weights.is_file():
            card = self.encoder_card
            raise ValueError(
                f"embed.weights {self.embed.weights}: no such file (wanted the weights of {card.title}, "
                f"{card.source}; {card.licence}{', given on request' if card.gated else ''})"
            )

    @property
    def from_slides(self) -> bool:
        """Whether the tile stream is made here, from slides."""
        return self.encoder_card is not None

    @property
    def encoder_card(self) -> Card | None:
        """Card of the encoder that reads slides; None where features came with the cohort."""
        if self.embed.card is not None:
            return read_card(self.embed.card)
        card = card_of(self.embed.encoder) if self.embed.encoder in names() else None
        return card if card is not None and (card.bundled or self.embed.weights is not None) else None

    @property
    def finder_card(self) -> FinderCard | None:
        """Card of what finds nuclei on slides; None where they come from files, or features with the cohort."""
        return finder_card(self.cells)

    @property
    def readers(self) -> str:
        """Which encoders read slides, in words; with what this one lacks."""
        name = self.embed.encoder
        if name in names() and not self.from_slides:
            return f"embed.encoder {name} does with embed.weights, from {card_of(name).source}"
        bundled = ", ".join(some for some in names() if card_of(some).bundled)
        return f"embed.encoder {bundled} does, those of `snakemake models` with embed.weights"

    def for_cohort(self, cohort: str) -> "Config":
        """The config as seen by a cohort.

        The second one has its own `data`, `acquire`, `simulate` and `groups`, and no outcomes or covariates:
        predictions need none.
        """
        cells = self.cells
        data, acquire, simulate, groups, tasks = self.data, self.acquire, self.simulate, self.groups, self.tasks
        if cohort != self.cohort and cohort == self.predict.name:
            data, groups = self.predict.data or data, self.predict.groups or groups
            acquire = Acquire.model_validate(merge(acquire.model_dump(), self.predict.acquire)).model_copy(
                update={"covariates": []}
            )
            tasks = tasks.model_copy(update={"survival": [], "labels": []})
            simulate = Simulate.model_validate(merge(simulate.model_dump(), self.predict.simulate))
        if acquire.source == "simulate":
            data = f"{self.results}/cohorts/{cohort}/acquire/simulated"
            acquire = acquire.model_copy(update={**SIMULATED_FILES[simulate.level], **SIMULATED_ALIKE})
        if acquire.source == "gdc":
            own, data = data, f"{self.results}/cohorts/{cohort}/acquire/gdc"
            # Tables of the user's own start at the root key `data` as ever.
            theirs = {
                k: v and os.path.relpath(Path(own, v), data)
                for k, v in (("clinical", acquire.clinical), ("site_map", acquire.site_map))
            }
            made = {"clinical": "clinical.parquet", "id_column": "patient_id"} if acquire.gdc.outcomes else {}
            acquire = acquire.model_copy(update={**GDC_FILES, **theirs, **made})
            if cells.nuclei:
                cells = cells.model_copy(update={"nuclei": os.path.relpath(Path(own, cells.nuclei), data)})
        update = {"data": data, "acquire": acquire, "simulate": simulate, "groups": groups, "tasks": tasks}
        return self.model_copy(update={**update, "cells": cells})
