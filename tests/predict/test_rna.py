"""RNA of another cohort: refused on another scale, served on its own; missing genes count as the middle of training."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confuselt.predict.rna import present, serve
from confuselt.rna.normalise import fit_normaliser

GENES = [f"G{i}" for i in range(40)]
CFG = {
    "rna.matrix": "normalised",
    "rna.transform": "vst",
    "rna.scaling": "standard",
    "rna.genes": None,
    "rna.clip": 5.0,
}
COUNTS = {**CFG, "rna.matrix": "counts", "rna.min_count": 1, "rna.min_share": 0.1, "rna.trend_genes": None}


def matrix(values, prefix="N"):
    return ad.AnnData(
        values,
        obs=pd.DataFrame(index=[f"{prefix}{i}" for i in range(len(values))]),
        var=pd.DataFrame(index=GENES[: values.shape[1]]),
    )


def logs(n, seed):
    """Log intensities of correlated genes."""
    level = np.random.default_rng(1).normal(8, 2, len(GENES))
    rng = np.random.default_rng(seed)
    return level + rng.normal(size=(n, 1)) + rng.normal(0, 1, (n, len(GENES)))


def served(fitted, values, reference, **more):
    return serve(fitted, matrix(values), reference, **{"most_missing": 0.1, "most_excluded": 0.2, **more})


def together(found):
    return np.stack(list(found.profiles.values()))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99))
def test_any_affine_map_of_a_gene_is_served_alike_by_its_own_scale_and_refused_without(seed):
    fitted = fit_normaliser(matrix(logs(120, 0), "P"), CFG)
    new, rng = logs(60, 2), np.random.default_rng(seed)
    slope, shift = rng.uniform(3, 9, len(GENES)), rng.uniform(20, 90, len(GENES))
    plain, other = served(fitted, new, "own"), served(fitted, new * slope + shift, "own")
    np.testing.assert_allclose(together(plain), together(other), atol=1e-4)
    with pytest.raises(
        ValueError, match=r"RNA of .*scale its genes by its own patients \(predict.rna: {reference: own}\)"
    ):
        served(fitted, new * slope + shift, "training")
    assert served(fitted, new, "training").missing == 0


def test_with_ranks_any_monotone_map_is_served_alike_by_its_own_scale():
    fitted = fit_normaliser(matrix(logs(120, 0), "P"), {**CFG, "rna.scaling": "rank"})
    new = logs(60, 2)
    plain, other = served(fitted, new, "own"), served(fitted, np.exp(new / 3), "own")
    # Quantiles are interpolated between patients, where the map is no straight line.
    assert np.abs(together(plain) - together(other)).max() < 0.05
    with pytest.raises(ValueError, match="RNA of "):
        served(fitted, np.exp(new), "training")


def test_a_scale_of_ones_own_needs_patients():
    fitted = fit_normaliser(matrix(logs(120, 0), "P"), CFG)
    with pytest.raises(ValueError, match="29 patients of this cohort have RNA: their own scale needs 30"):
        served(fitted, logs(29, 2), "own")
    assert len(served(fitted, logs(30, 2), "own").profiles) == 30


def test_one_sample_alone_is_the_same_sample_in_a_batch_by_the_scale_of_training():
    for fitted, new in (
        (fit_normaliser(matrix(logs(120, 0), "P"), CFG), logs(12, 2)),
        (fit_normaliser(matrix(counts(80, 0), "P"), COUNTS), counts(12, 2)),
    ):
        whole = together(served(fitted, new, "training"))
        for i in (0, 5):
            alone = together(served(fitted, new[i : i + 1], "training"))
            np.testing.assert_allclose(alone[0], whole[i], atol=1e-6)


def counts(n, seed):
    rng = np.random.default_rng(seed)
    level = np.random.default_rng(1).uniform(3, 8, len(GENES))
    return rng.poisson(np.exp(level + rng.normal(0, 0.5, (n, len(GENES))))).astype(np.int64) + 1


@pytest.mark.parametrize(
    ("cfg", "draw"), [(CFG, logs), (COUNTS, counts), ({**COUNTS, "rna.transform": "log-cpm"}, counts)]
)
def test_missing_genes_are_the_middle_of_training_and_counted(cfg, draw):
    fitted = fit_normaliser(matrix(draw(80, 0), "P"), cfg)
    new = draw(20, 2)
    whole, cut = served(fitted, new, "training"), served(fitted, new[:, :37], "training")
    assert cut.missing == 3 and whole.missing == 0
    assert (together(cut)[:, 37:] == 0).all()
    # Size factors rest on the genes that are there: a little other, no more.
    np.testing.assert_allclose(together(cut)[:, :37], together(whole)[:, :37], atol=1e-6 if cfg is CFG else 0.4)
    with pytest.raises(
        ValueError, match="10 of 40 genes of the model are missing .*G30.* than predict.rna.max_missing"
    ):
        served(fitted, new[:, :30], "training")
    assert served(fitted, new[:, :30], "training", most_missing=0.3).missing == 10


def test_depth_needs_half_of_its_genes():
    fitted = fit_normaliser(matrix(counts(80, 0), "P"), COUNTS)
    with pytest.raises(ValueError, match="19 of 40 genes that depth or ranks rest on"):
        present(fitted, GENES[:19], 1.0)
    assert present(fitted, GENES[:20], 1.0)[1] == 20


def test_ranks_within_a_sample_serve_another_platform_without_a_scale_of_its_own():
    """Training on log intensities, a cohort of intensities in another unit, sample by sample."""
    fitted = fit_normaliser(matrix(logs(120, 0), "P"), {**CFG, "rna.transform": "rank"})
    new = logs(30, 2)
    plain, other = served(fitted, new, "training"), served(fitted, np.exp(new) * 7, "training")
    np.testing.assert_allclose(together(plain), together(other), atol=1e-6)


def test_a_matrix_that_names_genes_by_other_ids_is_told_so():
    fitted = fit_normaliser(matrix(logs(60, 0), "P"), CFG)
    new = matrix(logs(3, 1))
    new.var_names = [f"ENSG{k:011d}" for k in range(new.n_vars)]
    with pytest.raises(ValueError, match="names genes by symbols, this matrix by Ensembl ids: rename its columns"):
        serve(fitted, new, "training", most_missing=0.1, most_excluded=0.2)
