"""Sizes and shapes of nuclei are those of scikit-image."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops_table

from confuselt.cells.measure import measure

THEIRS = {
    "label": "label",
    "x": "centroid-1",
    "y": "centroid-0",
    "area": "area",
    "long": "axis_major_length",
    "short": "axis_minor_length",
    "solidity": "solidity",
    "perimeter": "perimeter",
    "stain": "intensity_mean",
}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(5, 60), labels=st.integers(1, 12))
def test_every_nucleus_is_measured_as_scikit_image_does(seed, size, labels):
    """Touching blocks, holes, specks and nuclei cut by the border; some numbers are missing."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, labels + 1, (size // 4 + 1, size // 4 + 1)) * (
        rng.random((size // 4 + 1, size // 4 + 1)) < 0.7
    )
    label = np.kron(coarse, np.ones((4, 4), int))[:size, :size].astype(np.int32)
    label[rng.random(label.shape) < 0.05] = 0
    stain = rng.random(label.shape).astype(np.float32)
    ours = measure(label, stain)
    wanted = (
        "label",
        "centroid",
        "area",
        "axis_major_length",
        "axis_minor_length",
        "solidity",
        "perimeter",
        "intensity_mean",
    )
    theirs = pd.DataFrame(regionprops_table(label, stain, properties=wanted))
    assert len(ours) == len(theirs)
    spread = [stain[label == number].std() for number in theirs["label"]]
    np.testing.assert_allclose(ours["stain_sd"], spread, rtol=1e-3, atol=1e-5)
    for name, column in THEIRS.items():
        np.testing.assert_allclose(
            ours[name], theirs[column].astype(float), rtol=1e-5 if name == "stain" else 1e-9, atol=1e-6
        )


def test_no_nucleus_is_no_row():
    assert measure(np.zeros((9, 9), np.int32), np.zeros((9, 9), np.float32)).empty
