"""Predict refuses features made by something else than those of training."""

from types import SimpleNamespace

import numpy as np
import pytest

from confuselt.predict.cohort import _pattern_vector, check_recipe


@pytest.mark.parametrize(("key", "other"), [("name", "conch"), ("weights", "fe12"), ("d", 768), ("mpp", 1.0), ("tile_px", 256)])
def test_recipe_names_both(key, other):
    trained = {"name": "uni", "weights": "ab34", "d": 1024, "dtype": "float16", "tile_px": 224, "mpp": 0.5}
    check_recipe({"recipe": {"tile": trained}}, SimpleNamespace(recipe={"tile": dict(trained)}))
    with pytest.raises(ValueError, match=f"trained on {key} {trained[key]!r}, this cohort has {other!r}"):
        check_recipe({"recipe": {"tile": trained}}, SimpleNamespace(recipe={"tile": {**trained, key: other}}))


def test_vector_of_both_modalities_is_their_unit_mean():
    shared = {"wsi": {"P": np.array([1.0, 0.0])}, "rna": {"P": np.array([0.0, 1.0])}}
    np.testing.assert_allclose(_pattern_vector(shared, "P", "both"), [np.sqrt(0.5)] * 2)
    np.testing.assert_allclose(_pattern_vector(shared, "P", "wsi"), [1, 0])
    assert _pattern_vector({}, "P", "wsi") is None
