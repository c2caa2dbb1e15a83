"""The loop: pieces of a batch are the batch, a stopped training goes on bit for bit, what is not finite is named."""

import numpy as np
import pytest
import torch
from learn.stores import slides, write_store
from torch import nn

from confuselt.config.learning import Pretrain
from confuselt.learn import kept as kept_module
from confuselt.learn.kept import Kept
from confuselt.learn.loop import Loop
from confuselt.learn.optimiser import AdamW
from confuselt.learn.scaling import fit_scaler
from confuselt.learn.store import Store
from confuselt.pretrain.train import Pairing

BLOCK = Pretrain(epochs=4, batch_size=8, learning_rate=5e-3, tiles=8, model={"hidden": 16, "attention": 8, "dim": 8})
PLACES = [
    ("cpu", "auto"),
    ("cpu", "host"),
    ("cpu", "device"),
    *(
        pytest.param("cuda", place, marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is seen"))
        for place in ("host", "device")
    ),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    streams, lengths, patients = slides(40)
    return write_store(tmp_path_factory.mktemp("store") / "s.h5", streams, lengths, patients)


def learner_of(path, device="cpu", place="host", **changes):
    cfg = {f"pretrain.{k}": v for k, v in BLOCK.model_dump().items()}
    cfg["pretrain.model"] = {**cfg["pretrain.model"], **changes}
    torch.manual_seed(7)
    store = Store(path, "tile-cells", torch.device(device), place)
    patients = sorted(set(store.patient_ids))
    rng = np.random.default_rng(1)
    profiles = {p: rng.normal(size=20).astype(np.float32) for p in patients}
    scaler = fit_scaler(store, patients[:24], {"tile": "standard", "cells": "rank"}, 1)
    return Pairing(store, scaler, profiles, {"train": patients[:24], "inner": patients[24:]}, cfg, 11)


def loop_of(learner, kept=None):
    torch.manual_seed(8)  # of the dropout
    return Loop(learner, AdamW(learner.module.parameters(), lr=5e-3), BLOCK.epochs, learner.steps, kept)


def weights(learner):
    return torch.cat([p.detach().cpu().ravel() for p in learner.module.parameters()])


def test_same_seed_same_weights_and_history(path):
    one, two = learner_of(path), learner_of(path)
    loop_of(one).run()
    loop_of(two).run()
    assert torch.equal(weights(one), weights(two)) and str(one.history) == str(two.history)


@pytest.mark.parametrize(("device", "place"), PLACES)
def test_every_place_learns_the_same(path, device, place):
    here, there = (
        learner_of(path, dropout=0, dropout_wsi=0, dropout_rna=0),
        learner_of(path, device, place, dropout=0, dropout_wsi=0, dropout_rna=0),
    )
    for learner in (here, there):
        loop_of(learner).run()  # 12 steps
    losses = [[row["loss"] for row in learner.history] for learner in (here, there)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3 if device == "cpu" else 2e-2)
    if device == "cpu":
        assert torch.equal(weights(here), weights(there))


@pytest.mark.parametrize("pieces", [2, 3, 8])
def test_pieces_of_a_batch_are_the_batch(path, pieces):
    """Cached gradients: the contrast is over all pairs of the batch, whatever fits at once."""
    found = []
    for parts in (1, pieces):
        learner = learner_of(path, dropout=0, dropout_wsi=0, dropout_rna=0)
        loop = loop_of(learner)
        loop.pieces = parts
        loop._descend(next(iter(learner.batches(1, 0))))
        found.append(torch.cat([p.grad.ravel() for p in learner.module.parameters()]))
    torch.testing.assert_close(found[1], found[0], rtol=1e-6, atol=1e-6)
    assert found[0].abs().max() > 1e-3


def test_a_batch_that_does_not_fit_is_learnt_in_pieces_and_said_once(path, monkeypatch, caplog):
    learner = learner_of(path, dropout=0, dropout_wsi=0, dropout_rna=0)
    plain = learner_of(path, dropout=0, dropout_wsi=0, dropout_rna=0)
    whole = learner.outputs

    def small(batch):
        if len(batch.patients) > 4:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return whole(batch)

    monkeypatch.setattr(learner, "outputs", small)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    with caplog.at_level("WARNING"):
        loop_of(learner).run()
    loop_of(plain).run()
    losses = [[row["loss"] for row in one.history] for one in (learner, plain)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert [r.message for r in caplog.records] == [
        "the GPU has no room for a batch: from here on it is learnt in 2 pieces"
    ]


class Stopped(Exception):
    """A kill between two steps."""


@pytest.mark.parametrize("stop", range(1, 12))
def test_a_stopped_training_goes_on_bit_for_bit(path, tmp_path, monkeypatch, stop):
    monkeypatch.setattr(kept_module, "EVERY", 0.0)
    unbroken = learner_of(path)
    loop_of(unbroken).run()
    broken, calls = learner_of(path), []
    loop = loop_of(broken, Kept(tmp_path, "f0", "key"))
    step = loop._step

    def stopping(*arguments):
        if len(calls) == stop:
            raise Stopped
        calls.append(1)
        return step(*arguments)

    monkeypatch.setattr(loop, "_step", stopping)
    with pytest.raises(Stopped):
        loop.run()
    again = learner_of(path)
    torch.rand(5)  # whatever the new process drew before
    resumed = loop_of(again, Kept(tmp_path, "f0", "key"))
    seen = []
    step = resumed._step
    monkeypatch.setattr(resumed, "_step", lambda *a: seen.append(1) or step(*a))
    resumed.run()
    assert len(seen) == 12 - stop, "nothing is learnt twice"
    assert torch.equal(weights(again), weights(unbroken)) and str(again.history) == str(unbroken.history)


def test_a_state_of_other_inputs_is_not_taken(path, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_module, "EVERY", 0.0)
    loop_of(learner_of(path), Kept(tmp_path, "f0", "key")).run()
    fresh, other = learner_of(path), learner_of(path)
    loop_of(fresh).run()
    loop_of(other, Kept(tmp_path, "f0", "another key")).run()
    assert torch.equal(weights(fresh), weights(other)) and len(other.history) == BLOCK.epochs


def test_what_is_not_finite_names_epoch_and_patients(path):
    learner = learner_of(path)
    learner.profiles["P000"] = np.full(20, np.nan, np.float32)
    with pytest.raises(
        FloatingPointError, match=r"nan in epoch 1 over 8 patients .*P000.*lower pretrain.learning_rate"
    ):
        loop_of(learner).run()
    assert all(torch.isfinite(p).all() for p in learner.module.parameters()), "no step was made of it"


def test_a_batch_that_informs_of_nothing_moves_the_schedule_alone(path, monkeypatch):
    learner = learner_of(path)
    before = weights(learner)
    monkeypatch.setattr(learner, "loss", lambda outputs, batch: None)
    loop = loop_of(learner)
    loop.run()
    assert torch.equal(weights(learner), before) and loop.schedule.last_epoch == 12
    assert isinstance(learner.module, nn.Module)
