"""The run without PAM50's genes: what is dropped, and that test patients have no say in it."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from conftest import script
from hypothesis import given
from hypothesis import strategies as st

from confuselt.controls.without_pam50 import FOLLOWS, without
from confuselt.rna.genes import PAM50_GENES
from confuselt.rna.profiles import read_profiles
from confuselt.split.schema import FOLDS
from confuselt.tables import write_table

GENES = ["ESR1", "FOLLOWER", "MIRROR", "OTHER", "MKI67", "FLAT"]


def matrix(seed=0, n=60):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n, len(GENES)))
    values[:, 1] = values[:, 0] + 0.2 * rng.standard_normal(n)
    values[:, 2] = -values[:, 4] + 0.2 * rng.standard_normal(n)
    values[:, 5] = 1.0
    return values.astype(np.float32), np.arange(n) < 40


def test_named_genes_and_those_that_follow_in_either_direction_are_found():
    values, train = matrix()
    assert without(values, GENES, PAM50_GENES, train) == (["ESR1", "MKI67"], ["FOLLOWER", "MIRROR"])
    assert without(values, GENES, ("NONE",), train) == ([], [])


@given(st.integers(0, 2**32 - 1), st.integers(3, 30))
def test_followers_are_those_of_numpys_correlation(seed, n):
    values = np.random.default_rng(seed).standard_normal((n, 6))
    r = np.abs(np.corrcoef(values.T)[:2, 2:]).max(0)
    near = np.abs(r - FOLLOWS) < 1e-9
    hit, followers = without(values, list("ABCDEF"), ("A", "B"), np.ones(n, bool))
    assert hit == ["A", "B"]
    assert all(near[i] or (g in followers) == (r[i] >= FOLLOWS) for i, g in enumerate("CDEF"))


def told_by_test(function):
    """Whether what is dropped changes with the RNA of test patients alone."""
    values, train = matrix()
    noised = values.copy()
    noised[~train] = 50 * values[~train][:, [3, 1, 2, 0, 4, 5]]
    return function(values, GENES, PAM50_GENES, train) != function(noised, GENES, PAM50_GENES, train)


def test_test_patients_have_no_say():
    assert not told_by_test(without)
    assert told_by_test(lambda values, genes, named, train: without(values, genes, named, np.ones_like(train))), (
        "the guard must catch a look at all patients"
    )


@pytest.fixture
def run(tmp_path):
    """`drop_pam50` on a fold of a matrix with these genes: path of what it wrote."""

    def made(genes, **uns):
        values, train = matrix()
        ids = [f"P{i:02d}" for i in range(len(values))]
        full = ad.AnnData(values[:, : len(genes)], obs=pd.DataFrame(index=ids), var=pd.DataFrame(index=genes))
        if uns:
            full = ad.AnnData(obs=pd.DataFrame(index=ids[:0]), uns=uns)
        full.write_h5ad(tmp_path / "full.h5ad")
        roles = {"repeat": 0, "fold": 0, "patient_id": ids, "site": None, "role": np.where(train, "train", "test")}
        write_table(pd.DataFrame(roles), tmp_path / "folds.parquet", FOLDS)
        script("rna/drop_pam50").main(
            [tmp_path / "full.h5ad"], tmp_path / "folds.parquet", [tmp_path / "reduced.h5ad"], 0
        )
        return tmp_path / "reduced.h5ad"

    return made


def test_what_is_left_is_as_it_was(run):
    profiles = read_profiles(run(GENES))
    values, _ = matrix()
    assert profiles.genes == ["OTHER", "FLAT"] and profiles.reason == "" and len(profiles.of) == 60
    np.testing.assert_array_equal(profiles.of["P07"], values[7, [3, 5]])
    assert json.loads(ad.read_h5ad(run(GENES)).uns["dropped"]) == {"named": 2, "followers": 2, "left": 2}


def test_where_nothing_can_be_dropped_or_nothing_is_left_it_is_said(run):
    assert read_profiles(run([f"G{i}" for i in range(6)])).reason == "the matrix has none of PAM50's genes"
    assert read_profiles(run(["ESR1", "FOLLOWER"])).reason == "0 genes are left without PAM50's"
    empty = read_profiles(run(GENES, reason="1 training patients have RNA"))
    assert empty.reason == "1 training patients have RNA" and not empty.of
