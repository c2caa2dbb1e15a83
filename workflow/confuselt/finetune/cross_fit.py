"""Scores of a fold's training patients by models that they did not train.

Never by the models of other folds: these saw the patients that this fold is tested on.
"""

import numpy as np
import pandas as pd

from confuselt.finetune.baselines import fit_clinical
from confuselt.finetune.clinical_plus import Told
from confuselt.finetune.run_arm import ArmRun
from confuselt.finetune.targets import Targets
from confuselt.learn.checkpoint import seed_of
from confuselt.learn.kept import Kept
from confuselt.split.parts import even_parts
from confuselt.split.roles import read_roles
from confuselt.unusable import NotAvailable

PARTS = 3


def crossed_folds(folds: pd.DataFrame, targets: Targets, repeat: int, fold: int, cfg: dict) -> list[pd.DataFrame]:
    """The rows of a fold once per part of its training patients: the part is tested, the other parts train.

    The inner part stays, to choose epochs and grid points by; the fold's own test patients have no role. Parts are
    whole sites (single patients where ``split.group`` says so, or fewer sites train than there are parts), with events
    and classes as even as that allows.
    """
    rows = folds[(folds["repeat"] == repeat) & (folds["fold"] == fold) & (folds["role"] != "test")]
    train = rows[rows["role"] == "train"]
    known = targets.take(list(train["patient_id"]))
    counts = [np.where(np.isfinite(days), event, 0.0) for days, event in known.survival.values()]
    counts += [label == k for task, label in known.labels.items() for k in range(len(known.classes[task]))]
    sites = train["site"].fillna("no site")
    groups = sites if cfg["split.group"] == "site" and sites.nunique() >= PARTS else train["patient_id"]
    rng = np.random.default_rng([seed_of("parts", cfg["seed"], repeat, fold)])
    part = even_parts(groups.to_numpy(), np.column_stack([np.zeros((len(train), 0)), *counts]), PARTS, rng)
    return [
        rows.assign(role=rows["role"].mask(rows["patient_id"].isin(train["patient_id"][part == k]), "test"))
        for k in np.unique(part)
    ]


def cross_fit(
    run: ArmRun, folds: pd.DataFrame, clinical: pd.DataFrame, targets: Targets, fold: int, kept: Kept | None = None
) -> list[tuple[Told, Told]]:
    """What the clinical baseline and an arm say of each part of a fold's training patients.

    Each part is scored by models that were trained on the other parts alone, as in the fold itself: same config, grid,
    inner part. Pretrained towers and the RNA normaliser are the fold's own: they saw the features of all training
    patients, and no outcome.

    Returns
    -------
    list of (clinical, arm)
        Of each part. What could not be trained learnt no task, with the reason.
    """
    found = []
    for k, table in enumerate(crossed_folds(folds, targets, run.repeat, fold, run.cfg)):
        roles = read_roles(table, run.repeat, fold)
        learnable, lost = targets.learnable(roles["train"])
        try:
            facts, rows = fit_clinical(clinical, learnable, roles)
            known = facts | {"not_learnable": lost | facts["not_learnable"]}, rows
            facts, rows = run.train(table, targets, fold, kept.of(f"part{k}") if kept else None)
            found.append((known, (facts, rows[rows["inputs"] == run.arm.inputs[0]])))
        except NotAvailable as reason:
            unlearned = dict.fromkeys((*targets.survival, *targets.labels), str(reason))
            nothing = {"not_learnable": unlearned}, pd.DataFrame()
            found.append((nothing, nothing))
    return found
