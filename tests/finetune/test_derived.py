"""Scores made of other scores: late fusion, and clinical plus an arm."""

import numpy as np
import pandas as pd
import pytest
from conftest import script
from scipy.special import softmax
from statsmodels.duration.hazard_regression import PHReg

from confuselt.acquire.schema import COVARIATES, OUTCOMES
from confuselt.finetune.baselines import fit_clinical
from confuselt.finetune.clinical_plus import fit_added, shrinkage
from confuselt.finetune.inner_predictions import inner_predictions
from confuselt.finetune.late_fusion import fuse
from confuselt.finetune.schema import PREDICTIONS
from confuselt.finetune.targets import curve_days, read_targets
from confuselt.learn.checkpoint import hashed_ids, load_checkpoint, save_checkpoint
from confuselt.split.schema import FOLDS
from confuselt.survival.concordance import ratio, survival_pairs
from confuselt.tables import read_table, write_table

CLASSES = ["a", "b", "c"]
CFG = {
    "tasks.survival": [{"name": "os", "horizons": [100, 300]}, {"name": "dss", "horizons": [300]}],
    "tasks.labels": [{"name": "kind", "classes": CLASSES}],
}
TRAIN, INNER, TEST = ([f"{c}{i:03d}" for i in range(n)] for c, n in (("A", 90), ("I", 30), ("T", 25)))


ROLES = {"train": TRAIN, "inner": INNER, "test": TEST}


def outputs(patients, risk, shares, inputs):
    """Predictions as `finetune` writes them, of a fold."""
    rows = [pd.DataFrame({"patient_id": patients, "task": "os", "output": "risk", "value": risk})]
    rows += [pd.DataFrame({"patient_id": patients, "task": "os", "output": "surv_100", "value": 0.5})]
    rows += [
        pd.DataFrame({"patient_id": patients, "task": "kind", "output": f"p_{c}", "value": shares[:, k]})
        for k, c in enumerate(CLASSES)
    ]
    return pd.concat(rows, ignore_index=True).assign(inputs=inputs)


def draw(rng, n, strength):
    """Two scores of n patients, their days and events: the second has `strength` times the effect of the first."""
    x = rng.normal(size=(n, 2))
    days = rng.exponential(200 / np.exp(x @ [1, strength]))
    return x, days, (rng.random(n) < 0.7).astype(float)


@pytest.fixture(params=[0.3, 3.0], ids=["clinical too flat", "clinical too steep"])
def world(request):
    """Two scores that each know half of the hazard.

    What the fold's models say, and those of three parts, each on a scale of its own.
    """
    rng, patients = np.random.default_rng(0), [*TRAIN, *INNER, *TEST]
    n = len(patients)
    x, days, event = draw(rng, n, 1.0)
    label = rng.integers(0, 3, n)
    clinical = pd.DataFrame(
        {"patient_id": patients, "status": "ok", "reason": None, "site": "S", "os_days": days, "os_event": event}
    )
    clinical = clinical.assign(
        dss_days=days, dss_event=0.0, label_kind=np.array(CLASSES)[label], covariate_age=x[:, 0].astype(str)
    )
    clinical.loc[3, ["os_days", "label_kind"]] = [np.nan, None]
    x[:, 0] *= request.param
    shares = [softmax(strength * np.eye(3)[label] + rng.normal(size=(n, 3)), axis=1) for strength in (0.5, 1.0)]
    at = {p: i for i, p in enumerate(patients)}

    def told(who, scale):
        """(clinical, arm): the arm cannot score the first of them."""
        pair = []
        for k, inputs in enumerate(("clinical", "both")):
            said, rows = k * 5 + scale ** (1 if k else 0.5) * x[:, k], shares[k]
            inner, tested = [at[p] for p in INNER], [at[p] for p in who[k:]]
            facts = {
                "not_learnable": {"dss": "no events among 200 patients"},
                "inner_predictions": inner_predictions(INNER, {"os": said[inner][:, None], "kind": rows[inner]}),
            }
            pair.append((facts, outputs(who[k:], said[tested], rows[tested], inputs)))
        return tuple(pair)

    return clinical, told(TEST, 1.0), [told(TRAIN[k::3], (0.1, 1.0, 10.0)[k]) for k in range(3)], x, shares


def told(table, task, output):
    return table[(table["task"] == task) & (table["output"] == output)].set_index("patient_id")["value"]


def known_rows(clinical, column):
    """Rows of the training patients whose outcome is known, and their parts.

    Both models score them: the first of a part is left out.
    """
    rows = [i for i in range(3, 90) if clinical[column].notna()[i]]
    return rows, np.array(rows) % 3


def check_survival(facts, table, clinical, x):
    """As statsmodels has it.

    Strata, Breslow's ties, the clinical score a covariate or, where it is too steep, an offset; shrunk; the curve by
    hand.
    """
    rows, part = known_rows(clinical, "os_days")
    own = x[90:120, 0].std()
    x = (x - x[90:120].mean(0)) / x[90:120].std(0)
    days, event = clinical["os_days"].to_numpy()[rows], clinical["os_event"].to_numpy()[rows]
    free = PHReg(days, x[rows], status=event, strata=part, ties="breslow").fit()
    alone = PHReg(days, x[rows, :1], status=event, strata=part, ties="breslow").fit()
    fixed = PHReg(days, x[rows, 1:], status=event, offset=own * x[rows, 0], strata=part, ties="breslow")
    if free.params[0] > own:
        weight, ratio = free.params[1], 2 * (free.llf - alone.llf)
    else:
        weight, ratio = fixed.fit().params[0], 2 * (fixed.fit().llf - fixed.loglike(np.zeros(1)))
    added = facts["added"]["os"]
    assert added["unshrunk"] == pytest.approx(weight, rel=1e-3) and added["likelihood_ratio"] == pytest.approx(
        ratio, rel=1e-3
    )
    assert added["weight"] == pytest.approx(weight * (ratio - 1) / ratio, rel=1e-3)
    assert (added["n"], added["events"], added["reason"]) == (len(rows), event.sum(), None)
    beside = PHReg(
        days, x[rows, :1], status=event, offset=added["weight"] * x[rows, 1], strata=part, ties="breslow"
    ).fit()
    assert added["slope"] == pytest.approx(max(1, beside.params[0] / own), rel=1e-3)
    x = x * [added["slope"] * own, added["weight"]]
    risk = told(table, "os", "risk")
    assert list(risk.index) == TEST[1:]
    np.testing.assert_allclose(risk, x[121:].sum(1))
    hazard = np.exp(x[rows].sum(1))
    for day in curve_days([100, 300]):
        passed = sum(1 / hazard[days >= t].sum() for t, e in zip(days, event, strict=True) if e and t <= day)
        np.testing.assert_allclose(told(table, "os", f"surv_{day}"), np.exp(-passed * np.exp(risk)))
    return added["weight"]


def test_the_arm_is_one_shrunk_term_beside_the_clinical_model(world):
    clinical, main, crossed, x, _ = world
    facts, table = fit_added(main, crossed, read_targets(clinical, CFG))
    assert check_survival(facts, table, clinical, x) > 0.4 and (facts["added"]["os"]["slope"] > 1.5) == (
        np.std(x[:, 0]) < 1
    )
    assert facts["not_learnable"] == {"dss": "no events among 200 patients"} and set(table["task"]) == {"os", "kind"}


def test_probabilities_are_a_log_linear_pool(world):
    clinical, main, crossed, _, shares = world
    facts, table = fit_added(main, crossed, read_targets(clinical, CFG))
    rows, _ = known_rows(clinical, "label_kind")
    label = [CLASSES.index(v) for v in clinical["label_kind"].iloc[rows]]

    def pooled(at, w):
        p = shares[0][at] ** (1 - w) * shares[1][at] ** w
        return p / p.sum(1, keepdims=True)

    grid = np.linspace(0, 1, 1001)
    likelihood = [np.log(pooled(rows, w)[range(len(rows)), label]).sum() for w in grid]
    best, ratio = grid[int(np.argmax(likelihood))], 2 * (max(likelihood) - likelihood[0])
    added = facts["added"]["kind"]
    assert (
        added["unshrunk"] == pytest.approx(best, abs=1e-3)
        and added["likelihood_ratio"] == pytest.approx(ratio, rel=1e-4)
        and 0.3 < added["weight"] < best
    )
    for k, name in enumerate(CLASSES):
        np.testing.assert_allclose(told(table, "kind", f"p_{name}"), pooled(range(121, 145), added["weight"])[:, k])


def test_where_the_arm_adds_nothing_the_clinical_model_stands(world):
    """Its scores, its curve and its probabilities, to the last bit."""
    clinical, main, crossed, *_ = world
    turned = {
        "risk": lambda v: -v,
        "surv_100": lambda v: v,
        **dict.fromkeys([f"p_{c}" for c in CLASSES], lambda v: (1 - v) / 2),
    }
    opposed = [
        (one, (f, t.assign(value=[turned[o](v) for o, v in zip(t["output"], t["value"], strict=True)])))
        for one, (f, t) in crossed
    ]
    facts, table = fit_added(main, opposed, read_targets(clinical, CFG))
    assert {t: a["weight"] for t, a in facts["added"].items()} == {"os": 0.0, "kind": 0.0}
    theirs = main[0][1].set_index(["patient_id", "task", "output"])["value"]
    ours = table.set_index(["patient_id", "task", "output"])["value"]
    pd.testing.assert_series_equal(ours, theirs.loc[ours.index])
    assert len(ours) == 24 * (2 + 3)
    assert [shrinkage(r) for r in (-1.0, 0.0, 0.9, 1.0, 4.0)] == [0, 0, 0, 0, 0.75]


def test_too_little_to_fit_on_is_a_weight_of_nothing_with_its_reason(world):
    clinical, main, crossed, *_ = world
    few = clinical.assign(os_event=np.where(np.arange(len(clinical)) < 9, 1.0, 0.0))
    few.loc[9:89, "label_kind"] = None
    facts, table = fit_added(main, crossed, read_targets(few, CFG))
    assert facts["added"]["os"]["reason"] == "5 events among the training patients with cross-fitted scores, 10 needed"
    assert facts["added"]["kind"]["weight"] == 0 and "5 patients with a class" in facts["added"]["kind"]["reason"]
    np.testing.assert_allclose(told(table, "os", "surv_100"), 0.5)
    silent = [
        (({"not_learnable": {"os": "no events", "kind": "one class only", "dss": "no"}}, pd.DataFrame()),) * 2
    ] * 3
    facts, table = fit_added(main, silent, read_targets(clinical, CFG))
    assert facts["added"]["os"]["reason"].endswith("10 needed; without a part: no events") and len(table) == 24 * 5
    one = [crossed[0], *silent[1:]]
    assert fit_added(main, one, read_targets(clinical, CFG))[0]["added"]["os"]["n"] == 28
    nobody = [(f, t[t["task"] == "kind"]) for f, t in main]
    assert (
        fit_added(nobody, crossed, read_targets(clinical, CFG))[0]["not_learnable"]["os"]
        == "one of the two models does not predict it"
    )
    alone = [
        tuple((f | {"inner_predictions": inner_predictions([], {"os": np.zeros((0, 1))})}, t) for f, t in pair)
        for pair in (main, *crossed)
    ]
    assert np.isfinite(fit_added(alone[0], alone[1:], read_targets(clinical, CFG))[1]["value"]).all()


def test_outcomes_of_test_patients_are_never_read(world):
    clinical, main, crossed, x, _ = world
    noise = clinical.copy()
    noise.loc[noise["patient_id"].isin(TEST), ["os_days", "os_event", "label_kind"]] = [1.0, 1.0, "a"]
    first, second = (fit_added(main, crossed, read_targets(c, CFG)) for c in (clinical, noise))
    assert first[0] == second[0]
    pd.testing.assert_frame_equal(first[1], second[1])
    # The mutant: fitted on the patients that it is tested on.
    leaked = [fit_added(main, [main], read_targets(c, CFG)) for c in (clinical, noise)]
    assert not told(leaked[0][1], "os", "risk").equals(told(leaked[1][1], "os", "risk"))
    with pytest.raises(AssertionError):
        check_survival(*leaked[0], clinical, x)


def gains(strength, seen, draws=20):
    """C of the combination minus C of the clinical score, over draws.

    `seen`: how much of their own outcome the cross-fitted scores show.
    """
    found = []
    for seed in range(draws):
        rng = np.random.default_rng([seed, 77])
        x, days, event = draw(rng, 500, strength)
        clinical = pd.DataFrame(
            {"patient_id": [f"P{i:04d}" for i in range(500)], "status": "ok", "os_days": days, "os_event": event}
        )
        clinical.loc[:119, "os_event"] *= rng.random(120) < 0.4  # some 30 events train
        x[:120, 1] -= seen * np.log(days[:120])
        pairs = []
        for at in (np.arange(150, 500), *(np.arange(120)[k::3] for k in range(3))):
            ids = list(clinical["patient_id"].iloc[at])
            tables = [
                pd.DataFrame({"patient_id": ids, "task": "os", "output": "risk", "value": x[at, k]}) for k in range(2)
            ]
            inner = {"not_learnable": {}, "inner_predictions": inner_predictions([], {"os": np.zeros((0, 1))})}
            pairs.append(tuple((inner, t) for t in tables))
        _, table = fit_added(
            pairs[0],
            pairs[1:],
            read_targets(clinical, {"tasks.survival": [{"name": "os", "horizons": [100]}], "tasks.labels": []}),
        )
        there = clinical.iloc[150:]
        pairs = [
            survival_pairs(np.asarray(v), there["os_days"].to_numpy(), there["os_event"].to_numpy())
            for v in (told(table, "os", "risk"), x[150:, 0])
        ]
        c = [ratio(p.won.sum(), p.comparable.sum()) for p in pairs]
        found.append(c[0] - c[1])
    return np.array(found)


def test_noise_does_no_harm_and_knowledge_helps():
    """Where training patients' own scores are fitted on, noise that has seen their outcome does: the mutant."""
    noise = gains(0.0, 0.0)
    assert noise.mean() > -0.005 and (noise == 0).mean() > 0.6
    assert gains(1.0, 0.0).mean() > 0.05
    with pytest.raises(AssertionError):
        assert gains(0.0, 1.0).mean() > -0.005


def test_the_clinical_baseline_keeps_what_it_says_of_inner_patients(world):
    clinical, *_ = world
    roles = {
        "train": TRAIN[:40],
        "inner": TRAIN[40:],
        "test": TRAIN[40:],
    }  # tested on the inner patients: both must agree
    targets = read_targets(clinical, CFG)
    facts, table = fit_clinical(clinical, targets.only({"os", "kind"}), roles)
    inner = facts["inner_predictions"]
    assert inner["patients"] == [hashed_ids([p])[0] for p in roles["inner"]]
    np.testing.assert_allclose(inner["values"]["os"][:, 0], told(table, "os", "risk").loc[roles["inner"]])
    np.testing.assert_allclose(
        inner["values"]["kind"], np.column_stack([told(table, "kind", f"p_{c}").loc[roles["inner"]] for c in CLASSES])
    )


def test_late_fusion_is_the_mean_of_what_both_say(world):
    _, sources, _, x, shares = world
    means = zip(("wsi", "rna"), ([0.0, 2.0], [5.0, 0.5]), sources, strict=True)
    singles = {m: (t.assign(inputs=m), {"spread": {m: {"os": spread}}}) for m, spread, (_, t) in means}
    table = fuse(singles)
    assert set(table["inputs"]) == {"both"} and set(table["output"]) == {"risk", "p_a", "p_b", "p_c"}
    np.testing.assert_allclose(told(table, "os", "risk").loc[TEST[1:]], (x[121:, 0] / 2 + 2 * x[121:, 1]) / 2)
    np.testing.assert_allclose(told(table, "kind", "p_b").loc[TEST[1:]], (shares[0][121:, 1] + shares[1][121:, 1]) / 2)
    assert set(table["patient_id"]) == set(TEST[1:]), "patients that both can score"
    flat = {m: (t, {"spread": {m: {"os": [3.0, 0.0]}}}) for m, (t, _) in singles.items()}
    assert np.isfinite(fuse(flat)["value"]).all()


def written(folder, arm, inputs, facts, table, status="ok", reason=""):
    rows = table.assign(arm=arm, draw=0, missing=None, missing_rate=0.0, repeat=0, fold=0, inputs=inputs)
    write_table(
        rows[list(PREDICTIONS.columns)] if status == "ok" else rows.iloc[:0][list(PREDICTIONS.columns)],
        folder / f"{arm}.parquet",
        PREDICTIONS,
    )
    save_checkpoint(
        {"arm": arm, "status": status, "reason": reason, "folds": [facts] if status == "ok" else []},
        folder / f"{arm}.pt",
    )


def test_scripts_write_predictions_or_the_reason(world, tmp_path, monkeypatch):
    clinical, sources, crossed, *_ = world
    covariates = [c for c in clinical if c.startswith("covariate_")]
    write_table(clinical.drop(columns=covariates), tmp_path / "outcomes.parquet", OUTCOMES)
    write_table(clinical[["patient_id", "reason", *covariates]], tmp_path / "covariates.parquet", COVARIATES)
    for arm, inputs, (facts, table) in zip(("wsi-scratch-cells", "rna-scratch"), ("wsi", "rna"), sources, strict=True):
        written(tmp_path, arm, inputs, {**facts, "spread": {inputs: {"os": [0.0, 1.0]}}}, table)
    for arm, (facts, table) in zip(("clinical", "both-scratch-cells"), sources, strict=True):
        written(tmp_path, arm, {"clinical": "clinical"}.get(arm, "both"), facts, table)
    written(tmp_path, "both-pretrained-cells", "both", {}, sources[1][1], "not available", "no RNA")
    out = {"predictions": tmp_path / "out.parquet", "models": tmp_path / "out.pt", "repeat": 0, "cfg": CFG}

    def files(prefix, arms):
        return {
            f"{prefix}_predictions": [tmp_path / f"{a}.parquet" for a in arms],
            f"{prefix}_models": [tmp_path / f"{a}.pt" for a in arms],
        }

    def result():
        content, table = load_checkpoint(out["models"]), read_table(out["predictions"], PREDICTIONS)
        return content, table

    script("finetune/fit_late_fusion").main(**files("arm", ["wsi-scratch-cells", "rna-scratch"]), **out)
    content, table = result()
    assert content["status"] == "ok" and content["folds"] == [
        {"not_learnable": {"dss": "rna: no events among 200 patients"}}
    ]
    assert set(table["arm"]) == {"late-fusion"} and set(table["fold"]) == {0} and len(table) == 24 * 4
    script("finetune/fit_late_fusion").main(**files("arm", ["rna-scratch"]), **out)
    assert result()[0]["reason"] == "wsi-scratch-cells is not among finetune.arms" and result()[1].empty
    script("finetune/fit_late_fusion").main(**files("arm", ["rna-scratch"]), **out, cells=0)
    assert result()[0]["reason"] == "wsi-scratch-nocells is not among finetune.arms"
    plus = script("finetune/fit_clinical_plus")
    monkeypatch.setattr(plus, "cross_fit", lambda *_: crossed)
    monkeypatch.setattr(plus.ArmRun, "open", lambda *_: None)
    folds = pd.DataFrame(
        [{"repeat": 0, "fold": 0, "patient_id": p, "site": "S", "role": r} for r, ids in ROLES.items() for p in ids]
    )
    write_table(folds, tmp_path / "folds.parquet", FOLDS)
    facts = {
        "outcomes": tmp_path / "outcomes.parquet",
        "covariates": tmp_path / "covariates.parquet",
        "folds": tmp_path / "folds.parquet",
        "checkpoints": [],
        "other_checkpoints": [],
        **out,
    }
    facts |= {"store": tmp_path / "store.json", "rna": [tmp_path / "rna.json"], "parts": tmp_path / "parts"}
    facts["parts"].mkdir()
    for name in ("store.json", "rna.json"):
        (tmp_path / name).write_text("{}")
    plus.main(**files("score", ["clinical", "both-scratch-cells"]), arm="both-scratch-cells", **facts)
    content, table = result()
    assert (
        content["arm"] == "clinical+both-scratch-cells" == table["arm"].iloc[0]
        and set(table["inputs"]) == {"both"}
        and len(table) == 24 * (1 + 6 + 3)
    )
    assert content["folds"][0]["added"]["os"]["weight"] > 0
    plus.main(**files("score", ["clinical"]), arm="both-scratch-cells", **facts)
    assert result()[0]["reason"] == "both-scratch-cells is not among finetune.arms"
    plus.main(**files("score", ["clinical", "both-pretrained-cells"]), arm="both-pretrained-cells", **facts)
    assert result()[0]["reason"] == "both-pretrained-cells: no RNA" and result()[1].empty
