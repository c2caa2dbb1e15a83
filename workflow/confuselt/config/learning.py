"""Blocks of the learning stages: `pretrain`, `finetune`, `evaluate`, `predict`."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from confuselt.config.block import FOLDER_NAME, Block
from confuselt.controls.names import CONTROLS
from confuselt.finetune.arms import ARMS, BASELINES, PLUS, USUAL


class Model(Block):
    """Size of the towers, the same for every arm (block of pretrain: scratch arms are built alike)."""

    hidden: int = Field(128, ge=4, description="width of the instance encoder and of the RNA network")
    attention: int = Field(64, ge=2, description="width of the gated attention")
    dim: int = Field(128, ge=2, description="width of the shared space")
    dropout: float = Field(0.25, ge=0, lt=1, description="dropout of hidden layers")
    dropout_wsi: float = Field(0.2, ge=0, lt=1, description="dropout of instance features")
    dropout_rna: float = Field(0.5, ge=0, lt=1, description="dropout of genes")


class Pretrain(Block):
    """Contrastive pretraining; sees no label."""

    model: Model = Field(Model(), description="towers")
    epochs: int = Field(40, ge=1, description="fixed number of passes; the inner part is only watched")
    batch_size: int = Field(
        128, ge=4, description="bags per step; the contrast is over this many pairs, so it changes results"
    )
    learning_rate: float = Field(1e-3, gt=0, description="peak of a one-cycle schedule (AdamW)")
    weight_decay: float = Field(0.05, ge=0, description="AdamW")
    temperature: float = Field(0.07, gt=0, description="start of the learnable temperature")
    tiles: int = Field(1024, ge=1, description="instances drawn per slide and step")


class Finetune(Block):
    """Supervised training of every arm, multi-task, on one budget."""

    arms: list[str] = Field(
        list(USUAL),
        description=(
            "arms to train; beside these, where nuclei are found on slides or come from files, those that end in "
            "-deepcells (docs/CELLS.md)"
        ),
    )
    epochs: int = Field(
        40, ge=1, description="passes; the epoch is chosen by inner partial likelihood and cross-entropy"
    )
    batch_size: int = Field(128, ge=4, description="patients per step; risk sets are taken within it")
    learning_rate: float = Field(
        1e-3, gt=0, description="of the heads, and of towers that start from scratch (AdamW, one cycle)"
    )
    pretrained_rate: float = Field(
        0.1, ge=0, le=1, description="learning rate of pretrained towers as a share of learning_rate"
    )
    weight_decay: float = Field(0.05, ge=0, description="AdamW")
    modality_dropout: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="share of training patients of a both arm from whom one modality is taken away, per step",
    )
    tiles: int = Field(2048, ge=1, description="instance budget of a patient, split equally over the slides")
    members: int = Field(1, ge=1, description="models per fold whose predictions are averaged, the same for every arm")

    @field_validator("arms")
    @classmethod
    def _known(cls, arms: list[str]) -> list[str]:
        unknown = [a for a in arms if a not in ARMS]
        if unknown:
            raise ValueError(f"unknown arms {unknown}; known: {list(ARMS)}")
        return arms


class Controls(Block):
    """Controls through the whole chain."""

    kinds: list[Literal[CONTROLS]] = Field(
        ["permuted", "mispaired", "without-pam50"],
        description=(
            "which controls are run: outcomes permuted, slides and RNA mispaired before pretraining, cells dealt out "
            "anew over the instances, pretraining without PAM50's genes and their followers (docs/STATISTICS.md)"
        ),
    )
    draws: int = Field(1, ge=1, description="draws per control (without-pam50 has one: nothing in it is drawn)")


class Planned(Block):
    """A primary contrast."""

    arm: str = Field(description="the arm that should be better")
    against: list[str] = Field(
        min_length=1, description="the other side; of several, the one that is better on inner data"
    )

    @model_validator(mode="after")
    def _known(self) -> "Planned":
        unknown = [a for a in (self.arm, *self.against) if a not in ARMS]
        if unknown:
            raise ValueError(f"unknown arms {unknown}; known: {list(ARMS)}")
        return self


class Plan(Block):
    """What will be concluded from what: written and hashed into the results before any model runs."""

    contrasts: dict[Literal["modality", "pretraining", "cells"], Planned] = Field(
        {
            "modality": Planned(arm="both-scratch-cells", against=["wsi-scratch-cells", "rna-scratch"]),
            "pretraining": Planned(arm="wsi-pretrained-cells", against=["wsi-scratch-cells"]),
            "cells": Planned(arm="wsi-pretrained-cells", against=["wsi-pretrained-nocells"]),
        },
        description="the three primary contrasts of a task; Holm adjusts over them, everything else is exploratory",
    )
    k: int = Field(10, ge=1, description="recall@k that is compared between models of pretraining")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="level of a yes (after Holm)")
    delta_c: float = Field(0.02, gt=0, description="equivalence margin of C: a difference inside is a no")
    delta_auc: float = Field(0.01, gt=0, description="equivalence margin of macro AUC")
    delta_recall: float = Field(0.03, gt=0, description="equivalence margin of recall@k")
    margin_c: float = Field(
        0.02,
        gt=0,
        description=(
            "by how much C of the joint model with one input may lie under the single-modality arm "
            "and still be non-inferior"
        ),
    )
    margin_auc: float = Field(0.01, gt=0, description="the same for macro AUC")


class Leaky(Block):
    """What choosing the epoch on the test fold makes of chance: a small fixed network on permuted outcomes."""

    seeds: int = Field(20, ge=0, description="draws of permuted outcomes; 0: no such curve")
    epochs: int = Field(60, ge=1, description="epochs that are looked at")


class Evaluate(Block):
    """Metrics, comparisons, figures, report."""

    primary: str = Field(
        "pfi",
        description=(
            "endpoint on which the verdicts rest, fixed before a run; "
            "a label (default the first) where tasks.survival is []"
        ),
    )
    baselines: list[str] = Field(
        [*BASELINES, "clinical+both-pretrained-cells"],
        description=(
            "baselines, tuned on the inner part; "
            "clinical+ARM: clinical score and an arm's in one model, for any arm of finetune.arms"
        ),
    )
    controls: Controls = Field(Controls(), description="controls")
    leaky: Leaky = Field(Leaky(), description="leaky chance")
    draws: int = Field(1000, ge=100, description="bootstrap draws")
    k: list[int] = Field([1, 5, 10, 50], description="recall@k")
    min_events: int = Field(50, ge=1, description="events in total under which an endpoint is described, not compared")
    min_fold_events: int = Field(10, ge=1, description="events under which a test fold gets no value of its own")
    plan: Plan = Field(Plan(), description="analysis plan")
    pathways: Path | None = Field(
        None,
        description=(
            "GMT file of gene sets (.gmt, .gmt.gz), named as the genes of the RNA are: the report says which of them "
            "move the predictions. A relative path starts where the run does, as those of rna.calls"
        ),
    )

    @field_validator("baselines")
    @classmethod
    def _known_baselines(cls, baselines: list[str]) -> list[str]:
        unknown = [
            b for b in baselines if b not in BASELINES and not (b.startswith(PLUS) and b.removeprefix(PLUS) in ARMS)
        ]
        if unknown:
            raise ValueError(
                f"unknown baselines {unknown}; known: {list(BASELINES)}, and {PLUS}ARM for any of {list(ARMS)}"
            )
        return baselines


class PredictRna(Block):
    """RNA of another cohort."""

    reference: Literal["training", "own"] = Field(
        "training",
        description=(
            "what its genes are centred and scaled by: the training patients, or (own) its own, at least 30: for "
            "values of another platform or unit. A real difference between the cohorts is lost then"
        ),
    )
    max_missing: float = Field(
        0.1, ge=0, le=1, description="share of the model's genes that it may lack; they count as the middle of training"
    )


class Patient(Block):
    """A page for one patient (target `patient`)."""

    id: str | None = Field(None, description="whose page the target `patient` writes; text: put digits into quotes")

    @field_validator("id", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        """A number has lost its leading zeros by the time it comes here."""
        if value is not None and not isinstance(value, str):
            raise ValueError(f"patient.id {value} was read as a number, ids are text: put it into quotes")
        return value


class Predict(Block):
    """Apply trained models to another cohort (target `predict`)."""

    name: str | None = Field(None, description="name of the other cohort", pattern=FOLDER_NAME)
    data: str | None = Field(None, description="folder where relative paths of its `acquire` start")
    arm: str = Field("both-pretrained-cells", description="arm whose models are applied")
    acquire: dict[str, Any] = Field({}, description="keys of `acquire` that differ for this cohort")
    simulate: dict[str, Any] = Field({}, description="keys of `simulate` that differ for this cohort")
    groups: int | None = Field(None, ge=1, description="`groups` for this cohort; null: as for the training cohort")
    rna: PredictRna = Field(PredictRna(), description="its RNA")

    @field_validator("arm")
    @classmethod
    def _known(cls, arm: str) -> str:
        if arm not in ARMS:
            raise ValueError(f"unknown arm '{arm}'; known: {list(ARMS)}")
        return arm
