"""One arm over the folds of a repeat, from the files of the stages before."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from confuselt.finetune.arms import Arm
from confuselt.finetune.inputs import Inputs
from confuselt.finetune.targets import Targets
from confuselt.finetune.train import train_fold
from confuselt.learn.checkpoint import load_checkpoint
from confuselt.learn.kept import Kept
from confuselt.learn.store import Store, contents, widest
from confuselt.rna.profiles import read_profiles
from confuselt.split.roles import read_roles


@dataclass(frozen=True)
class ArmFiles:
    """Files of a repeat, a list where there is one per fold.

    Attributes
    ----------
    store, folds, outcomes : Path
    rna : list of Path
    checkpoints, other_checkpoints : list of Path
        Pretrained towers (empty for an arm from scratch), and those to take where the first could not be trained.
    """

    store: Path
    folds: Path
    outcomes: Path
    rna: list[Path]
    checkpoints: list[Path]
    other_checkpoints: list[Path]

    def of_fold(self, fold: int) -> list[Path]:
        """Everything that the training of one fold reads."""
        return [self.store, self.rna[fold], self.folds, self.outcomes, *self.towers(fold)]

    def towers(self, fold: int) -> list[Path]:
        """Checkpoints of one fold, in order of preference."""
        return [paths[fold] for paths in (self.checkpoints, self.other_checkpoints) if paths]


@dataclass(frozen=True)
class ArmRun:
    """An arm in one repeat, with the store that all its folds share.

    Attributes
    ----------
    arm : Arm
    files : ArmFiles
    repeat : int
    cfg : dict
    device : device
    store : Store or None
        Opened once; None for an arm of RNA alone.
    """

    arm: Arm
    files: ArmFiles
    repeat: int
    cfg: dict
    device: torch.device
    store: Store | None

    @classmethod
    def open(cls, arm: Arm, files: ArmFiles, repeat: int, cfg: dict, device: torch.device, place: str) -> "ArmRun":
        """Open the store of the arm's streams, where `place` says (see `Store`); a baseline takes all."""
        store = None
        if arm.modality != "rna":
            streams = widest(files.store) if arm.uniform else arm.streams
            store = Store(files.store, streams, device, place)
        return cls(arm, files, repeat, cfg, device, store)

    def train(
        self, folds: pd.DataFrame, targets: Targets, fold: int, kept: Kept | None = None
    ) -> tuple[dict, pd.DataFrame]:
        """Read what the arm needs of one fold and train it; see `train_fold`.

        With ``shuffled_cells`` in the config (draw of that control) the cells of training, inner and test patients are
        dealt out anew among each of them, as in the pretraining of the same control.

        Returns
        -------
        fold : dict
            With gene list and feature recipe, as checkpoints must have them, and ``seen``: content hashes of the bags
            of training and inner patients.
        predictions : DataFrame
        """
        arm, cfg, roles = self.arm, self.cfg, read_roles(folds, self.repeat, fold)
        profiles = read_profiles(self.files.rna[fold])
        store = self.store
        if draw := cfg.get("shuffled_cells"):
            store = store.deal(roles, draw)
        slides = store.of_patients(store.patient_ids) if store else {}
        inputs = Inputs(store, None, slides, profiles.of if arm.modality != "wsi" else {}, self.device)
        towers = first_available([load_checkpoint(path) for path in self.files.towers(fold)])
        seed = (cfg["seed"], arm.name, self.repeat, fold)
        facts, rows = train_fold(arm, inputs, targets, roles, towers, cfg, seed, kept)
        bags_of = contents(self.files.store)
        seen = {sha for role in ("train", "inner") for patient in roles[role] for sha in bags_of.get(patient, ())}
        more = {"genes": profiles.genes, "recipe": store.recipe if store else {}, "seen": sorted(seen)}
        return {**facts, **more}, rows


def first_available(contents: list[dict]) -> dict | None:
    """The first checkpoint that could be trained; the first of all where none could, so that its reason is told."""
    return next((c for c in contents if c["status"] == "ok"), contents[0] if contents else None)
