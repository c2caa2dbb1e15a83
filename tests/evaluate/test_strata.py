"""Within parts of the cohort: pairs of one part and one fold alone count, and small parts say so."""

import numpy as np
import pandas as pd
import pytest
from lifelines.utils import concordance_index

from confuselt.evaluate.resample import Resampling
from confuselt.evaluate.schema import STRATA
from confuselt.evaluate.scores import Scorer
from confuselt.evaluate.strata import LEAST, parts_of_covariate, strata_rows
from confuselt.finetune.targets import Targets
from confuselt.tables import check_table

ARM = "wsi-scratch-cells"


def cohort(n=240, seed=0):
    """Risks say everything of women under 50 and nothing of others."""
    rng = np.random.default_rng(seed)
    ids = [f"P{i}" for i in range(n)]
    age, days, event = rng.integers(30, 80, n), rng.exponential(100, n), (rng.random(n) < 0.7).astype(float)
    kind = np.where(np.arange(n) < n - 12, np.arange(n) % 2, 2)
    targets = Targets(ids, {"os": (days, event)}, {"kind": kind}, {"kind": ["a", "b", "rare"]}, {"os": [50]})
    risk = np.where(age < 50, -days, rng.normal(size=n))
    predictions = [
        {"patient_id": p, "fold": i % 3, "task": task, "output": output, "value": value}
        for i, p in enumerate(ids)
        for task, output, value in (
            ("os", "risk", risk[i]),
            *(("kind", f"p_{c}", rng.random()) for c in ("a", "b", "rare")),
        )
    ]
    table = pd.DataFrame(predictions).assign(arm=ARM, draw=0, inputs="wsi", repeat=0)
    scorer = Scorer(table, targets, Resampling([ids[f::3] for f in range(3)], {}, 100, 1))
    outcomes = pd.DataFrame({"patient_id": ids, "status": "ok", "site": "S1"})
    outcomes["label_kind"] = np.array(["a", "b", "rare"])[kind]
    covariates = pd.DataFrame({"patient_id": ids, "reason": None, "covariate_old": np.where(age < 50, "no", "yes")})
    return scorer, outcomes, covariates, (risk, days, event, age)


def test_a_part_has_the_c_of_its_own_pairs_within_folds():
    scorer, outcomes, covariates, (risk, days, event, age) = cohort()
    rows = pd.DataFrame(strata_rows(scorer, outcomes, covariates, ["os"]), columns=list(STRATA.columns))
    check_table(rows, STRATA)
    by_level = rows[rows["stratum"] == "old"].set_index("level")
    assert by_level.loc["no", "value"] == 1 and 0.4 < by_level.loc["yes", "value"] < 0.6
    assert by_level["n"].to_dict() == {"no": (age < 50).sum(), "yes": (age >= 50).sum()}
    assert by_level.loc["yes", "events"] == event[age >= 50].sum()
    # Numbers of pairs of the three folds are nearly alike: their mean C is close to C over folds.
    fold = np.arange(len(age)) % 3
    use = [(age >= 50) & (fold == f) for f in range(3)]
    mean = np.mean([concordance_index(days[u], -risk[u], event[u]) for u in use])
    assert by_level.loc["yes", "value"] == pytest.approx(mean, abs=0.02)
    assert by_level.loc["yes", "low"] < mean < by_level.loc["yes", "high"]


def test_small_parts_are_one_row_with_a_reason_and_a_label_is_no_part_of_itself():
    scorer, outcomes, covariates, (_, _, event, _) = cohort()
    event[-12:] = [1.0] * 4 + [0.0] * 8
    rows = pd.DataFrame(strata_rows(scorer, outcomes, covariates, ["os", "kind"]), columns=list(STRATA.columns))
    small = rows[rows["status"] == "too small"]
    assert small[["task", "stratum", "level", "events"]].to_numpy().tolist() == [["os", "kind", "rare", 4]]
    assert small["arm"].item() == ARM and f"{LEAST} needed" in small["reason"].item()
    assert set(rows.loc[rows["task"] == "kind", "stratum"]) == {"old"}, "one site is no part either"


def test_a_part_without_a_class_has_no_macro_auc():
    scorer, outcomes, covariates, _ = cohort()
    rare = outcomes["label_kind"] == "rare"
    covariates["covariate_old"] = np.where(rare | (np.arange(len(rare)) < 100), "yes", "no")
    rows = pd.DataFrame(strata_rows(scorer, outcomes, covariates, ["kind"]), columns=list(STRATA.columns))
    check_table(rows, STRATA)
    told = rows[rows["stratum"] == "old"].set_index("level")
    assert told["status"].to_dict() == {"no": "not available", "yes": "ok"}
    assert told.loc["no", "reason"] == "no patient of rare" and np.isnan(told.loc["no", "value"])


@pytest.mark.parametrize(("first", "last"), [(2010, 2019), (2005, 2014), (1998, 2013), (30, 90)])
def test_thirds_are_thirds_of_years_too(first, last):
    values = pd.Series(np.random.default_rng(0).integers(first, last + 1, 900).astype(str))
    counts = parts_of_covariate(values).value_counts(sort=False)
    assert len(counts) == 3 and counts.max() < 1.6 * counts.min()
    assert counts.index.tolist()[0].startswith("under ") and counts.index.tolist()[2].endswith(" and more")


def test_an_arm_counts_the_patients_that_it_tests():
    """Sixty of a part have an outcome, six a slide."""
    scorer, outcomes, covariates, (_, _, _, age) = cohort()
    young = np.flatnonzero(age < 50)
    lost = {f"P{i}" for i in young[6:]}
    few = Scorer(
        pd.concat([scorer.tables(ARM, 0, "wsi", "os")[0, f].reset_index() for f in range(3)])
        .assign(fold=np.repeat(range(3), 80), value=lambda t: t["risk"], output="risk", task="os")
        .assign(arm=ARM, draw=0, inputs="wsi", repeat=0)
        .loc[lambda t: ~t["patient_id"].isin(lost)],
        scorer.targets,
        scorer.resampling,
    )
    rows = pd.DataFrame(strata_rows(few, outcomes, covariates, ["os"])).set_index("level")
    assert rows.loc["no", "n"] == 6 and rows.loc["no", "status"] == "too small"
    assert rows.loc["yes", "status"] == "ok"


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (["30", "40", "50", "60", "70", "80"], ["under 47"] * 2 + ["47 to under 64"] * 2 + ["64 and more"] * 2),
        (["Stage IIA", "stage iib", "Stage IV"], ["Stage II", "Stage II", "Stage IV"]),
        (["Stage IIA", "IIB", "iv"], ["Stage II", "Stage II", "Stage IV"]),
        (["IA", "III C", "X"], ["IA", "III C", "X"]),  # one that is none: nothing is guessed
        (["1", "0", "1"], ["1", "0", "1"]),
        (["1", "1", "1", "1", "2", "3", "4"], ["under 2"] * 4 + ["2 and more"] * 3),
        (["0.5", "1.25", "2", "3"], ["under 1.25", "1.25 to under 2", "2 and more", "2 and more"]),
        (["ductal", "lobular"], ["ductal", "lobular"]),
    ],
)
def test_parts_of_a_covariate(values, parts):
    assert parts_of_covariate(pd.Series(values)).tolist() == parts
