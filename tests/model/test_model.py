"""Attention, scalers, losses: against plain definitions and properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.preprocessing import QuantileTransformer

from confuselt.model.abmil import GatedABMIL
from confuselt.model.packed import Packed
from confuselt.model.scaler import Scaler
from confuselt.model.scaling import StreamScaler
from confuselt.pretrain.objective import InfoNCE


def packed(rows, sizes):
    return Packed(rows, list(sizes))


def plainly(model, rows, sizes):
    """Ilse's formula, bag by bag, by torch's own softmax and products."""
    pooled, direct = [], []
    for part in rows.split(sizes):
        h = model.embed(part)
        share = model.score(torch.tanh(model.tanh(h)) * torch.sigmoid(model.gate(h))).softmax(0)
        pooled.append((share * h).sum(0))
        direct.append((share * part).sum(0))
    return torch.stack(pooled), torch.stack(direct)


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=8), seed=st.integers(0, 999))
def test_packed_bags_and_their_gradients_are_the_formula_of_ilse(sizes, seed):
    torch.manual_seed(seed)
    model = GatedABMIL(5, 8, 4).eval().double()
    rows = torch.randn(sum(sizes), 5, dtype=torch.float64, requires_grad=True)
    found = {}
    for name in ("ours", "plain"):
        pooled, direct = model(packed(rows, sizes))[:2] if name == "ours" else plainly(model, rows, sizes)
        loss = (pooled.double().sin().sum() + (direct.double() ** 2).sum()) / len(sizes)
        found[name] = [pooled.double(), *torch.autograd.grad(loss, [rows, *model.parameters()])]
    for ours, plain in zip(found["ours"], found["plain"], strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)


def test_bags_do_not_see_each_other_and_the_order_of_instances_does_not_matter():
    torch.manual_seed(0)
    model = GatedABMIL(5, 8, 4).eval()
    rows, sizes = torch.randn(9, 5), [4, 1, 4]
    pooled, direct, weights = model(packed(rows, sizes))
    for k, part in enumerate(rows.split(sizes)):
        alone, alone_direct, _ = model(packed(part, [len(part)]))
        torch.testing.assert_close(pooled[k], alone[0])
        torch.testing.assert_close(direct[k], alone_direct[0])
    order = torch.tensor([3, 1, 0, 2, 4, 8, 7, 6, 5])
    torch.testing.assert_close(model(packed(rows[order], sizes))[0], pooled)
    assert weights[4].item() == pytest.approx(1) and weights.split(sizes)[2].sum().item() == pytest.approx(1)


def test_neighbours_of_equal_length_are_one_product():
    runs = Packed(torch.zeros(13, 1), [2, 2, 3, 2, 2, 2]).runs()
    assert [(r.rows.start, r.rows.stop, r.bags.start, r.bags.stop, r.each) for r in runs] == [
        (0, 4, 0, 2, 2),
        (4, 7, 2, 3, 3),
        (7, 13, 3, 6, 2),
    ]


def test_uniform_pooling_is_the_mean():
    model = GatedABMIL(3, 4, 2, uniform=True).eval()
    rows = torch.randn(6, 3)
    torch.testing.assert_close(model(packed(rows, [6]))[1][0], rows.mean(0))


@pytest.mark.parametrize("kind", ["standard", "robust", "rank"])
def test_scaling_on_a_device_is_that_of_the_scaler(kind):
    rng = np.random.default_rng(3)
    train = np.column_stack(
        [rng.lognormal(1, 1, 400), rng.integers(0, 3, 400), np.full(400, 7.0), rng.normal(size=400)]
    )
    new = np.concatenate([train[:50], rng.normal(2, 5, (700, 4)), train.min(0)[None], train.max(0)[None]])
    streams = {"tile": train[:, :3].astype(np.float16), "cells": train[:, 3:].astype(np.float32)}
    scaler = StreamScaler.fit(streams, {"tile": kind, "cells": "rank"})
    parts = [new[:, :3].astype(np.float16), new[:, 3:].astype(np.float32)]
    ours = scaler([torch.from_numpy(p) for p in parts]).numpy()
    theirs = np.hstack([s(p) for s, p in zip(scaler.scalers.values(), parts, strict=True)])
    np.testing.assert_allclose(ours, theirs, atol=2e-4)
    again = StreamScaler.from_state(scaler.state())([torch.from_numpy(p) for p in parts])
    assert (again.numpy() == ours).all()


def test_columns_are_fitted_one_by_one():
    rows = np.random.default_rng(0).normal(size=(50, 200))
    for kind in ("standard", "robust", "rank"):
        whole, last = Scaler.fit(kind, rows), Scaler.fit(kind, rows[:, 199:])
        np.testing.assert_array_equal(whole(rows)[:, 199:], last(rows[:, 199:]))


@pytest.mark.parametrize("kind", ["standard", "robust", "rank"])
def test_scalers_are_monotone_finite_and_learn_from_training_rows_only(kind):
    rng = np.random.default_rng(0)
    train = np.column_stack(
        [rng.lognormal(3, 2, 300), rng.integers(0, 3, 300), np.full(300, 7.0), np.where(np.arange(300) < 250, 0, 1e7)]
    )
    scaler = Scaler.fit(kind, train)
    wild = np.array([[-1e30, -5.0, 7.0, 0.0], [5.0, 0.0, 7.0, 1.0], [50.0, 1.0, 7.0, 1e9], [1e30, 99.0, 8.0, 1e30]])
    out = scaler(wild)
    assert np.isfinite(out).all() and np.abs(out).max() <= 5 and (Scaler.from_state(scaler.state())(wild) == out).all()
    assert (out[1:, :2] >= out[:-1, :2]).all()


def test_standard_and_robust_are_their_definitions():
    rows = np.random.default_rng(1).normal(5, 3, (200, 2))
    np.testing.assert_allclose(
        Scaler.fit("standard", rows)(rows), np.clip((rows - rows.mean(0)) / rows.std(0), -5, 5), atol=1e-6
    )
    q = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
    np.testing.assert_allclose(
        Scaler.fit("robust", rows)(rows), np.clip((rows - q[1]) / (q[2] - q[0]) * 1.349, -5, 5), atol=1e-6
    )


def test_rank_scaling_is_close_to_scikit_learns_normal_scores():
    rng = np.random.default_rng(2)
    train, new = rng.lognormal(0, 1, (500, 3)), rng.lognormal(0, 1, (200, 3))
    train[:100, 1] = 1.0
    ours = Scaler.fit("rank", train)(new)
    theirs = (
        QuantileTransformer(n_quantiles=201, output_distribution="uniform", subsample=10**6).fit(train).transform(new)
    )
    theirs = norm.ppf(np.clip(theirs, 0.5 / 201, 1 - 0.5 / 201))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    middle = Scaler.fit("rank", train)(np.ones((1, 3)))[0, 1]
    expected = norm.ppf(((train[:, 1] < 1).mean() + (train[:, 1] <= 1).mean()) / 2)
    assert middle == pytest.approx(expected, abs=0.05)


def test_contrastive_loss_of_single_slides_is_clips():
    torch.manual_seed(0)
    a, b = (
        torch.nn.functional.normalize(torch.randn(6, 4), dim=1),
        torch.nn.functional.normalize(torch.randn(6, 4), dim=1),
    )
    objective = InfoNCE(0.07)
    scale = objective.scale.detach()
    logits = scale * a @ b.T
    clip = (
        torch.nn.functional.cross_entropy(logits, torch.arange(6))
        + torch.nn.functional.cross_entropy(logits.T, torch.arange(6))
    ) / 2
    torch.testing.assert_close(objective({"wsi": a, "rna": b}, torch.arange(6)), clip)


def test_second_slide_is_a_positive():
    b = torch.eye(3)
    a = torch.stack([b[0], b[0], b[1], b[2]])
    owner = torch.tensor([0, 0, 1, 2])
    objective = InfoNCE(1 / 20)
    views = {"wsi": a, "rna": b}
    right = objective(views, owner)
    # A perfect pair of slides can do no better than to share the probability.
    assert right.item() == pytest.approx(math.log(2) / 3 / 2, abs=1e-3)
    assert objective(views, torch.tensor([1, 0, 1, 2])) > right + 1


def test_the_learning_rate_has_a_peak_in_runs_of_any_length():
    """Ten steps made PyTorch's one cycle divide by zero (three epochs of three steps: a small cohort)."""
    from confuselt.learn.schedule import one_cycle

    for steps in (1, 2, 3, 5, 9, 10, 19, 20, 21, 200):
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule, rates = one_cycle(optimiser, [0.1], steps), []
        for _ in range(steps):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        assert all(np.isfinite(rates)) and min(rates) > 0
        assert steps < 3 or max(rates) == pytest.approx(0.1, rel=0.35)
