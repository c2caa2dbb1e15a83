"""Heatmaps against planted regions: attention lies where the outcome is written, and nowhere under random weights."""

import h5py
import numpy as np
import pytest
import torch
from evaluate.planted import PATIENTS, PEOPLE, ROLES, randomised, trained
from learn.stores import write_store
from sklearn.metrics import roc_auc_score

from confuselt.evaluate.attention import attention, parts
from confuselt.finetune.inputs import Inputs
from confuselt.learn.store import Store

ARM, SIDE, WIDTH = "wsi-scratch-nocells", 6, 10
TILES = SIDE * SIDE


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Slides of 6 x 6 tiles; a patch of 3 x 3 somewhere on each shows what the patient's risk follows, others noise."""
    torch.manual_seed(0)
    rng = np.random.default_rng(3)
    risk = rng.standard_normal(PATIENTS)
    coords = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).reshape(-1, 2)
    corner = rng.integers(0, SIDE - 2, (PATIENTS, 1, 2))
    planted = ((coords >= corner) & (coords < corner + 3)).all(-1)
    rows = rng.standard_normal((PATIENTS, TILES, WIDTH))
    # Feature 0 says that a tile is of the region, feature 1 what it means there and nothing elsewhere.
    rows[..., 0] += 3 * planted
    rows[..., 1] = np.where(planted, 1.5 * risk[:, None] + 0.3 * rows[..., 1], 1.5 * rows[..., 1])
    tiles = rows.reshape(-1, WIDTH).astype(np.float32)
    folder = tmp_path_factory.mktemp("planted")
    path = write_store(
        folder / "s.h5", {"tile": tiles, "cells": np.zeros((0, 3), np.float32)}, [TILES] * PATIENTS, PEOPLE
    )
    with h5py.File(path, "a") as file:
        file["tile/coords"][...] = np.tile(coords * 224, (PATIENTS, 1))
    store = Store(path, "tile")
    model = trained(ARM, Inputs(store, None, store.of_patients(PEOPLE), {}), 1.5 * risk, rng)
    return path, model, planted


def aurocs(path, model, planted):
    """Of attention against the planted region, one per test slide."""
    (found,) = attention(model, 0, path, ROLES["test"], parts(model, 0)).values()
    assert len(found) == len(ROLES["test"])
    values = []
    for slide, (coords, weights) in found.items():
        assert weights.mean() == pytest.approx(1, abs=1e-4) and coords.max() == 224 * (SIDE - 1)
        values.append(roc_auc_score(planted[int(slide[1:])], weights))
    return np.array(values)


def test_attention_lies_on_the_planted_region(world):
    values = aurocs(*world)
    assert values.mean() >= 0.8 and np.mean(values > 0.5) > 0.9


def test_it_is_gone_under_random_weights(world):
    """One random network may look at a region for no reason; over twelve of them none is looked at."""
    path, model, planted = world
    means = np.array([aurocs(path, randomised(model, seed), planted).mean() for seed in range(12)])
    assert abs(means.mean() - 0.5) < 0.15 and means.max() < aurocs(*world).mean()
