"""Attention, scalers, losses: against plain definitions and properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.preprocessing import QuantileTransformer

from confuselt.model.abmil import GatedABMIL, segment_softmax
from confuselt.model.scaler import Scaler
from confuselt.pretrain.loss import contrastive_loss


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=6), seed=st.integers(0, 999))
def test_segment_softmax_is_softmax_in_each_bag(sizes, seed):
    scores = torch.from_numpy(np.random.default_rng(seed).normal(0, 30, sum(sizes)))
    bag = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    ours = segment_softmax(scores, bag, len(sizes))
    theirs = torch.cat([s.softmax(0) for s in scores.split(sizes)])
    torch.testing.assert_close(ours, theirs)


def test_packed_bags_equal_single_bags_and_order_does_not_matter():
    torch.manual_seed(0)
    model = GatedABMIL(5, 8, 4).eval()
    rows, sizes = torch.randn(9, 5), [4, 1, 4]
    bag = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes))
    pooled, direct, weights = model(rows, bag, 3)
    for k, part in enumerate(rows.split(sizes)):
        alone, alone_direct, _ = model(part, torch.zeros(len(part), dtype=torch.long), 1)
        torch.testing.assert_close(pooled[k], alone[0])
        torch.testing.assert_close(direct[k], alone_direct[0])
    order = torch.tensor([3, 1, 0, 2, 4, 8, 7, 6, 5])
    torch.testing.assert_close(model(rows[order], bag, 3)[0], pooled)
    assert weights[4].item() == pytest.approx(1)


def test_gated_attention_is_the_formula_of_ilse():
    torch.manual_seed(1)
    model = GatedABMIL(3, 4, 2).eval()
    rows = torch.randn(6, 3)
    h = model.embed(rows)
    score = model.score(torch.tanh(model.tanh(h)) * torch.sigmoid(model.gate(h))).squeeze(1)
    expected = (score.softmax(0)[:, None] * h).sum(0)
    torch.testing.assert_close(model(rows, torch.zeros(6, dtype=torch.long), 1)[0][0], expected)


def test_uniform_pooling_is_the_mean():
    model = GatedABMIL(3, 4, 2, uniform=True).eval()
    rows = torch.randn(6, 3)
    torch.testing.assert_close(model(rows, torch.zeros(6, dtype=torch.long), 1)[1][0], rows.mean(0))


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
    scale = torch.tensor(1 / 0.07)
    logits = scale * a @ b.T
    clip = (
        torch.nn.functional.cross_entropy(logits, torch.arange(6))
        + torch.nn.functional.cross_entropy(logits.T, torch.arange(6))
    ) / 2
    torch.testing.assert_close(contrastive_loss(a, b, torch.arange(6), scale), clip)


def test_second_slide_is_a_positive():
    b = torch.eye(3)
    a = torch.stack([b[0], b[0], b[1], b[2]])
    owner = torch.tensor([0, 0, 1, 2])
    right = contrastive_loss(a, b, owner, torch.tensor(20.0))
    # A perfect pair of slides can do no better than to share the probability.
    assert right.item() == pytest.approx(math.log(2) / 3 / 2, abs=1e-3)
    assert contrastive_loss(a, b, torch.tensor([1, 0, 1, 2]), torch.tensor(20.0)) > right + 1


def test_the_learning_rate_has_a_peak_in_runs_of_any_length():
    """Ten steps made PyTorch's one cycle divide by zero (three epochs of three steps: a small cohort)."""
    from confuselt.model.schedule import one_cycle

    for steps in (1, 2, 3, 5, 9, 10, 19, 20, 21, 200):
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule, rates = one_cycle(optimiser, [0.1], steps), []
        for _ in range(steps):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        assert all(np.isfinite(rates)) and min(rates) > 0
        assert steps < 3 or max(rates) == pytest.approx(0.1, rel=0.35)
