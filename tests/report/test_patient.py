"""The page of one patient: ranks by hand, who is nearest under encoders that are known, ids as text."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from confuselt.config.learning import Patient as Asked
from confuselt.report import neighbours
from confuselt.report.patient import _called, _ranks
from confuselt.report.patient_figures import classes_figure, survival_figure


def test_ids_are_text():
    assert Asked.model_validate({"id": "007"}).id == "007" and Asked().id is None
    with pytest.raises(ValueError, match="patient.id 7 was read as a number, ids are text"):
        Asked.model_validate({"id": 7})


def rows(patient, values, **more):
    base = {"patient_id": patient, "arm": "a", "inputs": "wsi", "task": "os", "output": "risk", "repeat": 0, "fold": 0}
    return [base | more | {"repeat": repeat, "fold": fold, "value": v} for (repeat, fold), v in values.items()]


def test_a_rank_is_among_the_test_patients_of_the_same_fold():
    table = pd.DataFrame(
        [
            *rows("P", {(0, 0): 2.0, (1, 1): 0.0}),
            *rows("Q", {(0, 0): 1.0, (1, 1): 1.0}),
            *rows("R", {(0, 0): 3.0, (1, 2): -9.0}),
            *rows("S", {(0, 1): -9.0}),
        ]
    )
    (found,) = _ranks(table, table[table["patient_id"] == "P"], {"tasks.survival": [{"name": "os"}]})
    # Above Q and below R in the first repeat, below Q in the second.
    assert found == {"task": "os", "arm": "a", "inputs": "wsi", "rank": pytest.approx(1 / 3)}


def test_without_endpoints_the_first_sentence_names_a_class_with_its_probability():
    shares = {"Basal": (0.2, 0.3), "LumA": (0.8, 0.7)}
    own = pd.DataFrame(
        [
            row
            for inputs, turned in (("wsi", True), ("both", False))
            for name, values in shares.items()
            for row in rows(
                "P",
                {(r, 0): 1 - v if turned else v for r, v in enumerate(values)},
                inputs=inputs,
                task="pam50",
                output=f"p_{name}",
            )
        ]
    )
    assert (
        _called(own, {"tasks.labels": [{"name": "er"}, {"name": "pam50"}]})
        == "a with both takes LumA for the most probable pam50 (75%)."
    )


def test_a_patient_alone_in_a_fold_has_no_rank():
    own = pd.DataFrame(rows("P", {(0, 0): 1.0}))
    assert list(_ranks(own, own, {"tasks.survival": [{"name": "os"}]})) == []
    assert _called(own, {"tasks.labels": []}) == (
        "Nobody else was tested in the same fold, so that the risk of this patient has no rank."
    )


def test_the_nearest_are_named_within_and_across_modalities(monkeypatch):
    angle = {"P": 0.0, "Q": 0.1, "R": 1.0, "S": 3.0}
    unit = {p: np.array([np.cos(a), np.sin(a)]) for p, a in angle.items()}
    sides = {
        "slide": (["P", "R", "Q"], np.stack([unit[p] for p in "PRQ"])),
        "RNA": (["S", "P", "Q"], np.stack([unit[p] for p in "SPQ"])),
    }
    space = SimpleNamespace(slides=lambda _: sides["slide"], rna=lambda _: sides["RNA"])
    monkeypatch.setattr(neighbours, "Space", SimpleNamespace(of=lambda *_: space))
    found = neighbours.nearest({"status": "ok"}, None, None, "P", ["Q", "R", "S"])
    said = {(a, b): [r["patient"] for r in found if (r["from"], r["to"]) == (a, b)] for a in sides for b in sides}
    assert said[("slide", "slide")] == ["Q", "R"] and said[("slide", "RNA")] == ["P", "Q", "S"]
    assert said[("RNA", "slide")] == ["P", "Q", "R"] and said[("RNA", "RNA")] == ["Q", "S"]
    assert not neighbours.nearest({"status": "unavailable"}, None, None, "P", [])


def test_what_happened_later_than_predictions_reach_stands_at_the_edge():
    own = pd.DataFrame(
        [r | {"output": f"surv_{d}", "value": 1 - d / 4000} for d in (365, 1095) for r in rows("P", {(0, 0): 0})]
    )
    for days, marker_at in ((200.0, 200 / 365.25), (4000.0, 1095 / 365.25)):
        figure = survival_figure(own, pd.Series({"os_days": days, "os_event": 1}), "os")
        (mark,) = figure.axes[0].collections
        assert mark.get_offsets()[0, 0] == pytest.approx(marker_at)
    assert survival_figure(own, pd.Series(dtype=float), "pfi") is None and classes_figure(own, ["pam50"]) is None
    plt.close("all")
