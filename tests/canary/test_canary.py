"""The leakage canary over the chain, the four mutants of DESIGN section 4.1 that it must catch, and more.

Outer-test patients' features, then their outcomes, are replaced by noise after the folds are frozen:
nothing that pretrain and finetune of that fold reach may change. Each mutant is a patch on a temporary
copy of workflow/, and has to make the canary sing; it starts from a finished run and repeats what it can reach.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

BASELINES = "confuselt/finetune/baselines.py"
STEPS = Path(__file__).with_name("steps.py")
TRAIN_ONLY = 'train = [p for p in roles["train"] if p in set(adata.obs_names)]'
FIT = "fitted = fit_normaliser(adata[train].copy(), cfg)"
# Those of DESIGN; each repeats a part of the chain, so that the others are tried in the full tests only.
FOUR = {"normaliser on all", "genes on all", "epoch by test fold", "pretraining on all"}
MUTANTS = {
    "normaliser on all": (
        "scripts/rna/normalise_rna.py",
        TRAIN_ONLY,
        "train = list(adata.obs_names)",
        {"rna.json", "pre.pt", "pca-cox", "cca"},
    ),
    "genes on all": (
        "scripts/rna/normalise_rna.py",
        FIT,
        "chosen = fit_normaliser(adata.copy(), cfg).genes\n"
        '        fitted = fit_normaliser(adata[train][:, chosen].copy(), {**cfg, "rna.genes": None})',
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
        """classes = {t["name"]: [c for c in t["classes"] """
        """if (clinical[f"label_{t['name']}"] == c).any()] for t in cfg["tasks.labels"]}""",
        set(),
    ),
    "cells dealt out over all roles": (
        "confuselt/finetune/run_arm.py",
        "store.deal(roles, draw)",
        'store.deal({"all": [p for patients in roles.values() for p in patients]}, draw)',
        {"shuffled-wsi-pretrained-cells.pt"},
    ),
    "pretraining on all": (
        "scripts/pretrain/pretrain_towers.py",
        'roles = {r: patients for r, patients in read_roles(table, repeat, fold).items() if r in ("train", "inner")}',
        "roles = read_roles(table, repeat, fold)\n"
        '        roles = {"train": roles["train"] + roles["test"], "inner": roles["inner"]}',
        {"pre.pt", "wsi-pretrained-cells.pt"},
    ),
    "principal components of all": (
        BASELINES,
        'PCA(components, whiten=True, random_state=0).fit(rows["train"])',
        "PCA(components, whiten=True, random_state=0).fit(np.concatenate(list(rows.values())))",
        {"pca-cox"},
    ),
    "standardised over all": (
        BASELINES,
        'centre, scale = rows["train"].mean(0), rows["train"].std(0)',
        "centre, scale = (f(np.concatenate(list(rows.values())), 0) for f in (np.mean, np.std))",
        {"clinical", "pca-cox", "cca", "leaky-chance"},
    ),
    "CCA standardised over all": (
        BASELINES,
        "standardise({r: _stacked([vectors.slides[i] for i in p]) for r, p in pairs.items()})",
        "standardise({r: _stacked([vectors.slides[i] for i in p]) "
        "for r, p in {**pairs, 'train': sum(pairs.values(), [])}.items()})\n"
        '    wsi["train"] = wsi["train"][: len(pairs["train"])]',
        {"cca"},
    ),
    "covariates filled, and their levels named, by all": (
        BASELINES,
        "clinical_rows(clinical, roles)",
        '{r: clinical_rows(clinical, {"train": sum(roles.values(), []), "of": ids})["of"] for r, ids in roles.items()}',
        {"clinical"},
    ),
    "bags of the baselines scaled over all": (
        BASELINES,
        "fit_scaler(store, train, kinds",
        "fit_scaler(store, store.patient_ids, kinds",
        {"pca-cox", "cca"},
    ),
    "the arm's weight fitted on all": (
        "confuselt/finetune/cross_fit.py",
        ' & (folds["role"] != "test")]',
        "]",
        {"plus.pt"},
    ),
    "components of leaky chance by all": (
        "confuselt/finetune/leaky.py",
        'random_state=0).fit(rows["train"])',
        "random_state=0).fit(np.concatenate(list(rows.values())))",
        {"leaky-chance"},
    ),
}


def sing(workflow: Path, folder: Path, transform: str = "vst") -> dict[str, list[str]]:
    """Artefacts of the fold that changed with the noise."""
    done = subprocess.run(
        [sys.executable, str(STEPS), str(workflow), str(folder), transform],
        env={**os.environ, "PYTHONPATH": str(workflow)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder of the chain as it is, and what the canary says of it."""
    folder = tmp_path_factory.mktemp("canary") / "run"
    return folder, sing(ROOT / "workflow", folder)


def test_nothing_learned_sees_a_test_patient(finished):
    assert finished[1] == {"noise-x": [], "noise-y": []}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_still_applies(mutant):
    file, old, new, _ = MUTANTS[mutant]
    assert (ROOT / "workflow" / file).read_text().count(old) == 1 and new != old, "write the mutant anew"


@pytest.mark.parametrize("mutant", [m if m in FOUR else pytest.param(m, marks=pytest.mark.full) for m in MUTANTS])
def test_the_canary_catches(mutant, finished, tmp_path):
    file, old, new, expected = MUTANTS[mutant]
    copy = tmp_path / "workflow"
    shutil.copytree(ROOT / "workflow", copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / file).read_text()
    (copy / file).write_text(text.replace(old, new))
    shutil.copytree(finished[0], tmp_path / "run")
    caught = sing(copy, tmp_path / "run")
    assert expected <= set(caught["noise-x"]), caught
    if mutant in ("epoch by test fold", "the arm's weight fitted on all"):
        assert expected <= set(caught["noise-y"]), caught
    if mutant == "heads by everybody's labels":
        assert {"wsi-pretrained-cells.pt", "both-scratch-nocells.pt", "pca-cox (outcomes)"} <= set(caught["noise-y"]), (
            caught
        )


@pytest.mark.full
@pytest.mark.parametrize("transform", ["log-cpm", "rank"])
def test_no_transform_of_rna_sees_a_test_patient(transform, tmp_path):
    assert sing(ROOT / "workflow", tmp_path / "run", transform) == {"noise-x": [], "noise-y": []}
    for mutant in ("normaliser on all", "genes on all"):
        file, old, new, _ = MUTANTS[mutant]
        copy = tmp_path / mutant
        shutil.copytree(ROOT / "workflow", copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / file).write_text((copy / file).read_text().replace(old, new))
        shutil.copytree(tmp_path / "run", tmp_path / f"run of {mutant}")
        assert "rna.json" in sing(copy, tmp_path / f"run of {mutant}", transform)["noise-x"]
