"""Scores made of other scores: late fusion, and clinical plus an arm."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import script
from lifelines import CoxPHFitter
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from confuselt.acquire.schema import CLINICAL
from confuselt.finetune import clinical_plus
from confuselt.finetune.baselines import fit_clinical
from confuselt.finetune.clinical_plus import fit_added
from confuselt.finetune.inner_predictions import inner_predictions
from confuselt.finetune.late_fusion import fuse
from confuselt.finetune.schema import PREDICTIONS
from confuselt.finetune.targets import curve_days, read_targets
from confuselt.model.checkpoint import hashed_ids, load_checkpoint, save_checkpoint
from confuselt.tables import read_table, write_table

CLASSES = ["a", "b", "c"]
CFG = {"tasks.survival": [{"name": "os", "horizons": [100, 300]}, {"name": "dss", "horizons": [300]}], "tasks.labels": [{"name": "kind", "classes": CLASSES}]}
INNER, TEST = [f"I{i:02d}" for i in range(60)], [f"T{i:02d}" for i in range(25)]


def outputs(patients, risk, shares, inputs):
    """Predictions as `finetune` writes them, of a fold."""
    rows = [pd.DataFrame({"patient_id": patients, "task": "os", "output": "risk", "value": risk})]
    rows += [pd.DataFrame({"patient_id": patients, "task": "os", "output": "surv_100", "value": 0.5})]
    rows += [pd.DataFrame({"patient_id": patients, "task": "kind", "output": f"p_{c}", "value": shares[:, k]}) for k, c in enumerate(CLASSES)]
    return pd.concat(rows, ignore_index=True).assign(inputs=inputs)


@pytest.fixture
def world():
    """Two scores that each know half of the hazard; inner and test patients of one fold."""
    rng = np.random.default_rng(0)
    patients = INNER + TEST
    x = rng.normal(size=(85, 2))
    days = rng.exponential(200 / np.exp(x.sum(1)))
    clinical = pd.DataFrame(
        {
            "patient_id": patients,
            "status": "ok",
            "reason": None,
            "site": "S",
            "os_days": days,
            "os_event": (rng.random(85) < 0.7).astype(float),
            "dss_days": days,
            "dss_event": 0.0,
            "label_kind": np.array(CLASSES)[rng.integers(0, 3, 85)],
            "covariate_age": x[:, 0].astype(str),
        }
    )
    clinical.loc[3, ["os_days", "label_kind"]] = [np.nan, None]
    shares = [softmax(rng.normal(size=(85, 3)), axis=1) for _ in range(2)]
    sources = []
    for k, inputs in enumerate(("clinical", "both")):
        # The arm cannot score the last five inner patients and the first test patient.
        inner, test = (INNER, TEST) if k == 0 else (INNER[:-5], TEST[1:])
        at, there = [patients.index(p) for p in inner], [patients.index(p) for p in test]
        facts = {
            "not_learnable": {"dss": "no events among 200 patients"},
            "inner_predictions": inner_predictions(inner, {"os": 3 + 2 * x[at, k : k + 1], "kind": shares[k][at]}),
        }
        sources.append((facts, outputs(test, 3 + 2 * x[there, k], shares[k][there], inputs)))
    return clinical, sources, x, shares


def told(table, task, output):
    return table[(table["task"] == task) & (table["output"] == output)].set_index("patient_id")["value"]


def check_survival(table, clinical, x):
    """As lifelines has it, fitted on the 54 inner patients that both models score and whose outcome is known."""
    inner = [i for i in range(55) if i != 3]
    centre, scale = x[inner].mean(0), x[inner].std(0)
    frame = pd.DataFrame((x - centre) / scale, columns=["clinical", "arm"])
    facts = clinical[["os_days", "os_event"]].rename(columns=lambda c: c[3:])
    model = CoxPHFitter(penalizer=clinical_plus.RIDGE).fit(frame.join(facts).loc[inner], "days", "event")
    test = frame.iloc[61:]
    risk = told(table, "os", "risk")
    assert list(risk.index) == TEST[1:]
    np.testing.assert_allclose(risk, model.predict_log_partial_hazard(test), rtol=1e-5)
    for day in curve_days([100, 300]):
        np.testing.assert_allclose(told(table, "os", f"surv_{day}"), model.predict_survival_function(test, times=[day]).iloc[0], rtol=1e-5)
    return model.params_.tolist()


def test_clinical_plus_is_a_cox_model_of_two_scores_on_inner_patients(world):
    clinical, sources, x, _ = world
    facts, table = fit_added(sources, read_targets(clinical, CFG))
    assert check_survival(table, clinical, x) == pytest.approx(facts["coefficients"]["os"], rel=1e-5) and min(facts["coefficients"]["os"]) > 0.2
    assert facts["not_learnable"] == {"dss": "no events among 200 patients"} and set(table["task"]) == {"os", "kind"}


def test_clinical_plus_is_a_multinomial_model_of_log_probabilities(world):
    clinical, sources, _, shares = world
    _, table = fit_added(sources, read_targets(clinical, CFG))
    inner = [i for i in range(55) if i != 3]
    logs = np.log(np.column_stack(shares))
    model = LogisticRegression(C=clinical_plus.INVERSE, max_iter=5000).fit(logs[inner], clinical["label_kind"].iloc[inner])
    theirs = model.predict_proba(logs[61:])
    for k, name in enumerate(CLASSES):
        np.testing.assert_allclose(told(table, "kind", f"p_{name}"), theirs[:, k], atol=1e-4)


def test_outcomes_of_test_patients_are_never_read(world):
    clinical, sources, x, _ = world
    noise = clinical.copy()
    noise.loc[noise["patient_id"].isin(TEST), ["os_days", "os_event", "label_kind"]] = [1.0, 1.0, "a"]
    first, second = (fit_added(sources, read_targets(c, CFG)) for c in (clinical, noise))
    pd.testing.assert_frame_equal(first[1], second[1])
    # The mutant: fitted on the patients that it is tested on.
    leak = [
        ({**facts, "inner_predictions": inner_predictions(TEST[1:], {"os": told(table, "os", "risk").loc[TEST[1:]].to_numpy()[:, None]})}, table)
        for facts, table in sources
    ]
    one, two = (fit_added(leak, read_targets(c, CFG))[1] for c in (clinical, noise))
    assert not told(one, "os", "risk").equals(told(two, "os", "risk"))
    with pytest.raises(AssertionError):
        check_survival(one, clinical, x)


def test_inner_patients_that_teach_nothing_are_a_reason(world):
    clinical, sources, *_ = world
    facts, table = fit_added(sources, read_targets(clinical.assign(os_event=0.0, label_kind="a"), CFG))
    assert table.empty and facts["not_learnable"]["os"] == "no events among 54 inner patients"
    assert facts["not_learnable"]["kind"] == "fewer than two classes among 55 inner patients"
    apart = [
        ({**f, "inner_predictions": {**f["inner_predictions"], "patients": [f"{k}{h}" for h in f["inner_predictions"]["patients"]]}}, t)
        for k, (f, t) in enumerate(sources)
    ]
    assert fit_added(apart, read_targets(clinical, CFG))[0]["not_learnable"]["os"] == "no events among 0 inner patients"
    silent = [(f, t[t["task"] == "kind"]) for f, t in sources]
    assert fit_added(silent, read_targets(clinical, CFG))[0]["not_learnable"]["os"] == "one of the two models does not predict it"
    one = clinical.assign(
        os_event=(clinical["patient_id"] == "I00").astype(float), os_days=clinical["os_days"].where(clinical["patient_id"].isin(["I00", *TEST]))
    )
    assert fit_added(sources, read_targets(one, CFG))[0]["not_learnable"]["os"] == "the outcome of one inner patient only is known"
    two = one.assign(os_days=clinical["os_days"].where(clinical["patient_id"].isin(["I00", "I01", *TEST])))
    assert np.isfinite(told(fit_added(sources, read_targets(two, CFG))[1], "os", "risk")).all()


def test_the_clinical_baseline_keeps_what_it_says_of_inner_patients(world):
    clinical, *_ = world
    roles = {"train": INNER[:40], "inner": INNER[40:], "test": INNER[40:]}  # tested on the inner patients: both must agree
    targets = read_targets(clinical, CFG)
    facts, table = fit_clinical(clinical, targets.only({"os", "kind"}), roles)
    inner = facts["inner_predictions"]
    assert inner["patients"] == [hashed_ids([p])[0] for p in roles["inner"]]
    np.testing.assert_allclose(inner["values"]["os"][:, 0], told(table, "os", "risk").loc[roles["inner"]])
    np.testing.assert_allclose(inner["values"]["kind"], np.column_stack([told(table, "kind", f"p_{c}").loc[roles["inner"]] for c in CLASSES]))


def test_late_fusion_is_the_mean_of_what_both_say(world):
    _, sources, x, shares = world
    singles = {m: (t.assign(inputs=m), {"spread": {m: {"os": [3.0, sd]}}}) for m, sd, (_, t) in zip(("wsi", "rna"), (2.0, 0.5), sources, strict=True)}
    table = fuse(singles)
    assert set(table["inputs"]) == {"both"} and set(table["output"]) == {"risk", "p_a", "p_b", "p_c"}
    np.testing.assert_allclose(told(table, "os", "risk").loc[TEST[1:]], (x[61:, 0] + 4 * x[61:, 1]) / 2)
    np.testing.assert_allclose(told(table, "kind", "p_b").loc[TEST[1:]], (shares[0][61:, 1] + shares[1][61:, 1]) / 2)
    assert set(table["patient_id"]) == set(TEST[1:]), "patients that both can score"
    flat = {m: (t, {"spread": {m: {"os": [3.0, 0.0]}}}) for m, (t, _) in singles.items()}
    assert np.isfinite(fuse(flat)["value"]).all()


def written(folder, arm, inputs, facts, table, status="ok", reason=""):
    rows = table.assign(arm=arm, draw=0, missing=None, missing_rate=0.0, repeat=0, fold=0, inputs=inputs)
    write_table(rows[list(PREDICTIONS.columns)] if status == "ok" else rows.iloc[:0][list(PREDICTIONS.columns)], folder / f"{arm}.parquet", PREDICTIONS)
    save_checkpoint({"arm": arm, "status": status, "reason": reason, "folds": [facts] if status == "ok" else []}, folder / f"{arm}.pt")


def test_scripts_write_predictions_or_the_reason(world, tmp_path):
    clinical, sources, *_ = world
    write_table(clinical, tmp_path / "clinical_table.parquet", CLINICAL)
    for arm, inputs, (facts, table) in zip(("wsi-scratch-cells", "rna-scratch"), ("wsi", "rna"), sources, strict=True):
        written(tmp_path, arm, inputs, {**facts, "spread": {inputs: {"os": [0.0, 1.0]}}}, table)
    for arm, (facts, table) in zip(("clinical", "both-scratch-cells"), sources, strict=True):
        written(tmp_path, arm, {"clinical": "clinical"}.get(arm, "both"), facts, table)
    written(tmp_path, "both-pretrained-cells", "both", {}, sources[1][1], "not available", "no RNA")
    out = {"predictions": tmp_path / "out.parquet", "models": tmp_path / "out.pt", "repeat": 0, "cfg": CFG}

    def files(prefix, arms):
        return {f"{prefix}_predictions": [tmp_path / f"{a}.parquet" for a in arms], f"{prefix}_models": [tmp_path / f"{a}.pt" for a in arms]}

    def result():
        content, table = load_checkpoint(out["models"]), read_table(out["predictions"], PREDICTIONS)
        return content, table

    script("finetune/fit_late_fusion").main(**files("arm", ["wsi-scratch-cells", "rna-scratch"]), **out)
    content, table = result()
    assert content["status"] == "ok" and content["folds"] == [{"not_learnable": {"dss": "rna: no events among 200 patients"}}]
    assert set(table["arm"]) == {"late-fusion"} and set(table["fold"]) == {0} and len(table) == 24 * 4
    script("finetune/fit_late_fusion").main(**files("arm", ["rna-scratch"]), **out)
    assert result()[0]["reason"] == "wsi-scratch-cells is not among finetune.arms" and result()[1].empty
    plus = script("finetune/fit_clinical_plus").main
    facts = {"clinical": tmp_path / "clinical_table.parquet", **out}
    plus(**files("score", ["clinical", "both-scratch-cells"]), arm="both-scratch-cells", **facts)
    content, table = result()
    assert content["arm"] == "clinical+both-scratch-cells" == table["arm"].iloc[0] and set(table["inputs"]) == {"both"} and len(table) == 24 * (1 + 6 + 3)
    assert isinstance(content["folds"][0]["coefficients"]["os"][0], float) and not any(isinstance(v, torch.Tensor) for v in content["folds"][0].values())
    plus(**files("score", ["clinical"]), arm="both-scratch-cells", **facts)
    assert result()[0]["reason"] == "both-scratch-cells is not among finetune.arms"
    plus(**files("score", ["clinical", "both-pretrained-cells"]), arm="both-pretrained-cells", **facts)
    assert result()[0]["reason"] == "both-pretrained-cells: no RNA" and result()[1].empty
