"""Baselines: their fits, and a fold with nobody to test or a model that cannot be fitted, which is said."""

import numpy as np
import pandas as pd
import pytest
from lifelines.exceptions import ConvergenceError
from scipy.special import expit

from confuselt.finetune import baselines
from confuselt.finetune.targets import Targets
from confuselt.learn.checkpoint import load_checkpoint, save_checkpoint
from confuselt.unusable import NotAvailable

IDS = [f"P{i:02d}" for i in range(60)]


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    genes = rng.normal(size=(60, 70)).astype(np.float32)
    targets = Targets(
        IDS,
        {"os": (rng.exponential(500, 60), np.ones(60))},
        {"kind": rng.integers(0, 2, 60)},
        {"kind": ["a", "b"]},
        {"os": [400]},
    )
    return baselines.Vectors({}, dict(zip(IDS, genes, strict=True))), targets


def test_a_fold_with_nobody_to_test_has_no_predictions_and_is_no_reason_to_lose_the_others(world):
    vectors, targets = world
    facts, table = baselines.fit_pca_cox(
        vectors, targets, {"train": IDS[:40], "inner": IDS[40:], "test": ["elsewhere"]}
    )
    assert (
        table.empty
        and list(table.columns) == ["patient_id", "inputs", "task", "output", "value"]
        and facts["not_learnable"] == {}
    )
    with pytest.raises(NotAvailable, match="fewer than 10 training patients"):
        baselines.fit_pca_cox(vectors, targets, {"train": IDS[:9], "inner": IDS[40:], "test": IDS[50:]})


def test_what_does_not_converge_is_said_of_its_task_alone(world, monkeypatch):
    def never(*_):
        raise ConvergenceError("no")

    monkeypatch.setattr(baselines, "fit_cox", never)
    facts, table = baselines.fit_pca_cox(*world, {"train": IDS[:40], "inner": IDS[40:50], "test": IDS[50:]})
    assert facts["not_learnable"] == {"os": "rna: no Cox model converged on the training patients"} and set(
        table["task"]
    ) == {"kind"}
    clinical = pd.DataFrame({"patient_id": IDS, "covariate_age": np.arange(60.0)})
    roles = {"train": IDS[:40], "inner": IDS[40:50], "test": IDS[50:]}
    facts, table = baselines.fit_clinical(clinical, world[1], roles)
    assert list(facts["not_learnable"]) == ["os"] == sorted({"os", "kind"} - set(facts["fitted"]["tasks"])) and set(
        table["task"]
    ) == {"kind"}
    with pytest.raises(NotAvailable, match="no Cox model converged"):
        baselines.fit_clinical(clinical, world[1].only({"os"}), roles)


def test_no_component_beyond_the_rank_of_the_training_patients(world, monkeypatch):
    tried = []
    monkeypatch.setattr(
        baselines, "_project", lambda rows, c: tried.append(c) or ({r: v[:, :c] for r, v in rows.items()}, {})
    )
    vectors, targets = world
    baselines.fit_pca_cox(vectors, targets, {"train": IDS[:48], "inner": IDS[48:54], "test": IDS[54:]})
    assert tried == [4, 16], "48 centred rows span 47 dimensions"


def test_cca_without_test_pairs_is_an_empty_gallery():
    rng = np.random.default_rng(1)
    rows = dict(zip(IDS, rng.normal(size=(60, 5)).astype(np.float32), strict=True))
    vectors = baselines.Vectors(rows, rows)
    found = baselines.fit_cca(vectors, {"train": IDS[:40], "inner": IDS[40:], "test": ["elsewhere"]})
    assert found["patients"] == [] and len(found["wsi"]) == len(found["rna"]) == 0
    tested = baselines.fit_cca(vectors, {"train": IDS[:40], "inner": IDS[40:50], "test": IDS[50:]})
    side = {k: v.numpy() for k, v in tested["fitted"]["wsi"].items()}
    vectors = (
        np.clip((np.stack([rows[p] for p in IDS[50:]]) - side["centre"]) / side["scale"], -5, 5) @ side["projection"]
    )
    np.testing.assert_allclose(tested["wsi"], vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_what_was_fitted_is_kept_and_predicts_the_same(world, tmp_path):
    """From the file alone the predictions of the test patients can be made again."""
    vectors, targets = world
    roles = {"train": IDS[:40], "inner": IDS[40:50], "test": IDS[50:]}
    facts, table = baselines.fit_pca_cox(vectors, targets, roles)
    save_checkpoint({"folds": [facts]}, tmp_path / "m.pt")
    state = load_checkpoint(tmp_path / "m.pt")["folds"][0]["fitted"]["rna"]
    rows = (np.stack([vectors.profiles[p] for p in roles["test"]]) - state["centre"].numpy()) / state["scale"].numpy()
    rows = np.clip(rows, -5, 5)

    def shown(model):
        pca = {k: v.numpy() for k, v in state["components"][model["components"]].items()}
        return (rows - pca["mean"]) @ pca["components"].T / np.sqrt(pca["variance"])

    def told(task, output):
        return (
            table[(table["task"] == task) & (table["output"] == output)]
            .set_index("patient_id")["value"]
            .loc[roles["test"]]
        )

    cox, logistic = state["tasks"]["os"], state["tasks"]["kind"]
    risk = (shown(cox) - cox["centre"].numpy()) @ cox["coefficients"].numpy()
    np.testing.assert_allclose(told("os", "risk"), risk)
    hazard = np.interp(400, cox["times"].numpy(), cox["hazard"].numpy())  # as lifelines does between two times
    np.testing.assert_allclose(told("os", "surv_400"), np.exp(-hazard * np.exp(risk)))
    np.testing.assert_allclose(
        told("kind", "p_b"),
        expit(shown(logistic) @ logistic["coefficients"].numpy()[0] + logistic["intercept"].numpy()[0]),
        rtol=1e-6,
    )
    assert (
        cox["ridge"] in baselines.RIDGES
        and logistic["inverse"] in baselines.INVERSE
        and cox["components"] in baselines.COMPONENTS
    )


def covariates(**columns):
    return pd.DataFrame({"patient_id": IDS, **{f"covariate_{k}": v for k, v in columns.items()}})


def test_a_level_unseen_in_training_is_missing_and_a_missing_patient_is_an_average_one():
    roles = {"train": IDS[:40], "inner": IDS[40:50], "test": IDS[50:]}
    stage = [["I", "II", "III"][i % 3] for i in range(60)]
    rows = baselines.clinical_rows(covariates(stage=stage[:50] + ["IV"] * 5 + [None] * 5), roles)
    assert rows["train"].shape == (40, 3) and rows["train"][:, 2].sum() == 0
    np.testing.assert_allclose(rows["test"], np.tile([*rows["train"][:, :2].mean(0), 1], (10, 1)))
    standard, _ = baselines.standardise(rows)
    np.testing.assert_allclose(standard["test"][:, :2], 0, atol=1e-12)


def test_a_column_of_numbers_is_one_in_every_fold():
    """One odd value that `acquire` made missing; whichever fold it trains in, age stays one column and its flag."""
    age = [str(40 + i) for i in range(60)]
    age[3] = None
    for train in (IDS[:40], IDS[20:]):
        rows = baselines.clinical_rows(
            covariates(age=age), {"train": train, "test": [p for p in IDS if p not in train]}
        )
        assert rows["train"].shape[1] == 2 and set(np.unique(rows["train"][:, 1])) <= {0, 1}
    with pytest.raises(NotAvailable, match="no covariate"):
        baselines.clinical_rows(covariates(age=None), {"train": IDS[:40], "test": IDS[40:]})


def test_ridge_cox_shrinks():
    rng = np.random.default_rng(3)
    x, days, event = rng.normal(size=(80, 3)), rng.exponential(100, 80), np.ones(80)
    strong, weak = (np.abs(baselines.fit_cox(x, days, event, ridge).params_).max() for ridge in (10.0, 0.01))
    assert strong < weak


def test_cca_finds_the_shared_direction_and_is_scikit_learns_without_ridge():
    from sklearn.cross_decomposition import CCA

    rng = np.random.default_rng(0)
    shared = rng.normal(size=300)
    x, y = rng.normal(size=(300, 4)), rng.normal(size=(300, 3))
    x[:, 1] += 3 * shared
    y[:, 2] -= 3 * shared
    x, y = x - x.mean(0), y - y.mean(0)
    a, b = baselines.canonical(x, y, 1, 1e-9)
    ours = abs(np.corrcoef((x @ a)[:, 0], (y @ b)[:, 0])[0, 1])
    u, v = CCA(1).fit_transform(x, y)
    assert ours == pytest.approx(abs(np.corrcoef(u[:, 0], v[:, 0])[0, 1]), abs=1e-4)
