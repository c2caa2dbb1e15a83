"""One fold of an arm: learns what is there, says what is not, serves every input pattern."""

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from confuselt.config.learning import Finetune, Pretrain
from confuselt.finetune.arms import ARMS, BASELINES, FITTED, TRAINED, USUAL, parse_arm, singles
from confuselt.finetune.folds import run_folds
from confuselt.finetune.inputs import Inputs, drop_modality
from confuselt.finetune.targets import curve_days, read_targets
from confuselt.finetune.train import train_fold
from confuselt.learn.store import Store
from confuselt.unusable import NotAvailable

MODEL = {**Pretrain().model.model_dump(), "hidden": 16, "attention": 8, "dim": 8, "dropout_rna": 0.1}
CFG = {f"finetune.{k}": v for k, v in Finetune(epochs=15, batch_size=32, learning_rate=5e-3).model_dump().items()} | {
    "pretrain.model": MODEL,
    "pack.scaling_tile": "standard",
    "pack.scaling_cells": "standard",
    "pack.scaling_deep": "standard",
    "tasks.survival": [{"name": "os", "horizons": [100, 300]}, {"name": "dss", "horizons": [100]}],
    "tasks.labels": [{"name": "kind", "classes": ["a", "b"]}],
}


@pytest.fixture
def world(tmp_path):
    """150 patients: slides show s, RNA shows r, hazard is s + r, the class is the sign of s."""
    rng = np.random.default_rng(0)
    n = 150
    s, r = rng.normal(size=n), rng.normal(size=n)
    ids = [f"P{i:03d}" for i in range(n)]
    days = rng.exponential(300 / np.exp(1.5 * (s + r)))
    clinical = pd.DataFrame(
        {
            "patient_id": ids,
            "status": "ok",
            "os_days": days,
            "os_event": (rng.random(n) < 0.8).astype(float),
            "dss_days": days,
            "dss_event": 0.0,
            "label_kind": np.where(s > 0, "a", "b"),
        }
    )
    with_slide = [i for i in range(n) if i % 10 != 0]
    rows = np.concatenate([np.column_stack([np.full(3, s[i]), rng.normal(size=(3, 4))]) for i in with_slide]).astype(
        np.float32
    )
    with h5py.File(tmp_path / "store.h5", "w") as file:
        file["slide_id"] = np.array([ids[i] for i in with_slide], dtype=h5py.string_dtype())
        file["patient_id"] = np.array([ids[i] for i in with_slide], dtype=h5py.string_dtype())
        for stream, values in (("tile", rows), ("cells", np.zeros((0, 0), np.float32))):
            group = file.create_group(stream)
            group.create_dataset("features", data=values)
            group["offsets"] = np.arange(len(with_slide) + 1) * (3 if len(values) else 0)
    profiles = {ids[i]: np.concatenate([[r[i]], rng.normal(size=5)]).astype(np.float32) for i in range(n) if i % 7 != 0}
    roles = {"train": ids[:90], "inner": ids[90:110], "test": ids[110:]}
    return tmp_path / "store.h5", profiles, clinical, roles


def inputs_of(store, profiles, arm):
    opened = Store(store, arm.streams) if arm.modality != "rna" else None
    slides = opened.of_patients(opened.patient_ids) if opened else {}
    return Inputs(opened, None, slides, profiles if arm.modality != "wsi" else {})


def train(world, name, **changes):
    store, profiles, clinical, roles = world
    arm, targets = parse_arm(name), read_targets(clinical, CFG)
    return train_fold(arm, inputs_of(store, profiles, arm), targets, roles, None, {**CFG, **changes}, (1, name, 0, 0))


def test_arms_are_ten_and_mean_what_they_say():
    assert len(USUAL) == 10 and len(ARMS) == 14 == len(set(ARMS)) and set(USUAL) < set(ARMS)
    assert parse_arm("both-scratch-deepcells").streams == "deepcells"
    assert (
        parse_arm("wsi-pretrained-nocells").streams == "tile"
        and parse_arm("both-scratch-cells").streams == "tile-cells"
    )
    assert parse_arm("rna-pretrained").streams == "tile-cells" and parse_arm("rna-scratch").streams is None
    assert parse_arm("mean-pool").uniform and not parse_arm("wsi-scratch-cells").uniform


def test_every_arm_and_baseline_has_one_rule_that_makes_it():
    made = (*TRAINED, *FITTED, "late-fusion")
    assert (
        len(made) == len(set(made))
        and set(made) == {*ARMS, *BASELINES}
        and {*singles(True), *singles(False)} <= set(ARMS)
    )


def test_curves_are_kept_at_the_horizons_and_at_fifths_of_the_longest():
    assert curve_days([1095, 1825]) == [365, 730, 1095, 1460, 1825]
    assert curve_days([100]) == [20, 40, 60, 80, 100] and curve_days([300, 100]) == [60, 100, 120, 180, 240, 300]


def test_both_arm_serves_every_pattern_and_learns(world):
    _, profiles, clinical, roles = world
    facts, table = train(world, "both-scratch-nocells")
    test = roles["test"]
    counts = table[table["output"] == "risk"].groupby("inputs")["patient_id"].nunique()
    slides = {p for p in test if int(p[1:]) % 10}
    assert counts.to_dict() == {
        "wsi": len(slides),
        "rna": len([p for p in test if p in profiles]),
        "both": len([p for p in slides if p in profiles]),
    }
    assert set(table["task"]) == {"os", "kind"}, "dss has no event"
    whole = table[(table["inputs"] == "both") & (table["output"] == "risk")].merge(clinical, on="patient_id")
    from confuselt.survival.concordance import survival_pairs

    pairs = survival_pairs(whole["value"].to_numpy(), whole["os_days"].to_numpy(), whole["os_event"].to_numpy())
    assert pairs.won.sum() / pairs.comparable.sum() > 0.7
    shares = table[table["output"].isin(["p_a", "p_b"])].groupby(["patient_id", "inputs"])["value"].sum()
    np.testing.assert_allclose(shares, 1, atol=1e-9)
    curves = table[table["output"].str.startswith("surv_")].pivot(
        index=["patient_id", "inputs"], columns="output", values="value"
    )
    assert set(curves) == {f"surv_{d}" for d in (60, 100, 120, 180, 240, 300)}
    assert (
        (curves[[f"surv_{d}" for d in (60, 100, 120, 180, 240, 300)]].diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)
        and curves.to_numpy().min() >= 0
        and curves.to_numpy().max() <= 1
    )
    assert len(facts["trained_on"]) == 110 and set(facts["inner"]) == {"os", "kind"}
    assert set(facts["spread"]) == set(facts["median"]) == {"both", "wsi", "rna"} and set(facts["spread"]["rna"]) == {
        "os"
    }


def test_spread_is_that_of_the_training_patients_risk(world):
    """A fold whose test patients are its training patients shows them."""
    store, profiles, clinical, roles = world
    facts, table = train(
        (store, profiles, clinical, {**roles, "test": roles["train"]}), "wsi-scratch-nocells", **{"finetune.epochs": 3}
    )
    risk = table[table["output"] == "risk"]["value"]
    assert facts["spread"]["wsi"]["os"] == pytest.approx([risk.mean(), risk.std(ddof=0)]) and facts["median"]["wsi"][
        "os"
    ] == pytest.approx(risk.median())


def test_test_patients_never_change_what_is_learned(world):
    store, profiles, clinical, roles = world
    first, _ = train(world, "both-scratch-nocells")
    noise = clinical.copy()
    noise.loc[noise["patient_id"].isin(roles["test"]), ["os_days", "label_kind"]] = [[1.0, "a"]]
    other = {p: (v if p not in roles["test"] else v * 0 + 9) for p, v in profiles.items()}
    second, _ = train((store, other, noise, roles), "both-scratch-nocells")
    for group, part in first["members"][0]["parts"].items():
        assert all(
            torch.equal(v, second["members"][0]["parts"][group]["weights"][k]) for k, v in part["weights"].items()
        )
    assert first["inner"] == second["inner"] and first["members"][0]["baseline"] == second["members"][0]["baseline"]


def test_same_seed_same_predictions(world):
    pd.testing.assert_frame_equal(train(world, "rna-scratch")[1], train(world, "rna-scratch")[1])


def test_members_are_averaged(world):
    facts, table = train(world, "rna-scratch", **{"finetune.members": 2, "finetune.epochs": 2})
    assert len(facts["members"]) == 2 and not table.duplicated(["patient_id", "inputs", "task", "output"]).any()


def test_what_cannot_be_fed_says_why(world):
    store, profiles, clinical, roles = world
    with pytest.raises(NotAvailable, match="no slide has a usable cells stream"):
        train(world, "wsi-scratch-cells")
    with pytest.raises(NotAvailable, match="no RNA"):
        train((store, {}, clinical, roles), "rna-scratch")
    with pytest.raises(
        NotAvailable, match=r"os: no events among \d+ patients; dss: no events .* kind: one class only \(a\)"
    ):
        train((store, profiles, clinical.assign(os_event=0.0, label_kind="a"), roles), "rna-scratch")


def test_tasks_that_patients_cannot_teach_have_reasons(world):
    *_, clinical, _ = world
    targets = read_targets(clinical.assign(label_kind="a"), CFG)
    assert targets.not_learnable() == {"dss": "no events among 150 patients", "kind": "one class only (a)"}
    assert (
        read_targets(clinical.assign(os_days=np.nan, label_kind=None), CFG).not_learnable()["kind"]
        == "no patient has a class"
    )


def test_a_task_is_learnt_by_what_training_patients_show_not_by_who_is_tested(world):
    """Events and classes of test patients alone make no head: the task is not predicted, with the reason."""
    store, profiles, clinical, roles = world
    test = clinical["patient_id"].isin(roles["test"])
    odd = clinical.assign(dss_event=test.astype(float), label_kind=np.where(test & (np.arange(150) % 2 == 0), "b", "a"))
    facts, table = train((store, profiles, odd, roles), "rna-scratch", **{"finetune.epochs": 2})
    assert (
        set(table["task"]) == {"os"}
        and facts["not_learnable"].keys() == {"dss", "kind"}
        and "one class only (a)" in facts["not_learnable"]["kind"]
    )
    plain, _ = train((store, profiles, clinical.assign(label_kind="a"), roles), "rna-scratch", **{"finetune.epochs": 2})
    for group, part in facts["members"][0]["parts"].items():
        assert all(
            torch.equal(v, plain["members"][0]["parts"][group]["weights"][k]) for k, v in part["weights"].items()
        )


def test_a_prediction_does_not_depend_on_who_else_is_predicted(world):
    """The instance budget is drawn by slide."""
    store, *_, roles = world
    opened = Store(store, "tile")
    alone, among = opened.pack([[5]], None, 2), opened.pack([[1], [5], [7]], None, 2)
    assert torch.equal(alone.rows, among.rows[2:4])


def test_modality_dropout_takes_one_of_two_never_the_last():
    rng = np.random.default_rng(0)
    wsi, rna = rng.random(2000) < 0.7, rng.random(2000) < 0.7
    a, b = drop_modality((wsi, rna), 0.4, rng)
    both = wsi & rna
    assert not (a & ~wsi).any() and not (b & ~rna).any()
    assert ((a | b) == (wsi | rna)).all()
    assert abs((both & ~(a & b)).sum() / both.sum() - 0.4) < 0.05
    assert abs((both & ~a).sum() - (both & ~b).sum()) < 80


def test_finished_folds_are_kept_and_reused_only_while_nothing_changed(tmp_path):
    source = tmp_path / "in.json"
    source.write_text('{"a": 1}')
    (tmp_path / "parts").mkdir()
    calls = []

    def fold(k, kept):
        assert kept.path.parent == tmp_path / "parts"
        calls.append(k)
        if k == 1 and len(calls) == 2:
            raise RuntimeError("killed")
        return {"w": torch.ones(2) * k}, pd.DataFrame({"patient_id": ["P"], "value": [float(k)]})

    with pytest.raises(RuntimeError):
        run_folds(fold, 2, lambda k: [source], {"x": 1}, tmp_path / "parts")
    facts, tables, reason = run_folds(fold, 2, lambda k: [source], {"x": 1}, tmp_path / "parts")
    assert (
        calls == [0, 1, 1]
        and reason is None
        and tables[1]["value"].tolist() == [1.0]
        and torch.equal(facts[0]["w"], torch.zeros(2))
    )
    source.write_text('{"a": 2}')
    run_folds(fold, 2, lambda k: [source], {"x": 1}, tmp_path / "parts")
    assert calls[3:] == [0, 1]
    run_folds(fold, 2, lambda k: [source], {"x": 2}, tmp_path / "parts")
    assert calls[5:] == [0, 1]
