"""The leakage canary over the chain, the four mutants of DESIGN section 4.1 that it must catch, and two more.

Outer-test patients' features, then their outcomes, are replaced by noise after the folds are frozen:
nothing that pretrain and finetune of that fold reach may change. Each mutant is a patch on a temporary
copy of workflow/, and has to make the canary sing.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

STEPS = Path(__file__).with_name("steps.py")
TRAIN_ONLY = 'train = [p for p in roles["train"] if p in set(adata.obs_names)]'
FIT = "fitted = fit_normaliser(adata[train].copy(), cfg)"
MUTANTS = {
    "normaliser on all": ("scripts/rna/normalise_rna.py", TRAIN_ONLY, "train = list(adata.obs_names)", {"rna.json", "pre.pt"}),
    "genes on all": (
        "scripts/rna/normalise_rna.py",
        FIT,
        'chosen = fit_normaliser(adata.copy(), cfg).genes\n        fitted = fit_normaliser(adata[train][:, chosen].copy(), {**cfg, "rna.genes": None})',
        {"rna.json"},
    ),
    "epoch by test fold": (
        "confuselt/finetune/train.py",
        'inner = inputs.any_of(roles["inner"], arm.modality)',
        'inner = inputs.any_of(roles["test"], arm.modality)',
        {"wsi-pretrained-cells.pt", "both-scratch-nocells.pt"},
    ),
    "heads by everybody's labels": (
        "confuselt/finetune/targets.py",
        """classes = {t["name"]: list(t["classes"]) for t in cfg["tasks.labels"]}""",
        """classes = {t["name"]: [c for c in t["classes"] if (clinical[f"label_{t['name']}"] == c).any()] for t in cfg["tasks.labels"]}""",
        set(),
    ),
    "cells dealt out over all roles": (
        "confuselt/finetune/run_arm.py",
        "bags.deal(roles, draw)",
        'bags.deal({"all": [p for patients in roles.values() for p in patients]}, draw)',
        {"shuffled-wsi-pretrained-cells.pt"},
    ),
    "pretraining on all": (
        "scripts/pretrain/pretrain_towers.py",
        'roles = {r: patients for r, patients in read_roles(table, repeat, fold).items() if r in ("train", "inner")}',
        'roles = read_roles(table, repeat, fold)\n        roles = {"train": roles["train"] + roles["test"], "inner": roles["inner"]}',
        {"pre.pt", "wsi-pretrained-cells.pt"},
    ),
}


def sing(workflow: Path, folder: Path) -> dict[str, list[str]]:
    """Artefacts of the fold that changed with the noise."""
    done = subprocess.run(
        [sys.executable, str(STEPS), str(workflow), str(folder)], env={**os.environ, "PYTHONPATH": str(workflow)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_nothing_learned_sees_a_test_patient(tmp_path):
    assert sing(ROOT / "workflow", tmp_path / "run") == {"noise-x": [], "noise-y": []}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_canary_catches(mutant, tmp_path):
    file, old, new, expected = MUTANTS[mutant]
    copy = tmp_path / "workflow"
    shutil.copytree(ROOT / "workflow", copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / file).read_text()
    assert text.count(old) == 1, "the mutant no longer applies: write it anew"
    (copy / file).write_text(text.replace(old, new))
    caught = sing(copy, tmp_path / "run")
    assert expected <= set(caught["noise-x"]), caught
    if mutant == "epoch by test fold":
        assert expected <= set(caught["noise-y"]), caught
    if mutant == "heads by everybody's labels":
        assert {"wsi-pretrained-cells.pt", "both-scratch-nocells.pt", "pca-cox (outcomes)"} <= set(caught["noise-y"]), caught
