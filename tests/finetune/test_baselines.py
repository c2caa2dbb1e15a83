"""Baselines where a fold has nobody to test, or a model cannot be fitted: said, and the other folds stay."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from lifelines.exceptions import ConvergenceError

from confuselt.finetune import baselines
from confuselt.finetune.inputs import Inputs
from confuselt.finetune.targets import Targets
from confuselt.unusable import NotAvailable

IDS = [f"P{i:02d}" for i in range(60)]


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    genes = rng.normal(size=(60, 70)).astype(np.float32)
    targets = Targets(IDS, {"os": (rng.exponential(500, 60), np.ones(60))}, {"kind": rng.integers(0, 2, 60)}, {"kind": ["a", "b"]}, {"os": [400]})
    return Inputs(None, {}, dict(zip(IDS, genes, strict=True))), targets


def test_a_fold_with_nobody_to_test_has_no_predictions_and_is_no_reason_to_lose_the_others(world):
    inputs, targets = world
    table, lost = baselines.fit_pca_cox(inputs, targets, {"train": IDS[:40], "inner": IDS[40:], "test": ["elsewhere"]})
    assert table.empty and list(table.columns) == ["patient_id", "inputs", "task", "output", "value"] and lost == {}
    with pytest.raises(NotAvailable, match="fewer than 10 training patients"):
        baselines.fit_pca_cox(inputs, targets, {"train": IDS[:9], "inner": IDS[40:], "test": IDS[50:]})


def test_what_does_not_converge_is_said_of_its_task_alone(world, monkeypatch):
    def never(*_):
        raise ConvergenceError("no")

    monkeypatch.setattr(baselines, "fit_cox", never)
    table, lost = baselines.fit_pca_cox(*world, {"train": IDS[:40], "inner": IDS[40:50], "test": IDS[50:]})
    assert lost == {"os": "rna: no Cox model converged on the training patients"} and set(table["task"]) == {"kind"}
    clinical = pd.DataFrame({"patient_id": IDS, "covariate_age": np.arange(60.0)})
    roles = {"train": IDS[:40], "inner": IDS[40:50], "test": IDS[50:]}
    _, table, lost = baselines.fit_clinical(clinical, world[1], roles)
    assert list(lost) == ["os"] and set(table["task"]) == {"kind"}
    with pytest.raises(NotAvailable, match="no Cox model converged"):
        baselines.fit_clinical(clinical, world[1].only({"os"}), roles)


def test_no_component_beyond_the_rank_of_the_training_patients(world, monkeypatch):
    tried = []
    monkeypatch.setattr(baselines, "_project", lambda rows, c: tried.append(c) or {r: v[:, :c] for r, v in rows.items()})
    inputs, targets = world
    baselines.fit_pca_cox(inputs, targets, {"train": IDS[:48], "inner": IDS[48:54], "test": IDS[54:]})
    assert tried == [4, 16], "48 centred rows span 47 dimensions"


def test_cca_without_test_pairs_is_an_empty_gallery():
    rng = np.random.default_rng(1)
    rows = dict(zip(IDS, rng.normal(size=(60, 5)).astype(np.float32), strict=True))
    bags = SimpleNamespace(pack=lambda slides: SimpleNamespace(rows=rows[IDS[slides[0][0]]][None]))
    inputs = Inputs(bags, {p: [i] for i, p in enumerate(IDS)}, rows)
    found = baselines.fit_cca(inputs, {"train": IDS[:40], "inner": IDS[40:], "test": ["elsewhere"]})
    assert found["patients"] == [] and len(found["wsi"]) == len(found["rna"]) == 0
