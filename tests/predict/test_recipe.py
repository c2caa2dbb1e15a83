"""Predict refuses features made by something else than those of training."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from confuselt.predict.cohort import _pattern_vector, _table, check_recipe, lost_inputs, not_served


@pytest.mark.parametrize(
    ("key", "other"), [("name", "conch"), ("weights", "fe12"), ("d", 768), ("mpp", 1.0), ("tile_px", 256)]
)
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


def test_whoever_has_an_input_is_told_of_and_out_of_fold_means_trained_on():
    """A patient trained on, one refused by a model, and both.

    Of two models A is served by one, the other refuses its RNA; B trained both; C trained one and is refused by the
    other; D is refused by both.
    """
    key = ("A", "rna")
    facts = {"horizons": {"os": [365]}, "classes": {}}
    table = _table(
        {key: {("os", "surv_365"): [0.8]}},
        {key: [None]},
        {key: [1.0]},
        {key: [0.1]},
        {key: 1},
        {("B", "rna"): 2, ("C", "rna"): 1},
        dict.fromkeys("ACD", "bad"),
        {"rna": set("DCBA")},
        facts,
        2,
    )
    assert table["patient_id"].tolist() == list("ABCD") and table["status"].tolist() == [
        "ok",
        "excluded",
        "excluded",
        "excluded",
    ]
    assert not table["out_of_fold"].any() and table["risk_os"].iloc[0] == pytest.approx(0.2)
    assert table["reason"].tolist()[1:] == [
        "every model was trained on this patient",
        "no model that was not trained on this patient can use it: bad",
        "no model can use it: bad",
    ]


def test_who_is_not_served_learns_what_became_of_its_inputs():
    index = pd.DataFrame(
        [
            ["A", "excluded", "broken"],
            ["A", "excluded", "glass"],
            ["A", "excluded", "broken"],
            ["B", "ok", None],
            [None, "excluded", "whose"],
        ],
        columns=["patient_id", "status", "reason"],
    )
    people = pd.DataFrame(
        [["A", "ok", None], ["B", "ok", None], ["C", "excluded", "no site"], ["D", "ok", "age 300"]],
        columns=["patient_id", "status", "reason"],
    )
    table = not_served(people, {"B"}, lost_inputs([index, index.head(1)]), "rna-scratch").set_index("patient_id")
    assert table["reason"].to_dict() == {
        "A": "no input that arm 'rna-scratch' takes: broken; glass",
        "C": "no site",
        "D": "no input that arm 'rna-scratch' takes",
    }
