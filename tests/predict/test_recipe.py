"""Predict refuses features made by something else than those of training."""

from types import SimpleNamespace

import numpy as np
import pytest

from confuselt.predict.cohort import _pattern_vector, check_recipe


def test_recipe_names_both():
    facts = {"recipe": {"tile": {"name": "uni", "d": 1024, "dtype": "float16"}}}
    check_recipe(facts, SimpleNamespace(recipe={"tile": {"name": "uni", "d": 1024, "dtype": "float16"}}))
    with pytest.raises(ValueError, match="trained on name 'uni', this cohort has 'conch'"):
        check_recipe(facts, SimpleNamespace(recipe={"tile": {"name": "conch", "d": 1024, "dtype": "float16"}}))


def test_vector_of_both_modalities_is_their_unit_mean():
    shared = {"wsi": {"P": np.array([1.0, 0.0])}, "rna": {"P": np.array([0.0, 1.0])}}
    np.testing.assert_allclose(_pattern_vector(shared, "P", "both"), [np.sqrt(0.5)] * 2)
    np.testing.assert_allclose(_pattern_vector(shared, "P", "wsi"), [1, 0])
    assert _pattern_vector({}, "P", "wsi") is None
