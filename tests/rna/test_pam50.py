"""PAM50 calls against the reference calls of the published test samples."""

import numpy as np
import pandas as pd
import pytest
from conftest import shared
from hypothesis import given
from hypothesis import strategies as st

from confuselt.rna.centroids import common_name, read_centroids, with_medians
from confuselt.rna.genes import ENSEMBL, PAM50_GENES, PREVIOUS, PROLIFERATION, are_ensembl, plain_genes, todays
from confuselt.rna.pam50 import balanced_medians, call_pam50, spearman


def published():
    """Values (samples x genes) of the published test data, and the centroids under the project's names of classes."""
    data = pd.read_csv(shared("pam50", "pam50_testdata.tsv"), sep="\t", index_col=0)
    centroids = pd.read_csv(shared("pam50", "pam50_centroids.tsv"), sep="\t", index_col=0).select_dtypes("number")
    return data.select_dtypes("number").T, centroids.rename(columns=common_name)


def test_spearman_is_scipys():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (4, 20)).astype(float), rng.normal(size=(3, 20))
    ours = spearman(a, b)
    for i in range(4):
        for j in range(3):
            np.testing.assert_allclose(ours[i, j], spearmanr(a[i], b[j])[0], atol=1e-12)


def test_reference_calls():
    values, centroids = published()
    calls = pd.read_csv(shared("pam50", "pam50_testdata_assignments.tsv"), sep="\t", index_col=0)
    ours = call_pam50(values, centroids, values.median())
    theirs = calls["assignment"].map(
        {"basal": "Basal", "her2": "Her2", "luminal_a": "LumA", "luminal_b": "LumB", "normal": "Normal"}
    )
    assert len(theirs) == 200
    assert (ours.loc[theirs.index, "call"] == theirs).mean() >= 0.99


def test_reference_calls_are_the_same_under_previous_symbols():
    """The published table has three of them; a matrix of today has none, one of its time all."""
    values, centroids = published()
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
        "no variation over the genes of the centroids, or too few of them"
    ]
    assert (
        "30 of 50 genes of the centroids"
        in call_pam50(flat.iloc[:, :30], centroids, pd.Series(0.0, centroids.index))["reason"].iloc[0]
    )


def test_ids_of_ensembl_and_proliferation_are_those_of_the_published_annotation():
    published = pd.read_csv(shared("pam50", "pam50_annot.tsv"), sep="\t").set_index("gene_name")
    assert {symbol: i for i, symbol in ENSEMBL.items()} == published["gene_id"].to_dict()
    assert set(PROLIFERATION) == set(published.index[published["proliferative"] == 1])


def test_reference_calls_are_the_same_under_ids_of_ensembl():
    """On either side, of any release."""
    values, centroids = published()
    of = {symbol: i for i, symbol in ENSEMBL.items()}
    first = call_pam50(values, centroids, values.median())
    plain, dated = (v.set_axis(todays(list(v.columns)), axis=1).rename(columns=of) for v in (values, values))
    dated = dated.rename(columns=lambda gene: f"{gene}.17")
    ensembl = centroids.set_axis(todays(list(centroids.index)), axis=0).rename(of)
    for v, c in ((plain, centroids), (dated, centroids), (values, ensembl), (dated, ensembl)):
        pd.testing.assert_frame_equal(call_pam50(v, c, v.median()), first)


def test_genes_lose_their_version_alone():
    names = ["ENSG00000091831.12", "ESR1|2099", "?|100130426", "SLC35E2|728661", "SLC35E2|9906", "HLA-A", "a.1"]
    assert plain_genes(names) == ["ENSG00000091831", "ESR1", *names[2:]]
    assert plain_genes(["ENSG00000182378.14", "ENSG00000182378.14_PAR_Y"]) == [
        "ENSG00000182378",
        "ENSG00000182378_PAR_Y",
    ]
    assert plain_genes(["ENSG00000091831.12", "ENSG00000091831.13"]) == ["ENSG00000091831.12", "ENSG00000091831.13"]
    assert are_ensembl(["ENSG00000091831.12", "ENSMUSG00000019768"]) and not are_ensembl(PAM50_GENES)
    assert todays(["CDCA1", "ENSG00000143228.3", "X"]) == ["NUF2", "ENSG00000143228.3", "X"], "one gene, two columns"


def test_risk_of_relapse_is_that_of_the_published_formula():
    from scipy.stats import spearmanr

    values, centroids = published()
    ours = call_pam50(values, centroids, values.median())["ror_p"]
    centred = values - values.median()
    assert ours.notna().all() and 0 < ours.median() < 100
    symbols = dict(zip(todays(list(values.columns)), values.columns, strict=True))
    fast = [symbols[g] for g in PROLIFERATION]
    for sample in values.index[:10]:
        seen = values.columns[values.loc[sample].notna()]
        r = {n: spearmanr(centred.loc[sample, seen], centroids.loc[seen, n])[0] for n in centroids}
        weighed = -0.0009299747 * r["Basal"] + 0.0692289192 * r["Her2"]
        weighed += -0.0951505484 * r["LumA"] + 0.0493487685 * r["LumB"]
        weighed += 0.3385116381 * centred.loc[sample, fast].mean()
        np.testing.assert_allclose(ours[sample], 100 * (weighed + 0.35) / 0.85)
    assert call_pam50(values.drop(columns=fast[:1]), centroids, values.median())["ror_p"].isna().all()
    assert call_pam50(values, centroids.drop(columns="Her2"), values.median())["ror_p"].isna().all()


@given(st.integers(10, 25), st.integers(10, 25), st.integers(1, 4), st.integers(0, 2**31), st.integers(0, 5))
def test_medians_are_those_of_a_cohort_of_as_many_of_both_groups(few, many, copies, seed, others):
    rng = np.random.default_rng(seed)
    groups = pd.Series(["neg"] * few + ["pos"] * many + ["?"] * others, name="er", dtype=object)
    values = pd.DataFrame(rng.normal(size=(len(groups), 3)).round(1))
    found = balanced_medians(values, groups)
    # As many of both: each sample as often as the other group is large.
    times = np.array([many] * few + [few] * many + [0] * others)
    np.testing.assert_allclose(found, np.median(np.repeat(values.to_numpy(), times, axis=0), axis=0))
    more = pd.concat([values, *[values[groups == "pos"]] * copies], ignore_index=True)
    also = pd.concat([groups, *[groups[groups == "pos"]] * copies], ignore_index=True).rename("er")
    np.testing.assert_allclose(balanced_medians(more, also), found, err_msg="however many of one group there are")


def test_medians_are_balanced_by_two_groups_or_not_at_all():
    values = pd.DataFrame(np.zeros((30, 1)))
    for groups in (
        [None] * 30,
        ["pos"] * 30,
        ["pos"] * 25 + ["neg"] * 5,
        ["pos"] * 10 + ["neg"] * 10 + ["Pos"] * 10,
        list(map(str, range(30))),
    ):
        with pytest.raises(ValueError, match=r"balanced_by 'er' says .*two values with 10 samples"):
            balanced_medians(values, pd.Series(groups, name="er", dtype=object))


def test_a_table_of_centroids_is_read_as_every_table_is(tmp_path):
    wanted = pd.DataFrame({"A": [1.0, 2.5], "B": [3.0, -1.0]}, index=["G1", "G2"])
    for text in (
        "gene,median,A,B\nG1,0,1,3\nG2,4,2.5,-1\n",
        "gene;median;A;B\nG1;0;1;3\nG2;4;2,5;-1\n",
        "\ufeffgene\tA\tB\tmedian\nG1\t1\t3\t0\n\nG2\t2.5\t-1\t4\n",
        "A\tB\tmedian\nG1\t1\t3\t0\nG2\t2.5\t-1\t4\n",
    ):
        path = tmp_path / "centroids.txt"
        path.write_text(text)
        centroids, medians = read_centroids(path)
        np.testing.assert_array_equal(centroids[["A", "B"]], wanted)
        assert list(centroids.index) == ["G1", "G2"] and medians.tolist() == [0, 4]
    for text, said in (
        ("gene,median,A\nG1,0,1\nG1,0,2\n", "genes .'G1'. stand twice"),
        ("gene,median,A\nG1,0,\nG2,0,2\n", "without a number in some column, first 'G1'"),
        ("gene,A,what\nG1,0,x\nG2,0,y\n", "'what' are not numeric"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=said):
            read_centroids(path)
    path.write_text("gene,A,B\nG1,1,2\n")
    with pytest.raises(ValueError, match="no column 'median'"):
        with_medians(path, read_centroids(path)[1])
