"""What a site may explain: on cohorts where everything, or nothing, is the site."""

import numpy as np
import pandas as pd
import pytest

from confuselt.evaluate.resample import Resampling
from confuselt.evaluate.retrieval import Gallery
from confuselt.evaluate.scores import Scorer
from confuselt.evaluate.sites import event_rates, missing_outcomes, site_curves, site_probe
from confuselt.finetune.schema import CURVES
from confuselt.finetune.targets import Targets
from confuselt.tables import check_table


def world(risk_of, n=240, sites=12, seed=0):
    """Hazards differ between sites; `risk_of` (site hazard, patient hazard) is what the arm predicts."""
    rng = np.random.default_rng(seed)
    ids, at = [f"P{i:03d}" for i in range(n)], np.arange(n) % sites
    by_site, own = rng.normal(size=sites)[at], rng.normal(size=n)
    days, follow = rng.exponential(500 / np.exp(by_site + own)), rng.uniform(300, 2000, n)
    event = (days <= follow).astype(float)
    targets = Targets(ids, {"os": (np.minimum(days, follow), event)}, {}, {}, {"os": [400]})
    fold = at % 3
    rows = pd.DataFrame(
        {
            "patient_id": ids,
            "arm": "wsi-scratch-cells",
            "draw": 0,
            "inputs": "wsi",
            "repeat": 0,
            "fold": fold,
            "task": "os",
            "output": "risk",
        }
    )
    rows["value"] = risk_of(by_site, own)
    site = {p: f"S{s:02d}" for p, s in zip(ids, at, strict=True)}
    resampling = Resampling([[p for p, f in zip(ids, fold, strict=True) if f == k] for k in range(3)], site, 100, 1)
    return Scorer(rows, targets, resampling), site


def curves_of(scorer, site):
    table = pd.DataFrame(site_curves(scorer, site, ["wsi-scratch-cells"])).reindex(columns=list(CURVES.columns))
    check_table(table, CURVES)
    return table.set_index("curve")["value"]


def test_an_arm_that_knows_the_site_alone_is_at_chance_within_sites():
    scorer, site = world(lambda by_site, own: by_site)
    found = curves_of(scorer, site)
    assert found["within-site"] == 0.5 and scorer.block("wsi-scratch-cells", 0, "wsi", "os").value > 0.6
    assert found["site-event-rate"] > 0.6


def test_an_arm_that_knows_the_patient_stays_within_sites():
    scorer, site = world(lambda by_site, own: own)
    assert curves_of(scorer, site)["within-site"] > 0.65


def test_without_the_largest_site():
    scorer, site = world(lambda by_site, own: own)
    site = {p: "big" if s in ("S00", "S01") else s for p, s in site.items()}
    rest = frozenset(p for p, s in site.items() if s != "big")
    assert (
        curves_of(scorer, site)["without-largest-site"]
        == scorer.block("wsi-scratch-cells", 0, "wsi", "os", only=dict.fromkeys([(0, 0), (0, 1), (0, 2)], rest)).value
    )


def test_event_rates_by_hand():
    ids = ["a", "b", "c", "d"]
    targets = Targets(ids, {"os": (np.array([1.0, 2, 3, np.nan]), np.array([1.0, 0, 1, np.nan]))}, {}, {}, {"os": [1]})
    assert event_rates(targets, {"a": "x", "b": "x", "c": "y", "d": "y"}, "os") == {
        "a": 0.5,
        "b": 0.5,
        "c": 1.0,
        "d": 1.0,
    }


def test_no_site_no_rows():
    scorer, _ = world(lambda by_site, own: own)
    assert site_curves(scorer, {}, ["wsi-scratch-cells"]) == []


@pytest.mark.parametrize(("shift", "seen"), [(3.0, True), (0.0, False)])
def test_the_probe_finds_a_planted_site_and_none_otherwise(shift, seen):
    rng = np.random.default_rng(0)
    ids, at = [f"P{i}" for i in range(120)], np.arange(120) % 4
    wsi = rng.normal(size=(120, 10)) + shift * np.eye(10)[at]
    rows = site_probe(
        [Gallery("tile", 0, 0, 0, ids, wsi, rng.normal(size=(120, 10)))],
        {p: f"S{s}" for p, s in zip(ids, at, strict=True)},
    )
    by = {r["inputs"]: r for r in rows}
    assert by["wsi"]["x"] == 0.25 and (by["wsi"]["value"] > 0.8) is seen and by["rna"]["value"] < 0.45


def test_missing_outcomes_by_hand():
    clinical = pd.DataFrame(
        {
            "site": ["x", "x", "y", "y"],
            "os_days": [1, 2, 3, 4.0],
            "os_event": [1, 0, 1, 0.0],
            "pfi_days": [np.nan, np.nan, 3, 4],
            "pfi_event": [np.nan, np.nan, 1, 0],
        }
    )
    rows = {r["task"]: r for r in missing_outcomes(clinical, ["os", "pfi"])}
    assert rows["os"]["missing"] == 0 and rows["pfi"] == {
        "task": "pfi",
        "missing": 2,
        "patients": 4,
        "with_event": "1 of 2",
        "without_event": "1 of 2",
        "sites": "x (2)",
    }
