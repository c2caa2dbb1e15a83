"""Folds: sites stay whole, every constraint holds, repeats are truly different."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import shared
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

import confuselt.split.folds as real
from confuselt.acquire.clinical import read_outcomes
from confuselt.config.root import Config
from confuselt.content import frame_hash
from confuselt.split.folds import folds_from_file, make_folds
from confuselt.split.schema import FOLDS
from confuselt.tables import check_table

CFG = {f"split.{k}": v for k, v in Config().split.model_dump(by_alias=True).items()} | {
    "seed": 17,
    "acquire.id_column": "patient_id",
    "tasks.survival": [{"name": "os"}],
    "tasks.labels": [{"name": "pam50", "classes": ["A", "B", "C"]}],
}


def cohort(n=200, sites=20, seed=0):
    rng = np.random.default_rng(seed)
    site = rng.choice(sites, n, p=rng.dirichlet(np.full(sites, 2.0)))
    return pd.DataFrame(
        {
            "patient_id": [f"P{i:03d}" for i in range(n)],
            "site": [f"S{s:02d}" for s in site],
            "os_days": rng.exponential(900, n),
            "os_event": (rng.random(n) < 0.3).astype(float),
            "label_pam50": rng.choice(["A", "B", "C"], n),
        }
    )


def check(table, clinical, repeats, folds):
    check_table(table, FOLDS)
    assert len(table) == len(clinical) * repeats * folds
    for repeat in range(repeats):
        part = table[table["repeat"] == repeat]
        assert (part[part["role"] == "test"].groupby("patient_id").size() == 1).all()
        for _, fold in part.groupby("fold"):
            roles = fold.groupby("site")["role"].nunique()
            assert (roles == 1).all(), "a site is split"
            assert set(fold["role"]) == {"test", "inner", "train"}


def test_real_sites_four_repeats():
    cfg = {
        **CFG,
        "tasks.labels": [
            {"name": "pam50", "column": None, "classes": ["Basal", "Her2", "LumA", "LumB"], "aliases": {}}
        ],
        "split.repeats": 4,
    }
    cfg["tasks.survival"] = [
        {"name": "os", "time": None, "event": None, "event_is": None, "unit": "days", "factor": 1.0}
    ]
    path = shared("tcga_brca_hif", "clinical.parquet")
    clinical = read_outcomes(path, {**cfg, "acquire.site": "site"}).rows
    table = make_folds(clinical, cfg)
    check(table, clinical, 4, 5)
    test = table[table["role"] == "test"].merge(clinical, on="patient_id")
    assert test.groupby(["repeat", "fold"])["os_event"].sum().min() >= 5
    assert (test.groupby(["repeat", "fold"])["label_pam50"].nunique() == 4).all()
    maps = [g.set_index("patient_id")["fold"].sort_index() for _, g in test.groupby("repeat")]
    for a, b in itertools.combinations(maps, 2):
        assert adjusted_rand_score(a, b) <= 0.5


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), repeats=st.integers(1, 3), folds=st.integers(2, 4))
def test_sites_are_never_split(seed, repeats, folds):
    clinical = cohort(seed=seed)
    check(
        make_folds(clinical, {**CFG, "split.folds": folds, "split.repeats": repeats, "seed": seed}),
        clinical,
        repeats,
        folds,
    )


def test_inner_part_is_about_the_wanted_share():
    table = make_folds(cohort(), CFG)
    shares = table[table["role"] != "test"].groupby("fold")["role"].apply(lambda r: (r == "inner").mean())
    assert shares.between(0.1, 0.33).all()


def test_same_seed_same_folds_and_another_seed_others():
    pd.testing.assert_frame_equal(make_folds(cohort(), CFG), make_folds(cohort(), CFG))
    assert not make_folds(cohort(), CFG)["role"].equals(make_folds(cohort(), {**CFG, "seed": 3})["role"])


def test_single_site_cohort_by_patient():
    clinical = cohort().assign(site="one site")
    table = make_folds(clinical, {**CFG, "split.group": "patient"})
    assert (table[table["role"] == "test"].groupby("patient_id").size() == 1).all()


def test_impossible_wishes_are_said():
    with pytest.raises(ValueError, match="1 sites for 5 folds"):
        make_folds(cohort().assign(site="one site"), CFG)
    with pytest.raises(ValueError, match="no map of 4 groups to 4 folds"):
        make_folds(cohort(n=40, sites=4, seed=1), {**CFG, "split.folds": 4, "split.min_events": 3, "split.tries": 5})
    with pytest.raises(ValueError, match="adjusted Rand index"):
        make_folds(
            cohort(sites=3, n=60),
            {**CFG, "split.folds": 2, "split.repeats": 9, "split.min_events": 0, "split.tries": 20},
        )


def test_folds_from_a_file(tmp_path):
    clinical = cohort()
    wanted = pd.Series(pd.factorize(clinical["site"])[0] % 5, name="test_fold")
    table = pd.concat([clinical["patient_id"], wanted], axis=1)
    table.to_csv(tmp_path / "folds.csv", index=False)
    folds = folds_from_file(tmp_path / "folds.csv", clinical, CFG)
    check(folds, clinical, 1, 5)
    test = folds[folds["role"] == "test"].set_index("patient_id")["fold"]
    assert (test.loc[clinical["patient_id"]].to_numpy() == wanted.to_numpy()).all()
    table[:150].to_csv(tmp_path / "folds.csv", index=False)
    assert folds_from_file(tmp_path / "folds.csv", clinical, CFG)["patient_id"].nunique() == 150
    with pytest.raises(ValueError, match="wants 0 to 3"):
        folds_from_file(tmp_path / "folds.csv", clinical, {**CFG, "split.folds": 4})
    twice = pd.concat([table.assign(repeat=0), table.assign(repeat=1).drop(index=3)])
    twice.to_csv(tmp_path / "folds.csv", index=False)
    with pytest.raises(
        ValueError, match=f"1 patients have no test_fold in some repeat, first .*{table.at[3, 'patient_id']}"
    ):
        folds_from_file(tmp_path / "folds.csv", clinical, {**CFG, "split.repeats": 2})
    table.rename(columns={"test_fold": "fold"}).to_csv(tmp_path / "folds.csv", index=False)
    with pytest.raises(ValueError, match="no column 'test_fold'"):
        folds_from_file(tmp_path / "folds.csv", clinical, CFG)


KNOWN = "counts = patient_counts(clinical[~chosen], cfg)"
MUTANTS = {
    "a torn site counts as a whole": (
        KNOWN,
        """every = patient_counts(clinical, cfg)
        counts = (group_counts(groups, every) / np.bincount(groups)[:, None])[groups][~chosen]""",
    ),
    "the first endpoint with an event of anybody": (
        KNOWN,
        """ends = [t for t in cfg["tasks.survival"] if clinical[f"{t['name']}_event"].sum() > 0]
        counts = patient_counts(clinical[~chosen], {**cfg, "tasks.survival": ends[:1]})""",
    ),
    "a generator for all folds": (
        'lambda repeat, fold: np.random.default_rng([cfg["seed"], 1, repeat, fold])',
        'lambda repeat, fold, rng=np.random.default_rng([cfg["seed"], 1]): rng',
    ),
}


def hangs_on_test_outcomes(module, folder):
    """Whether the inner part of some fold is another one where the outcomes of its test patients are."""
    cfg = {**CFG, "tasks.survival": [{"name": "os"}, {"name": "pfi"}]}
    clinical = cohort(n=120, sites=10, seed=4).assign(pfi_event=1.0)
    torn = pd.DataFrame({"patient_id": clinical["patient_id"]})
    torn["test_fold"] = np.random.default_rng(5).integers(0, 5, len(clinical))
    torn.to_csv(folder / "folds.csv", index=False)
    # The second cohort has an endpoint that nobody but a test patient may have.
    for facts in (clinical, clinical.assign(pfi_event=clinical["os_event"], os_event=0.0)):
        before = module.folds_from_file(folder / "folds.csv", facts, cfg)
        for fold, draw in itertools.product(range(5), range(2)):
            test, noise = (torn["test_fold"] == fold).to_numpy(), np.random.default_rng([fold, draw])
            changed = facts.copy()
            changed.loc[test, "os_event"] = noise.integers(0, 2, test.sum())
            changed.loc[test, "label_pam50"] = noise.choice(["A", "B", "C"], test.sum())
            after = module.folds_from_file(folder / "folds.csv", changed, cfg)
            rows = before["fold"] == fold
            if not before.loc[rows, "role"].equals(after.loc[rows, "role"]):
                return True
    return False


def test_the_inner_part_of_folds_from_a_file_hangs_on_no_test_outcome(tmp_path):
    """Sites are torn over the folds of the file; the outcomes of the test patients are replaced, fold by fold."""
    assert not hangs_on_test_outcomes(real, tmp_path)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_mutant_that_looks_at_test_outcomes_is_caught(name, tmp_path):
    old, new = MUTANTS[name]
    text = Path(real.__file__).read_text()
    assert old in text
    (tmp_path / "mutant.py").write_text(text.replace(old, new))
    spec = importlib.util.spec_from_file_location("mutant", tmp_path / "mutant.py")
    mutant = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mutant)
    assert hangs_on_test_outcomes(mutant, tmp_path)


def test_folds_of_whole_sites_are_those_that_results_rest_on():
    """Frozen: another inner part trains everything anew."""
    role = make_folds(cohort(), CFG)["role"]
    assert frame_hash(role.to_frame()) == "73f98422b1e6a994"
