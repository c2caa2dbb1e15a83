"""Predict refuses features made by something else than those of training."""

from types import SimpleNamespace

import numpy as np
import pytest

from confuselt.predict.cohort import _pattern_vector, _table, check_recipe


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


def test_whoever_any_fold_can_serve_is_told_of_and_out_of_fold_means_trained_on():
    """Of two models A is served by one, the other refuses its RNA; B trained both; C trained one and is refused by the other."""
    key = ("A", "rna")
    facts = {"horizons": {"os": [365]}, "classes": {}}
    table = _table(
        {key: {("os", "surv_365"): [0.8]}}, {key: [None]}, {key: [1.0]}, {key: 1}, {("B", "rna"): 2, ("C", "rna"): 1}, {"rna": {"C", "B", "A"}}, facts, 2
    )
    assert table["patient_id"].tolist() == ["A", "B", "C"] and table["status"].tolist() == ["ok", "excluded", "excluded"]
    assert not table["out_of_fold"].any() and table["risk_os"].iloc[0] == pytest.approx(0.2)
    assert table["reason"].tolist()[1:] == ["every model was trained on this patient", "the models that were not trained on this patient cannot use its RNA"]
