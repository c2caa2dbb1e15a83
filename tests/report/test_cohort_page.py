"""Who has what, why something is missing, and clocks that run in two units."""

import json

import h5py
import numpy as np
import pandas as pd

from confuselt.report.cohort_page import (
    how_joined,
    intersection_figure,
    intersections,
    left,
    odd_outcomes,
    one_clock,
    plain_reason,
    reason_counts,
    sites_figure,
    unseen_levels,
)

PATIENTS = pd.DataFrame(
    {
        "patient_id": list("abcdef"),
        "status": ["ok"] * 5 + ["excluded"],
        "slides": [1, 2, 0, 1, 0, 0],
        "rna": [1, 1, 1, 0, 1, 0],
        "site": ["S1", "S1", "S2", "S2", None, "S3"],
        "has_os": [True, True, True, False, True, True],
        "has_pam50": [True, True, False, False, False, True],
    }
)


def test_intersections_are_counted_once_each():
    figure = intersection_figure(PATIENTS, ["pam50", "os"])
    bars, dots = figure.axes
    assert [int(t.get_text()) for t in bars.texts] == [2, 2, 1]
    assert [t.get_text() for t in dots.get_yticklabels()] == ["slides (3)", "RNA (4)", "pam50 (2)", "os (4)"]
    data = intersections(PATIENTS, ["pam50", "os"])
    assert data.columns.tolist() == ["slides", "RNA", "pam50", "os", "patients"]
    assert data["patients"].tolist() == [2, 2, 1]
    assert intersection_figure(PATIENTS[PATIENTS["status"] == "excluded"], ["os"]) is None


def test_what_stages_left_is_counted_not_what_acquire_saw():
    samples = pd.DataFrame({"patient_id": list("abcf"), "status": ["ok", "excluded", "ok", "excluded"]})
    table = left(PATIENTS, ["b", "b", "d"], samples)
    assert table["slides"].tolist() == [0, 2, 0, 1, 0, 0] and table["rna"].tolist() == [1, 0, 1, 0, 0, 0]
    assert left(PATIENTS, [], samples.head(0))[["slides", "rna"]].to_numpy().sum() == 0


def test_sites_with_events():
    clinical = pd.DataFrame({"patient_id": list("abcdef"), "os_event": [1, 1, 0, np.nan, 1, 1]})
    (ax,) = sites_figure(PATIENTS, clinical, ["os"]).axes
    assert [t.get_text() for t in ax.get_xticklabels()] == ["S1", "S2"]
    assert [b.get_height() for b in ax.patches] == [2, 2, 2, 0]
    assert sites_figure(PATIENTS.assign(site=None), clinical, ["os"]) is None


def test_reasons_are_counted_without_what_differs():
    lost = [
        {"stage": "tile", "what": "slide", "id": i, "reason": f"data/s{i}.svs: no tissue in '{i}'"} for i in range(3)
    ]
    lost.append({"stage": "rna", "what": "sample", "id": "x", "reason": "the sample is empty"})
    rows = reason_counts(lost)
    assert [(r["stage"], r["n"]) for r in rows] == [("tile", 3), ("rna", 1)] and rows[1][
        "reason"
    ] == "the sample is empty"
    assert plain_reason("patient 'TCGA-A1' has 2 aliquots; TCGA-A1-01A is used") == plain_reason(
        "patient 'TCGA-B2' has 3 aliquots; TCGA-B2-01B is used"
    )


def test_two_units_of_one_clock_are_noticed():
    rng = np.random.default_rng(0)
    days, event = rng.uniform(100, 3000, 60), (rng.random(60) < 0.3).astype(float)
    right = pd.DataFrame(
        {
            "os_days": days,
            "os_event": event,
            "pfi_days": np.where(event, days * rng.uniform(0.3, 1, 60), days),
            "pfi_event": event,
        }
    )
    assert one_clock(right, ["os", "pfi"]) == []
    (said,) = one_clock(right.assign(pfi_days=right["pfi_days"] / 30.44), ["os", "pfi"])
    assert "os is 30.44 times pfi" in said and "tasks.survival" in said
    assert one_clock(right.assign(pfi_days=right["pfi_days"] * rng.uniform(0.5, 2, 60)), ["os", "pfi"]) == []
    assert one_clock(right.assign(pfi_days=right["pfi_days"] / 30.44).head(5), ["os", "pfi"]) == []


def test_a_level_that_no_training_patient_has_is_said():
    clinical = pd.DataFrame(
        {
            "patient_id": list("ABCD"),
            "covariate_stage": ["I", "II", "I", "IV"],
            "covariate_age": ["50", "60", "70", None],
            "covariate_sex": ["f", "m", "f", "m"],
        }
    )
    roles = {
        0: {"A": "train", "B": "train", "C": "inner", "D": "test"},
        1: {"A": "test", "B": "inner", "C": "train", "D": "train"},
    }
    folds = pd.DataFrame(
        [{"repeat": 0, "fold": f, "patient_id": p, "role": r} for f, of in roles.items() for p, r in of.items()]
    )
    (said,) = unseen_levels(clinical, folds)
    assert said.startswith("Covariate stage: 'II', 'IV' of 2 patients stands in no training patient of some fold")


def test_endpoints_upside_down_and_streams_how_joined_are_said(tmp_path):
    clinical = pd.DataFrame({"os_event": [1.0] * 19 + [0.0], "pfi_event": [1.0, 0.0] * 10})
    clinical["os_days"] = clinical["pfi_days"] = 1000.0 + clinical.index
    (said,) = odd_outcomes(clinical, [{"name": e, "horizons": [365]} for e in ("os", "pfi")])
    assert "os: 19 of 20 patients have an event; if that is upside down" in said
    with h5py.File(tmp_path / "store.h5", "w") as file:
        file.attrs.update(
            by_number=json.dumps(["a", "b"]), factors=json.dumps({"c": 0.25, "d": 0.5}), without_cells="{}"
        )
    number, unit = how_joined(tmp_path / "store.h5")
    assert (
        "Tiles and cells of 2 slides are joined by row number only" in number
        and "0.25 to 0.5 times those of the tiles in 2 slides" in unit
    )
    with h5py.File(tmp_path / "store.h5", "w") as file:
        file.attrs.update(by_number="[]", factors="{}", without_cells='{"e": 3}')
    assert how_joined(tmp_path / "store.h5") == [
        "3 tiles of 1 slides are left out, because nothing is known of their cells."
    ]
