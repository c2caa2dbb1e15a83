"""Contrasts, Holm, verdicts and retrieval rows."""

import numpy as np
import pandas as pd
import pytest
import torch
from statsmodels.stats.multitest import multipletests

from confuselt.config.learning import Plan
from confuselt.controls.names import WITHOUT
from confuselt.evaluate.comparisons import beside, compare, compare_retrieval, comparisons_table
from confuselt.evaluate.inner import inner_choice, inner_losses
from confuselt.evaluate.resample import Resampling
from confuselt.evaluate.retrieval import Gallery, find, retrieval_rows, retrieval_table
from confuselt.evaluate.schema import COMPARISONS, RETRIEVAL
from confuselt.evaluate.scores import Scorer
from confuselt.evaluate.verdicts import events_needed, holm, non_inferior, verdict
from confuselt.finetune.targets import Targets
from confuselt.learn.checkpoint import hashed_ids
from confuselt.report.answers import answers, cannot_answer, without_pam50
from confuselt.survival.cox import cox_loss
from confuselt.tables import check_table

CFG = {"evaluate.min_events": 20, "evaluate.plan": Plan().model_dump(), "evaluate.primary": "os"}


def test_holm_is_that_of_statsmodels():
    p = [0.04, 0.01, 0.03]
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    assert np.isnan(holm([np.nan, 0.03])[0]) and holm([np.nan, 0.03])[1] == 0.06, (
        "a planned contrast counts, made or not"
    )


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


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.01, 0.1, "yes"), (-0.1, -0.03, "no"), (-0.1, 0.1, "cannot tell"), (-0.02, 0.1, "cannot tell")],
)
def test_non_inferiority(low, high, said):
    assert non_inferior(low, high, 0.02) == said


def test_events_needed_grow_with_the_square():
    assert events_needed(100, 0.06, 0.03) == pytest.approx(400)


def inner_of(patients, **values):
    return {
        (0, 0): {
            "patients": [hashed_ids([p])[0] for p in patients],
            "values": {t: torch.tensor(v, dtype=torch.float64)[:, None] for t, v in values.items()},
        }
    }


def test_single_arm_is_chosen_on_the_inner_patients_that_both_can_score():
    rng = np.random.default_rng(0)
    ids, days = [f"P{i}" for i in range(30)], np.arange(30) + 1.0
    targets = Targets(ids, {"os": (days, np.ones(30))}, {}, {}, {"os": [10]})
    good, bad = -days / 10, rng.normal(size=30)
    # The better arm serves all 30 patients, the worse only 12: its risk sets are smaller, and so is its loss.
    inner = {"rna-scratch": inner_of(ids, os=good), "wsi-scratch-cells": inner_of(ids[:12], os=bad[:12])}
    alone = [
        cox_loss(*(torch.from_numpy(v) for v in (r, days[: len(r)], np.ones(len(r))))).item() for r in (good, bad[:12])
    ]
    assert alone[1] < alone[0], "over their own patients the worse arm looks better"
    losses = inner_losses(("wsi-scratch-cells", "rna-scratch"), "os", inner, targets)
    assert losses["rna-scratch"] == pytest.approx(
        cox_loss(*(torch.from_numpy(v[:12]) for v in (good, days, np.ones(30)))).item()
    )
    assert inner_choice(("wsi-scratch-cells", "rna-scratch"), "os", inner, targets) == ("rna-scratch", None)
    assert inner_choice(("wsi-scratch-cells", "rna-scratch"), "os", {"wsi-scratch-cells": inner_of(ids)}, targets) == (
        "wsi-scratch-cells",
        "inner data do not say which of wsi-scratch-cells and rna-scratch is better, the first is taken",
    )
    assert inner_choice(("a",), "os", {}, targets) == (None, None)


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    n = 300
    ids = [f"P{i}" for i in range(n)]
    truth = rng.normal(size=n)
    days, event = rng.exponential(100 / np.exp(truth)), (rng.random(n) < 0.7).astype(float)
    targets = Targets(
        ids,
        {"os": (days, event), "rare": (days, (np.arange(n) < 10).astype(float))},
        {},
        {},
        {"os": [50], "rare": [50]},
    )
    boot = Resampling([ids[fold::5] for fold in range(5)], {p: f"S{i % 20}" for i, p in enumerate(ids)}, 300, 1)
    noise = {
        "both-scratch-cells": 0.2,
        "wsi-scratch-cells": 2.0,
        "rna-scratch": 2.5,
        "wsi-pretrained-cells": 2.0,
        "wsi-pretrained-nocells": 2.0,
    }
    rows = [
        {
            "patient_id": p,
            "arm": arm,
            "draw": 0,
            "inputs": arm.split("-")[0],
            "missing_rate": 0.0,
            "repeat": repeat,
            "fold": (i // 5**repeat) % 5,
            "task": task,
            "output": "risk",
            "value": v,
        }
        for arm, sd in noise.items()
        for task in ("os", "rare")
        for repeat in (0, 1)
        for i, (p, v) in enumerate(zip(ids, truth + sd * rng.normal(size=n), strict=True))
    ]
    inner = {arm: inner_of(ids, os=truth / sd) for arm, sd in noise.items()}
    return pd.DataFrame(rows), targets, inner, boot


def table_of(predictions, targets, inner, reasons, boot):
    rows = compare(Scorer(predictions, targets, boot), inner, reasons, sorted(set(predictions["arm"])), True, CFG)
    return comparisons_table(rows)


def test_without_cells_baselines_and_controls_are_compared_with_arms_without_cells():
    made = ["late-fusion", "mispaired", "shuffled-cells", "without-pam50"]
    extra = [
        {(c.question, c.arm, c.against) for c in beside(made[:2] + made[3:], cells)}
        - {(c.question, c.arm, c.against) for c in beside([], cells)}
        for cells in (True, False)
    ]
    assert extra[1] == {
        (q, a.replace("-cells", "-nocells"), tuple(b.replace("-cells", "-nocells") for b in against))
        for q, a, against in extra[0]
    }
    assert ("modality", "late-fusion", ("wsi-scratch-nocells", "rna-scratch")) in extra[1] and len(extra[1]) == 5
    assert {c.arm for c in beside(made, False) if c.family == "non-inferiority"} == {"both-pretrained-nocells"}


def test_questions_are_answered_where_they_can_be(world):
    predictions, targets, inner, boot = world
    table = table_of(predictions, targets, inner, {"rna-pretrained": "no RNA"}, boot)
    check_table(table, COMPARISONS)
    main = table[(table["family"] == "primary") & (table["task"] == "os")].set_index("question")
    assert (
        main.loc["modality", "verdict"] == "yes"
        and main.loc["modality", "arm_b"] == "wsi-scratch-cells"
        and main.loc["modality", "difference"] > 0.05
    )
    assert main.loc["cells", "verdict"] == "cannot tell"
    assert main["detectable"].between(0.02, 0.3).all() and (main["p_holm"] >= main["p"]).all()
    rare = table[(table["family"] == "primary") & (table["task"] == "rare")]
    assert (
        (rare["status"] == "not available").all()
        and rare["reason"].str.contains("10 events, 20 needed").all()
        and (rare["verdict"] == "cannot tell").all()
    )
    beside = table[table["family"] == "exploratory"]
    assert beside["p"].isna().all() and beside["verdict"].isna().all()
    lost = beside[(beside["arm_b"] == "rna-pretrained") & (beside["question"] == "single-input")]
    assert lost.empty
    margin = table[(table["family"] == "non-inferiority") & (table["arm_b"] == "rna-pretrained")]
    assert (
        margin["reason"]
        .str.contains("both-pretrained-cells is not among the arms of this run; rna-pretrained: no RNA")
        .all()
    )
    said = answers(table, CFG)
    assert (
        said[0]["verdict"] == "yes"
        and "os (C-index): both-scratch-cells against wsi-scratch-cells differs by +" in said[0]["lines"][0]
    )
    assert len(said[0]["lines"]) == 1, "of the endpoint with too few events one sentence tells, for all questions"
    for detectable, words in (
        (0.125, "a difference under 0.125 would be missed here"),
        (1.444, "no difference, however large, could be seen here"),
    ):
        blind = answers(table.assign(verdict="cannot tell", detectable=detectable), CFG)
        assert blind[0]["verdict"] == "cannot tell" and words in blind[0]["lines"][0]


def test_the_run_without_pam50_is_compared_both_ways(world):
    predictions, targets, inner, boot = world
    arm = predictions[predictions["arm"] == "wsi-pretrained-cells"]
    joined = pd.concat([predictions, arm.assign(arm=WITHOUT, draw=1)], ignore_index=True)
    table = table_of(joined, targets, inner, {}, boot)
    # What is said of a survival task is not said of PAM50; its sentences are made of the same rows.
    assert len(without_pam50(table, [{"named": 7, "followers": 0, "left": 1}])) == 1
    lines = without_pam50(
        table.assign(task=table["task"].replace("os", "pam50")),
        [{"named": 7, "followers": 100, "left": 893}, {"named": 7, "followers": 120, "left": 873}],
    )
    assert lines[0].startswith("Left out: 7 genes of PAM50 and 110 that follow one of them") and "883 stay" in lines[0]
    assert lines[1].startswith(f"{WITHOUT} against wsi-scratch-cells: ") and lines[2].startswith(
        f"wsi-pretrained-cells against {WITHOUT}: +0.000"
    )
    assert set(table.loc[table["arm_a"] == WITHOUT, "family"]) == {"exploratory"}
    assert without_pam50(table, []) == []


def test_what_the_data_cannot_answer_is_said():
    folds = pd.DataFrame(
        {"patient_id": list("abcd"), "repeat": 0, "fold": [0, 0, 1, 1], "role": "test", "site": ["S", "T", "S", "U"]}
    )
    outcomes = pd.DataFrame({"patient_id": list("abcde"), "os_event": [1.0, 0, 1, np.nan, 1]})
    bags = {
        "tile": {"largest": 9, "trained_on": ["TCGA"], "name": "uni"},
        "cells": {"largest": 9, "trained_on": [], "name": ""},
    }
    labels = [
        {"name": "pam50", "from_rna": True},
        {"name": "expression", "from_rna": True},
        {"name": "grade", "from_rna": False},
    ]
    cfg = {"rna.scaled_outside": False, "rna.matrix": "counts", "acquire.source": "local", "evaluate.min_events": 50}
    text = "\n".join(
        cannot_answer(
            {"outcomes": outcomes, "folds": folds},
            bags,
            cfg | {"tasks.survival": [{"name": "os"}], "tasks.labels": labels},
        )
    )
    assert "os has 2 events, fewer than 50" in text, "e is in no fold"
    assert (
        "the tile stream ('uni')" in text.lower()
        and "the cells stream" not in text.lower()
        and "sites tested in more than one fold: 1" in text
    )
    assert "No control leaves out the genes" not in next(line for line in text.splitlines() if line.startswith("pam50"))
    assert (
        "No control leaves out the genes" in next(line for line in text.splitlines() if line.startswith("expression"))
        and "grade" not in text
    )


def test_what_is_detectable_follows_the_plan(world):
    """Of one contrast alone more is seen, at a stricter level less; events follow with the square."""
    predictions, targets, inner, boot = world
    scorer, plans = Scorer(predictions, targets, boot), {}
    plan = CFG["evaluate.plan"]
    modality = {"modality": plan["contrasts"]["modality"]}
    for name, other in (("default", {}), ("one", {"contrasts": modality}), ("strict", {"alpha": 0.001})):
        cfg = {**CFG, "evaluate.plan": {**plan, **other}}
        table = comparisons_table(compare(scorer, inner, {}, sorted(set(predictions["arm"])), True, cfg))
        plans[name] = table.query("family == 'primary' and task == 'os' and question == 'modality'").iloc[0]
    found = {name: row["detectable"] for name, row in plans.items()}
    assert found["one"] < found["default"] < found["strict"]
    needed = plans["one"]["events_needed"] / plans["default"]["events_needed"]
    assert needed == pytest.approx((found["one"] / found["default"]) ** 2)


def test_a_fold_that_one_side_lacks_is_left_out_on_both(world):
    predictions, targets, inner, boot = world
    short = predictions[
        ~((predictions["arm"] == "wsi-scratch-cells") & (predictions["fold"] == 2) & (predictions["repeat"] == 0))
    ]
    row = (
        table_of(short, targets, inner, {}, boot)
        .query("family == 'primary' and task == 'os' and question == 'modality'")
        .iloc[0]
    )
    assert row["status"] == "ok" and row["n"] == 240 and row["reason"] == "over the 9 of 10 folds that both sides have"
    none = predictions[predictions["arm"] != "wsi-scratch-cells"]
    row = (
        table_of(none, targets, inner, {}, boot)
        .query("family == 'primary' and task == 'os' and question == 'modality'")
        .iloc[0]
    )
    assert row["status"] == "not available" and row["reason"] == "wsi-scratch-cells is not among the arms of this run"
    # The better of two is not the better of the one that is there.
    alone = table_of(predictions[predictions["arm"] != "rna-scratch"], targets, inner, {}, boot).query(
        "family == 'primary' and question == 'modality'"
    )
    assert (alone["reason"] == "rna-scratch is not among the arms of this run").all() and (
        alone["verdict"] == "cannot tell"
    ).all()


def test_patients_are_paired_fold_by_fold(world):
    """Equal scores, but one side lacks a hundred patients in one repeat: no difference at all."""
    predictions, targets, inner, boot = world
    same = predictions[predictions["arm"] == "wsi-pretrained-cells"]
    other = same.assign(arm="wsi-pretrained-nocells")
    other = other[~((other["repeat"] == 1) & other["patient_id"].isin(targets.patients[:100]))]
    row = (
        table_of(pd.concat([same, other]), targets, inner, {}, boot)
        .query("family == 'primary' and task == 'os' and question == 'cells'")
        .iloc[0]
    )
    assert row["difference"] == row["low"] == row["high"] == 0 and row["n"] == 300


def test_draws_of_a_control_are_averaged_and_a_failed_one_is_a_row(world):
    predictions, targets, inner, boot = world
    arm = predictions[predictions["arm"] == "both-scratch-cells"].assign(arm="both-pretrained-cells")
    rng = np.random.default_rng(1)
    draws = [arm.assign(arm="mispaired", draw=d, value=arm["value"] + rng.normal(size=len(arm))) for d in (1, 2)]
    gaps = []
    for controls in (draws[:1], [draws[1].assign(draw=1)], draws):
        table = table_of(pd.concat([predictions, arm, *controls]), targets, inner, {}, boot)
        gaps.append(table.query("arm_b == 'mispaired' and task == 'os'")["difference"].item())
    assert gaps[2] == pytest.approx((gaps[0] + gaps[1]) / 2) and gaps[0] != gaps[1]
    alone = Scorer(pd.concat([predictions, arm]), targets, boot)
    rows = comparisons_table(compare(alone, inner, {"mispaired": "no pairs"}, ["mispaired"], True, CFG))
    assert (rows.query("arm_b == 'mispaired'")["reason"] == "mispaired: no pairs").all() and "mispaired" in set(
        rows["arm_b"]
    )


def test_retrieval_rows_state_chance_and_strata():
    rng = np.random.default_rng(0)
    ids = [f"P{i}" for i in range(40)]
    boot = Resampling([ids[:20], ids[20:]], {p: f"S{i % 8}" for i, p in enumerate(ids)}, 100, 0)
    vectors = rng.normal(size=(40, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    galleries = [
        Gallery(
            "tile", 0, 0, f, ids[20 * f : 20 * f + 20], vectors[20 * f : 20 * f + 20], vectors[20 * f : 20 * f + 20]
        )
        for f in (0, 1)
    ]
    site = {p: f"S{i % 4}" for i, p in enumerate(ids)}
    table = retrieval_table(
        retrieval_rows(galleries, site, {}, [1, 10], boot),
        [{"model": "tile-cells", "draw": 0, "repeat": 0, "fold": f, "reason": "no cells"} for f in (0, 1)]
        + [{"model": "tile", "draw": 0, "repeat": 0, "fold": 2, "reason": "1 test patients"}],
    )
    check_table(table, RETRIEVAL)
    whole = table[(table["fold"] == -1) & (table["status"] == "ok")]
    every = whole[(whole["stratum"] == "all") & (whole["k"] == 1)]
    assert (
        (every["recall"] == 1).all() and (every["percentile_rank"] == 1).all() and np.allclose(every["chance"], 1 / 20)
    )
    within = whole[(whole["stratum"] == "within-site") & (whole["k"] == 1)]
    assert np.allclose(within["chance"], 1 / 5)
    lost = table[table["status"] != "ok"]
    assert lost[lost["model"] == "tile-cells"]["fold"].tolist() == [0, 1, -1] and lost[
        lost["reason"] == "1 test patients"
    ]["fold"].tolist() == [2]
    assert "no cells" in set(lost["reason"]) and "no two test pairs share a class" in set(lost["reason"])


def test_retrieval_contrast_uses_the_patients_that_both_models_have():
    rng = np.random.default_rng(1)
    ids = [f"P{i}" for i in range(150)]
    boot = Resampling(
        [ids[f * 30 : f * 30 + 30] for f in range(5)], {p: f"S{i % 20}" for i, p in enumerate(ids)}, 200, 0
    )
    wsi = rng.normal(size=(150, 8))
    near, far = wsi + 0.1 * rng.normal(size=wsi.shape), wsi + 6 * rng.normal(size=wsi.shape)

    def gallery(model, fold, other, n=30):
        at = slice(30 * fold, 30 * fold + n)
        return Gallery(model, 0, 0, fold, ids[at], wsi[at], other[at])

    found = [gallery("tile-cells", f, near, 20) for f in range(5)] + [gallery("tile", f, far) for f in range(5)]
    nothing = Scorer(pd.DataFrame(columns=["arm", "draw", "inputs", "task"]), None, boot)
    table = comparisons_table(compare_retrieval(found, [], nothing, True, CFG))
    check_table(table, COMPARISONS)
    cells = table[table["question"] == "cells"].iloc[0]
    assert cells["n"] == 100 and cells["verdict"] == "yes" and cells["difference"] > 0.2 and cells["k"] == 10
    assert table[table["question"] == "pretraining"]["reason"].str.contains("not among the models of this run").all()
    # Two draws of a control, of which one lacks a fold: the mean over the folds that both have.
    lone = [
        Gallery("mispaired", d, g.repeat, g.fold, g.patients, g.wsi, g.rna)
        for d in (1, 2)
        for g in found[5 : 10 - (d == 2)]
    ]
    table = comparisons_table(compare_retrieval([*found, *lone], [], nothing, True, CFG))
    assert table.query("arm_b == 'mispaired'")["n"].item() == 80


def test_a_collapsed_model_is_at_chance_whatever_k():
    ids = [f"P{i}" for i in range(60)]
    one = np.ones((60, 4)) / 2
    found = find(Gallery("tile", 0, 0, 0, ids, one, one), "wsi-to-rna", np.ones((60, 60), bool))
    for k in (1, 10, 50, 60):
        assert found.hit(k).mean() == pytest.approx(found.chance(k).mean())
    assert found.percentile.mean() == 0.5
