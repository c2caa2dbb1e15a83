"""Pretraining: learns pairs, takes several slides of a patient, never a test patient; retrieval ranks."""

import h5py
import numpy as np
import pytest
import torch

from confuselt.config.learning import Pretrain
from confuselt.controls.mispaired import shuffle_pairs
from confuselt.learn.checkpoint import load_checkpoint, save_checkpoint
from confuselt.learn.store import Store
from confuselt.model.scaling import StreamScaler
from confuselt.pretrain.retrieval import embed_patients, embed_profiles, ranks
from confuselt.pretrain.train import load_encoders, pretrain
from confuselt.rna.profiles import Profiles

BLOCK = Pretrain(
    epochs=25,
    batch_size=40,
    learning_rate=5e-3,
    model={"hidden": 16, "attention": 8, "dim": 8, "dropout_wsi": 0, "dropout_rna": 0, "dropout": 0},
)
CFG = {f"pretrain.{k}": v for k, v in BLOCK.model_dump().items()} | {
    "pack.scaling_tile": "standard",
    "pack.scaling_cells": "standard",
    "pack.scaling_deep": "standard",
}
SEED = (1, "tile", 0, 0)


@pytest.fixture
def world(tmp_path):
    """100 patients whose slides and RNA share four numbers; every fifth has two slides."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(100, 4))
    ids = [f"P{i:03d}" for i in range(100)]
    slides = [(i, k) for i in range(100) for k in range(2 if i % 5 == 0 else 1)]
    rows = np.concatenate([shared[i] + 0.1 * rng.normal(size=(3, 4)) for i, _ in slides]).astype(np.float32)
    with h5py.File(tmp_path / "store.h5", "w") as file:
        file["slide_id"] = np.array([f"{ids[i]}-{k}" for i, k in slides], dtype=h5py.string_dtype())
        file["patient_id"] = np.array([ids[i] for i, _ in slides], dtype=h5py.string_dtype())
        group = file.create_group("tile")
        group.create_dataset("features", data=rows)
        group["offsets"] = np.arange(len(slides) + 1) * 3
    rna = Profiles(
        [f"G{i}" for i in range(6)], dict(zip(ids, (shared @ rng.normal(size=(4, 6))).astype(np.float32), strict=True))
    )
    return tmp_path / "store.h5", rna, {"train": ids[:60], "inner": ids[60:75]}, ids[75:]


def test_pairs_are_learned_and_the_checkpoint_is_safe_to_load(world, tmp_path):
    store, rna, roles, test = world
    content, history = pretrain(Store(store, "tile"), rna, roles, CFG, SEED)
    assert len(history) == 25 and history[-1]["loss"] < history[0]["loss"]
    save_checkpoint(content, tmp_path / "c.pt")
    loaded = load_checkpoint(tmp_path / "c.pt")
    assert loaded["genes"] == rna.genes and len(loaded["trained_on"]) == 60
    bags = Store(store, "tile")
    model, scaler = load_encoders(loaded), StreamScaler.from_state(loaded["scaler"])
    at = ranks(embed_patients(model, bags, scaler, bags.of_patients(test)), embed_profiles(model, rna.rows(test)))
    assert (at < 5).mean() > 0.6, "chance is 0.2"


def test_mispaired_learns_nothing_and_test_patients_do_not_matter(world):
    store, rna, roles, test = world
    content, _ = pretrain(Store(store, "tile"), rna, roles, CFG, SEED)
    noise = Profiles(rna.genes, {p: v if p not in test else v * 0 + 99 for p, v in rna.of.items()})
    again, _ = pretrain(Store(store, "tile"), noise, roles, CFG, SEED)
    assert all(torch.equal(content["weights"][k], again["weights"][k]) for k in content["weights"])
    _, history = pretrain(Store(store, "tile"), rna, roles, CFG, SEED, shuffle_pairs(roles["train"], 1))
    assert history[-1]["inner_percentile_rank"] < 0.75
    given = shuffle_pairs(roles["train"], 1)
    assert (
        sorted(given.values()) == sorted(given)
        and given != {p: p for p in given}
        and given != shuffle_pairs(roles["train"], 2)
    )


def test_within_site_pairs_differ_from_true_ones_and_from_mispaired_ones(world):
    store, rna, roles, _ = world
    site = {p: "ab"[i % 2] for i, p in enumerate(roles["train"])}
    given = (None, shuffle_pairs(roles["train"], 1), shuffle_pairs(roles["train"], 1, site))
    found = [pretrain(Store(store, "tile"), rna, roles, CFG, SEED, pairs)[1] for pairs in given]
    losses = [history[-1]["inner_percentile_rank"] for history in found]
    assert len(set(losses)) == 3 and losses[2] < 0.75 < losses[0]


def test_nothing_to_pair_is_said(world):
    store, rna, roles, _ = world
    content, history = pretrain(
        Store(store, "tile"), Profiles(rna.genes, dict(list(rna.of.items())[:2])), roles, CFG, SEED
    )
    assert (
        content == {"status": "not available", "reason": "2 training patients have both a slide and RNA, 4 needed"}
        and history == []
    )


def test_ranks_with_ties_and_strata():
    q, g = np.array([[1.0, 0], [0, 1], [1, 0]]), np.array([[1.0, 0], [0, 1], [1, 0]])
    assert ranks(q, g).tolist() == [0.5, 0, 0.5]
    allowed = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    assert ranks(q, g, allowed).tolist() == [0, 0, 0]
