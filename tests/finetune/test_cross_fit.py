"""Cross-fitting: no patient is scored by a model that it trained.

None of the fold's test patients is anywhere, sites stay whole.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from confuselt.finetune import cross_fit as module
from confuselt.finetune.arms import parse_arm
from confuselt.finetune.cross_fit import PARTS, cross_fit, crossed_folds
from confuselt.finetune.run_arm import ArmRun
from confuselt.finetune.targets import Targets
from confuselt.split.parts import even_parts
from confuselt.split.roles import read_roles
from confuselt.unusable import NotAvailable

N = 200
CFG = {"split.group": "site", "seed": 3}


@pytest.fixture(scope="module")
def cohort():
    """200 patients of 14 sites, a fold, outcomes of two tasks."""
    rng = np.random.default_rng(0)
    ids, site = [f"P{i:03d}" for i in range(N)], np.sort(rng.integers(0, 14, N))
    role = np.select([site < 3, site < 5], ["test", "inner"], "train")
    folds = pd.DataFrame({"repeat": 0, "fold": 1, "patient_id": ids, "site": [f"S{s:02d}" for s in site], "role": role})
    other = folds.assign(fold=0, role="train")
    targets = Targets(
        ids,
        {"os": (rng.exponential(500, N), (rng.random(N) < 0.2) * 1.0)},
        {"kind": rng.integers(-1, 2, N)},
        {"kind": ["a", "b"]},
        {"os": [400]},
    )
    return pd.concat([other, folds], ignore_index=True), targets


def check_parts(tables, folds, grouped=True):
    """Every training patient is scored once, by models that it did not train."""
    own = read_roles(folds, 0, 1)
    tested = []
    for table in tables:
        roles = read_roles(table, 0, 1)
        assert not set(roles["test"]) & set(roles["train"]) and roles["inner"] == own["inner"]
        assert sorted(roles["test"] + roles["train"]) == sorted(own["train"])
        tested += roles["test"]
        sites = table.groupby("site")["role"].nunique()
        assert not grouped or (sites == 1).all()
    assert sorted(tested) == sorted(own["train"])


def test_every_training_patient_is_scored_once_by_models_that_it_did_not_train(cohort):
    folds, targets = cohort
    tables = crossed_folds(folds, targets, 0, 1, CFG)
    assert len(tables) == PARTS
    check_parts(tables, folds)
    pd.testing.assert_frame_equal(tables[0], crossed_folds(folds, targets, 0, 1, CFG)[0])
    # The mutants: the part stays among those that train; parts that cut through sites; the fold's test patients train.
    rows = folds[(folds["fold"] == 1) & (folds["role"] != "test")]
    stays = [pd.concat([t, t[t["role"] == "test"].assign(role="train")]) for t in tables]
    mixed = crossed_folds(folds, targets, 0, 1, CFG | {"split.group": "patient"})
    every = [t.assign(role=t["role"].replace("inner", "train")) for t in tables]
    for mutant in (stays, mixed, every, [rows]):
        with pytest.raises(AssertionError):
            check_parts(mutant, folds)
    check_parts(mixed, folds, grouped=False)


def test_events_and_classes_are_even(cohort):
    folds, targets = cohort
    for cfg, most in ((CFG, 0.5), (CFG | {"split.group": "patient"}, 0.1)):
        known = [targets.take(read_roles(t, 0, 1)["test"]) for t in crossed_folds(folds, targets, 0, 1, cfg)]
        events = [k.survival["os"][1].sum() for k in known]
        assert max(events) - min(events) <= max(1, most * np.mean(events))
    few = folds.assign(site=np.where(folds["role"] == "train", "one", folds["site"]))
    check_parts(crossed_folds(few, targets, 0, 1, CFG), few, grouped=False)  # one site alone: patients are dealt out


@settings(max_examples=50)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 4), st.integers(0, 5))
def test_parts_keep_groups_whole_and_none_is_empty(groups, k, seed):
    groups = np.array(groups)
    part = even_parts(groups, (groups[:, None] % 2).astype(float), k, np.random.default_rng(seed))
    assert set(part) == set(range(min(k, len(set(groups)))))
    assert all(len(set(part[groups == g])) == 1 for g in groups)


def test_both_models_are_trained_on_the_other_parts(cohort, monkeypatch):
    folds, targets = cohort
    seen = []

    def clinical(_, learnable, roles):
        seen.append(("clinical", roles))
        return {"not_learnable": {}}, pd.DataFrame({"patient_id": roles["test"]})

    def arm(run, table, known, fold, kept):
        seen.append((run.arm.name, read_roles(table, run.repeat, fold)))
        if len(seen) == 4:
            raise NotAvailable("no training patient of a fold has a slide")
        return {"not_learnable": {}}, pd.DataFrame({"patient_id": seen[-1][1]["test"], "inputs": "wsi"})

    monkeypatch.setattr(module, "fit_clinical", clinical)
    monkeypatch.setattr(ArmRun, "train", arm)
    run = ArmRun(parse_arm("wsi-scratch-cells"), None, 0, CFG, torch.device("cpu"), None)
    found = cross_fit(run, folds, pd.DataFrame(), targets, 1)
    assert [name for name, _ in seen] == ["clinical", "wsi-scratch-cells"] * PARTS
    for (_, one), (_, two) in zip(seen[::2], seen[1::2], strict=True):
        assert (
            one == two
            and not set(one["test"]) & {*one["train"], *one["inner"]}
            and not {p for r in one.values() for p in r} & set(read_roles(folds, 0, 1)["test"])
        )
    assert list(found[0][1][1]["patient_id"]) == seen[1][1]["test"]
    assert found[1][0][0]["not_learnable"] == dict.fromkeys(("os", "kind"), "no training patient of a fold has a slide")
