"""Means of a patient's instances, over those of which a feature is known."""

import h5py
import numpy as np

from confuselt.learn.means import patient_means
from confuselt.learn.scaling import fit_scaler
from confuselt.learn.store import Store


def test_what_is_not_known_of_an_instance_does_not_draw_the_mean_to_the_middle(tmp_path):
    """Two slides with the same cells, one of them looked at in a tenth of its tiles."""
    rng = np.random.default_rng(0)
    own = rng.normal(3, 1, (100, 2)).astype(np.float32)
    sampled = own.copy()
    sampled[10:] = np.nan
    nobody = np.full((4, 2), np.nan, np.float32)
    other = rng.normal(0, 1, (300, 2)).astype(np.float32)
    parts = [own, sampled, nobody, other]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["slide_id"], file["patient_id"] = list("abcd"), list("ABCD")
        for stream, rows in (("tile", [np.ones((len(p), 3), np.float16) for p in parts]), ("cells", parts)):
            group = file.create_group(stream)
            group["features"] = np.concatenate(rows)
            group["offsets"] = np.cumsum([0, *map(len, rows)])
            group["coords"] = np.zeros((sum(map(len, rows)), 2), np.int32)
            group["sha"] = list("abcd")
    store = Store(tmp_path / "a.h5", "tile-cells")
    slides = store.of_patients(list("ABCD"))
    scaler = fit_scaler(store, list("ABD"), {"tile": "standard", "cells": "standard"}, 0)
    means = patient_means(store, slides, scaler)
    np.testing.assert_allclose(means["B"][3:], scaler.scalers["cells"](own[:10]).mean(0), rtol=1e-4)
    np.testing.assert_allclose(means["A"][3:], scaler.scalers["cells"](own).mean(0), rtol=1e-4)
    assert abs(means["A"][3] - means["B"][3]) < 0.5 and (means["C"][3:] == 0).all()
    raw = patient_means(store, slides, None)
    np.testing.assert_allclose(raw["B"][3:], own[:10].mean(0), rtol=1e-4)
