"""One arm over the folds of a repeat, from the files of the stages before."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from confuselt.finetune.arms import Arm
from confuselt.finetune.inputs import Inputs
from confuselt.finetune.targets import Targets
from confuselt.finetune.train import train_fold
from confuselt.model.checkpoint import load_checkpoint
from confuselt.pack.bags import Bags, contents
from confuselt.rna.profiles import read_profiles
from confuselt.split.roles import read_roles


@dataclass(frozen=True)
class ArmFiles:
    """Files of a repeat, a list where there is one per fold.

    Attributes
    ----------
    store, folds, clinical : Path
    rna : list of Path
    checkpoints, other_checkpoints : list of Path
        Pretrained towers (empty for an arm from scratch), and those to take where the first could not be trained.
    """

    store: Path
    folds: Path
    clinical: Path
    rna: list[Path]
    checkpoints: list[Path]
    other_checkpoints: list[Path]

    def of_fold(self, fold: int) -> list[Path]:
        """Everything that the training of one fold reads."""
        return [self.store, self.rna[fold], self.folds, self.clinical, *self.towers(fold)]

    def towers(self, fold: int) -> list[Path]:
        """Checkpoints of one fold, in order of preference."""
        return [paths[fold] for paths in (self.checkpoints, self.other_checkpoints) if paths]


def train_arm_fold(
    arm: Arm,
    files: ArmFiles,
    folds: pd.DataFrame,
    targets: Targets,
    repeat: int,
    fold: int,
    cfg: dict,
    device: torch.device,
) -> tuple[dict, pd.DataFrame]:
    """Read what the arm needs of one fold and train it; see `train_fold`.

    With ``shuffled_cells`` in `cfg` (draw of that control) the cells of training, inner and test patients are dealt out
    anew among each of them, as in the pretraining of the same control.

    Returns
    -------
    fold : dict
        With gene list and feature recipe, as checkpoints must have them, and ``seen``: content hashes of the bags of
        training and inner patients.
    predictions : DataFrame
    """
    profiles = read_profiles(files.rna[fold])
    bags = Bags(files.store, arm.streams) if arm.modality != "rna" else None
    inputs = Inputs(
        bags, bags.of_patients(bags.patient_ids) if bags else {}, profiles.of if arm.modality != "wsi" else {}
    )
    roles = read_roles(folds, repeat, fold)
    if draw := cfg.get("shuffled_cells"):
        bags.deal(roles, draw)
    towers = first_available([load_checkpoint(path) for path in files.towers(fold)])
    facts, rows = train_fold(
        arm, inputs, len(profiles.genes), targets, roles, towers, cfg, (cfg["seed"], arm.name, repeat, fold), device
    )
    bags_of = contents(files.store)
    seen = sorted({sha for role in ("train", "inner") for patient in roles[role] for sha in bags_of.get(patient, ())})
    return {**facts, "genes": profiles.genes, "recipe": bags.recipe if bags else {}, "seen": seen}, rows


def first_available(contents: list[dict]) -> dict | None:
    """The first checkpoint that could be trained; the first of all where none could, so that its reason is told."""
    return next((c for c in contents if c["status"] == "ok"), contents[0] if contents else None)
