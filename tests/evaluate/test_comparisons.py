"""Contrasts, Holm, verdicts and retrieval rows."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from confuselt.evaluate.answers import answers
from confuselt.evaluate.comparisons import compare, holm, inner_choice, verdict
from confuselt.evaluate.retrieval import Gallery, retrieval_rows, retrieval_table
from confuselt.evaluate.schema import COMPARISONS, RETRIEVAL
from confuselt.evaluate.scores import Bootstrap
from confuselt.finetune.targets import Targets
from confuselt.tables import check_table

CFG = {"evaluate.min_events": 20, "evaluate.delta_c": 0.02, "evaluate.delta_auc": 0.01, "evaluate.primary": "os"}


def test_holm_is_that_of_statsmodels():
    p = [0.04, 0.01, 0.03]
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    assert np.isnan(holm([np.nan, 0.03])[0]) and holm([np.nan, 0.03])[1] == 0.03


@pytest.mark.parametrize(
    ("low", "high", "p", "said"),
    [
        (0.01, 0.2, 0.01, "yes"),
        (0.01, 0.2, 0.2, "cannot tell"),
        (-0.01, 0.015, 0.9, "no"),
        (-0.01, 0.05, 0.9, "cannot tell"),
        (-0.3, -0.1, 0.001, "cannot tell"),
    ],
)
def test_verdicts(low, high, p, said):
    assert verdict(low, high, p, 0.02) == said


def test_single_arm_is_chosen_on_inner_data():
    inner = {"wsi-scratch-cells": {"os": 3.0}, "rna-scratch": {"os": 2.0}}
    assert inner_choice(("wsi-scratch-cells", "rna-scratch"), "os", inner) == "rna-scratch"
    assert inner_choice(("wsi-scratch-cells", "rna-scratch"), "os", {"wsi-scratch-cells": {}}) == "wsi-scratch-cells"
    assert inner_choice(("a",), "os", {}) is None


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    n = 300
    ids = [f"P{i}" for i in range(n)]
    truth = rng.normal(size=n)
    days, event = rng.exponential(100 / np.exp(truth)), (rng.random(n) < 0.7).astype(float)
    targets = Targets(ids, {"os": (days, event), "rare": (days, (np.arange(n) < 10).astype(float))}, {}, {}, {"os": [50], "rare": [50]})
    boot = Bootstrap(300, 1)
    for fold in range(3):
        boot.add_fold(0, fold, ids[fold::3])
    noise = {"both-scratch-cells": 0.2, "wsi-scratch-cells": 2.0, "rna-scratch": 2.5, "wsi-pretrained-cells": 2.0, "wsi-pretrained-nocells": 2.0}
    rows = [
        {
            "patient_id": p,
            "arm": arm,
            "draw": 0,
            "inputs": arm.split("-")[0],
            "missing_rate": 0.0,
            "repeat": 0,
            "fold": i % 3,
            "task": task,
            "output": "risk",
            "value": v,
        }
        for arm, sd in noise.items()
        for task in ("os", "rare")
        for i, (p, v) in enumerate(zip(ids, truth + sd * rng.normal(size=n), strict=True))
    ]
    inner = {arm: {"os": sd, "rare": sd} for arm, sd in noise.items()}
    return pd.DataFrame(rows), targets, inner, boot


def test_questions_are_answered_where_they_can_be(world):
    predictions, targets, inner, boot = world
    table = compare(predictions, targets, inner, {"rna-pretrained": "no RNA"}, boot, CFG)
    check_table(table, COMPARISONS)
    main = table[(table["family"] == "primary") & (table["task"] == "os")].set_index("question")
    assert main.loc["modality", "verdict"] == "yes" and main.loc["modality", "arm_b"] == "wsi-scratch-cells" and main.loc["modality", "difference"] > 0.1
    assert main.loc["cells", "verdict"] == "cannot tell"
    assert main["detectable"].between(0.02, 0.3).all() and (main["p_holm"] >= main["p"]).all()
    rare = table[(table["family"] == "primary") & (table["task"] == "rare")]
    assert (rare["status"] == "not available").all() and rare["reason"].str.contains("10 events, 20 needed").all() and (rare["verdict"] == "cannot tell").all()
    beside = table[table["family"] == "exploratory"]
    assert beside["p"].isna().all() and beside["verdict"].isna().all()
    lost = beside[(beside["arm_b"] == "rna-pretrained") & (beside["question"] == "single-input")]
    assert lost["reason"].str.contains("both-pretrained-cells is not among finetune.arms").all()
    said = answers(table, CFG)
    assert said[0]["verdict"] == "yes" and "os (C-index): both-scratch-cells against wsi-scratch-cells differs by +" in said[0]["lines"][0]
    assert "not compared" in said[0]["lines"][1]


def test_retrieval_rows_state_chance_and_strata():
    rng = np.random.default_rng(0)
    ids = [f"P{i}" for i in range(40)]
    boot = Bootstrap(100, 0)
    boot.add_fold(0, 0, ids[:20])
    boot.add_fold(0, 1, ids[20:])
    vectors = rng.normal(size=(40, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    galleries = [Gallery("tile", 0, 0, f, ids[20 * f : 20 * f + 20], vectors[20 * f : 20 * f + 20], vectors[20 * f : 20 * f + 20]) for f in (0, 1)]
    site = {p: f"S{i % 4}" for i, p in enumerate(ids)}
    table = retrieval_table(retrieval_rows(galleries, site, {}, [1, 10], boot), {("tile-cells", 0): "no cells"})
    check_table(table, RETRIEVAL)
    whole = table[(table["fold"] == -1) & (table["status"] == "ok")]
    every = whole[(whole["stratum"] == "all") & (whole["k"] == 1)]
    assert (every["recall"] == 1).all() and (every["percentile_rank"] == 1).all() and np.allclose(every["chance"], 1 / 20)
    within = whole[(whole["stratum"] == "within-site") & (whole["k"] == 1)]
    assert np.allclose(within["chance"], 1 / 5)
    lost = table[table["status"] != "ok"]
    assert "no cells" in set(lost["reason"]) and "no two test pairs share a class" in set(lost["reason"])
