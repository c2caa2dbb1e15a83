"""PAM50 calls against the reference calls of the published test samples."""

import numpy as np
import pandas as pd
from conftest import shared

from confuselt.rna.genes import PAM50_GENES, PREVIOUS, todays
from confuselt.rna.pam50 import call_pam50, spearman


def test_spearman_is_scipys():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (4, 20)).astype(float), rng.normal(size=(3, 20))
    ours = spearman(a, b)
    for i in range(4):
        for j in range(3):
            np.testing.assert_allclose(ours[i, j], spearmanr(a[i], b[j])[0], atol=1e-12)


def test_reference_calls():
    data = pd.read_csv(shared("pam50", "pam50_testdata.tsv"), sep="\t", index_col=0)
    centroids = pd.read_csv(shared("pam50", "pam50_centroids.tsv"), sep="\t", index_col=0)
    calls = pd.read_csv(shared("pam50", "pam50_testdata_assignments.tsv"), sep="\t", index_col=0)
    values = data.select_dtypes("number").T
    ours = call_pam50(values, centroids.select_dtypes("number"), values.median())
    theirs = calls["assignment"].map(
        {"basal": "Basal", "her2": "Her2", "luminal_a": "LumA", "luminal_b": "LumB", "normal": "Normal"}
    )
    assert len(theirs) == 200
    assert (ours.loc[theirs.index, "call"] == theirs).mean() >= 0.99


def test_reference_calls_are_the_same_under_previous_symbols():
    """The published table has three of them; a matrix of today has none, one of its time all."""
    data = pd.read_csv(shared("pam50", "pam50_testdata.tsv"), sep="\t", index_col=0)
    centroids = pd.read_csv(shared("pam50", "pam50_centroids.tsv"), sep="\t", index_col=0).select_dtypes("number")
    values = data.select_dtypes("number").T
    before = {new: old for old, new in PREVIOUS.items()}
    calls = [
        call_pam50(v, c, v.median())
        for v in (values, values.rename(columns=PREVIOUS), values.rename(columns=before))
        for c in (centroids.rename(PREVIOUS), centroids.rename(before))
    ]
    for one in calls:
        assert (one["margin"] > 0).all()
        assert (one[["call", "genes"]] == calls[0][["call", "genes"]]).all(axis=None)
    assert calls[0]["genes"].max() == 50
    unknown = values.rename(columns={g: f"X-{g}" for g in ("NUF2", "NDC80", "ORC6", "CDCA1", "KNTC2", "ORC6L")})
    assert call_pam50(unknown, centroids, values.median())["genes"].max() == 47


def test_today_s_symbol_wins_where_both_stand():
    assert todays(["ORC6L", "ORC6", "KNTC2", "ESR1"]) == ["ORC6L", "ORC6", "NDC80", "ESR1"]
    assert set(PREVIOUS.values()) <= set(PAM50_GENES) and not set(PREVIOUS) & set(PAM50_GENES)


def test_too_few_genes_and_flat_samples_say_so():
    centroids = pd.DataFrame(
        np.random.default_rng(0).normal(size=(50, 5)),
        index=[f"G{i}" for i in range(50)],
        columns=["Basal", "Her2", "LumA", "LumB", "Normal"],
    )
    flat = pd.DataFrame(np.ones((1, 50)), index=["a"], columns=centroids.index)
    assert call_pam50(flat, centroids, pd.Series(0.0, centroids.index))["reason"].tolist() == [
        "no variation over the PAM50 genes, or too few of them"
    ]
    assert (
        "30 of 50 PAM50 genes"
        in call_pam50(flat.iloc[:, :30], centroids, pd.Series(0.0, centroids.index))["reason"].iloc[0]
    )
