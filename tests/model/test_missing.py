"""What is not known of an instance: scaled from what is known of others, and the middle of the fold to a model."""

import numpy as np
import pytest
import torch

from confuselt.model.scaler import KINDS, Scaler
from confuselt.model.scaling import StreamScaler


def rows(seed=0):
    """A column that is whole, one with gaps, one that nobody knows."""
    rng = np.random.default_rng(seed)
    found = rng.lognormal(0, 1, (500, 3)).astype(np.float32)
    found[rng.random(500) < 0.4, 1] = np.nan
    found[:, 2] = np.nan
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_references_are_those_of_the_known_values(kind):
    some = rows()
    known = some[~np.isnan(some[:, 1]), 1:2]
    whole, alone = Scaler.fit(kind, some), Scaler.fit(kind, known)
    np.testing.assert_allclose(whole(some)[~np.isnan(some[:, 1]), 1], alone(known)[:, 0], atol=1e-6)
    first = Scaler.fit(kind, some[:, :1])
    np.testing.assert_array_equal(whole(some)[:, 0], first(some[:, :1])[:, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_the_middle_and_nothing_is_nan(kind):
    scaler, some = Scaler.fit(kind, rows()), rows(1)
    scaled = scaler(some)
    assert np.isfinite(scaled).all() and (scaled[np.isnan(some)] == 0).all()
    assert abs(np.median(scaled[~np.isnan(some[:, 1]), 1])) < 0.5
    again = Scaler.from_state(scaler.state())
    np.testing.assert_array_equal(again(some), scaled)
    assert (scaler.beyond(some) <= 2 / 3).all(), "what is not known is not out of reach"


@pytest.mark.parametrize("kind", KINDS)
def test_torch_scales_what_is_missing_as_numpy_does(kind):
    tiles = np.random.default_rng(2).normal(0, 1, (500, 4)).astype(np.float16)
    scaler = StreamScaler.fit({"tile": tiles, "cells": rows()}, {"tile": "standard", "cells": kind})
    found = scaler([torch.from_numpy(tiles), torch.from_numpy(rows(3))]).numpy()
    np.testing.assert_allclose(found[:, 4:], scaler.scalers["cells"](rows(3)), atol=2e-4)
    assert np.isfinite(found).all()
