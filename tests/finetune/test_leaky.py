"""Leaky chance: choosing the epoch on the test fold lifts chance, choosing it on the inner part does not."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from conftest import script
from lifelines.utils import concordance_index

from confuselt.acquire.schema import OUTCOMES
from confuselt.finetune import leaky
from confuselt.finetune.leaky import by_inner, by_test, components, leaky_curves, read_epochs
from confuselt.finetune.schema import CURVES
from confuselt.pack.store import pack
from confuselt.split.schema import FOLDS
from confuselt.tables import check_table, read_table, write_table
from confuselt.unusable import NotAvailable

SEEDS, EPOCHS = 12, 15
CFG = {
    "evaluate.primary": "pfi",
    "evaluate.leaky": {"seeds": 2, "epochs": 3},
    "tasks.survival": [{"name": "pfi", "horizons": [100]}],
    "seed": 1,
}


@pytest.fixture(scope="module")
def world():
    """150 patients, three folds, features that drive the true outcome: permuted, they drive nothing."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(150, 20))
    days = rng.exponential(300 / np.exp(rows[:, 0]))
    event = (rng.random(150) < 0.6).astype(float)
    folds = []
    for k in range(3):
        rest = np.setdiff1d(np.arange(150), np.arange(k, 150, 3))
        folds.append({"train": rest[rest % 5 != 0], "inner": rest[rest % 5 == 0], "test": np.arange(k, 150, 3)})
    return rows, folds, days, event


def split_by_arm(table: pd.DataFrame) -> dict[str, np.ndarray]:
    return {arm: part.pivot(index="draw", columns="x", values="value").to_numpy() for arm, part in table.groupby("arm")}


def check_honest(values: np.ndarray) -> None:
    """Centred near chance: within three standard errors of .5 at the last epoch."""
    last = values[:, -1]
    assert abs(last.mean() - 0.5) < 3 * last.std(ddof=1) / np.sqrt(len(last))


def test_choosing_on_the_test_fold_lifts_chance_and_the_inner_part_does_not(world):
    table = leaky_curves(*world, SEEDS, EPOCHS, 1)
    check_table(table.assign(curve="leaky-chance"), CURVES)
    found = split_by_arm(table)
    assert found["honest"].shape == found["leaky-chance"].shape == (SEEDS, EPOCHS)
    assert (found["leaky-chance"] >= found["honest"]).all() and (np.diff(found["leaky-chance"], axis=1) >= 0).all()
    check_honest(found["honest"])
    assert found["leaky-chance"][:, -1].mean() > found["honest"][:, -1].mean() + 0.02
    with pytest.raises(AssertionError):  # the mutant: the inner part is the test fold
        check_honest(found["leaky-chance"])
    pd.testing.assert_frame_equal(table, leaky_curves(*world, SEEDS, EPOCHS, 1))


def test_true_outcomes_would_be_learned(world, monkeypatch):
    """The net is able: that permuted outcomes leave it at chance says something."""
    monkeypatch.setattr(
        leaky.np.random, "default_rng", lambda seed: type("Kept", (), {"permutation": staticmethod(np.arange)})()
    )
    assert split_by_arm(leaky_curves(*world, 1, EPOCHS, 1))["honest"][0, -1] > 0.6


def test_c_and_choice_are_what_they_say(world, monkeypatch):
    rows, folds, days, event = world
    shown = components({r: rows[at] for r, at in folds[0].items()})
    np.testing.assert_allclose(shown["train"].std(0, ddof=1), 1)
    outcomes = {r: (days[at], event[at]) for r, at in folds[0].items()}
    found = read_epochs(shown, outcomes, 4, (1,))
    seen, forward, test = [], torch.nn.Sequential.forward, folds[0]["test"]

    def watched(self, x):
        out = forward(self, x)
        if len(x) == len(test):
            seen.append(concordance_index(days[test], -out.squeeze(1).numpy(), event[test]))
        return out

    monkeypatch.setattr(torch.nn.Sequential, "forward", watched)
    read_epochs(shown, outcomes, 4, (1,))
    np.testing.assert_allclose(found["test_c"], seen)
    c, loss = np.array([0.5, 0.6, 0.4, 0.55]), np.array([3.0, 2.0, 1.0, 4.0])
    assert by_test(c).tolist() == [0.5, 0.6, 0.6, 0.6] and by_inner(c, loss).tolist() == [0.5, 0.6, 0.4, 0.4]
    assert by_inner(c, np.full(4, np.nan)).tolist() == c.tolist()


def test_what_says_nothing_has_a_reason_or_does_not_count(world):
    rows, folds, days, event = world
    with pytest.raises(NotAvailable, match="no events among 150 patients"):
        leaky_curves(rows, folds, days, event * 0, 2, 3, 1)
    with pytest.raises(NotAvailable, match="fewer than 10 training patients"):
        leaky_curves(rows, [{r: at[:5] for r, at in f.items()} for f in folds], days, event, 2, 3, 1)
    nobody = [{**folds[0], "test": np.zeros(0, int)}, *folds[1:]]
    alone = leaky_curves(rows, nobody, days, event, 2, 3, 1)
    assert np.isfinite(alone["value"]).all() and len(alone) == 12
    with pytest.raises(NotAvailable, match="no test fold has a pair"):
        leaky_curves(rows, nobody[:1], days, event, 2, 3, 1)


@pytest.fixture
def files(tmp_path):
    """Store, folds and outcomes of 60 patients as the chain writes them."""
    import h5py

    rng, ids = np.random.default_rng(0), [f"P{i:02d}" for i in range(60)]
    pd.DataFrame({"slide_id": ids, "patient_id": ids, "status": "ok", "n": 1, "sha": ids}).to_parquet(
        tmp_path / "tile.parquet"
    )
    with h5py.File(tmp_path / "tile.h5", "w") as file:
        file["features"], file["coords"], file["offsets"] = (
            rng.normal(size=(60, 5)).astype(np.float32),
            np.zeros((60, 2), np.int32),
            np.arange(61),
        )
        file["slide_id"] = np.array(ids, dtype=h5py.string_dtype())
        file.attrs.update(name="x", d=5, dtype="float32")
    none = pd.DataFrame(
        {
            "slide_id": pd.Series(dtype=str),
            "patient_id": pd.Series(dtype=str),
            "status": pd.Series(dtype=str),
            "n": pd.Series(dtype=int),
            "sha": pd.Series(dtype=str),
        }
    )
    none.to_parquet(tmp_path / "cells.parquet")
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file["features"], file["coords"], file["offsets"] = (
            np.zeros((0, 0), np.float32),
            np.zeros((0, 2), np.int32),
            np.zeros(1, int),
        )
        file["slide_id"] = np.array([], dtype=h5py.string_dtype())
        file.attrs.update(name="x", d=0, dtype="float32")
    pack({s: (tmp_path / f"{s}.parquet", tmp_path / f"{s}.h5") for s in ("tile", "cells")}, tmp_path / "store.h5")
    facts = {
        "patient_id": ids,
        "status": "ok",
        "reason": None,
        "site": "S",
        "pfi_days": rng.exponential(300, 60),
        "pfi_event": (rng.random(60) < 0.5) * 1.0,
    }
    facts["pfi_days"][3] = np.nan
    write_table(pd.DataFrame(facts), tmp_path / "outcomes.parquet", OUTCOMES)
    rows = [
        {
            "repeat": 0,
            "fold": f,
            "patient_id": p,
            "site": "S",
            "role": "test" if i % 2 == f else "inner" if i % 5 == 0 else "train",
        }
        for f in (0, 1)
        for i, p in enumerate(ids)
    ]
    write_table(pd.DataFrame(rows), tmp_path / "folds.parquet", FOLDS)
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"tasks.survival": []}, "tasks.survival names no endpoint"),
        ({"evaluate.leaky": {"seeds": 0, "epochs": 3}}, "evaluate.leaky.seeds is 0"),
    ],
)
def test_the_script_writes_curves_or_a_reason(files, changes, reason):
    out = files / "out.parquet"
    script("finetune/fit_leaky_chance").main(
        files / "store.h5", files / "folds.parquet", files / "outcomes.parquet", out, {**CFG, **changes}
    )
    table, meta = read_table(out, CURVES), json.loads(pq.read_schema(out).metadata[b"meta"])
    assert meta == {"status": "not available" if reason else "ok", "reason": reason}
    assert len(table) == (0 if reason else 2 * 2 * 3)
    if not reason:
        assert (
            set(table["task"]) == {"pfi"}
            and set(table["metric"]) == {"harrell_c"}
            and set(table["fold"]) == {-1}
            and set(table["draw"]) == {1, 2}
        )
