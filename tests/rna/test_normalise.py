"""The normaliser against R DESeq2 and PyDESeq2, frozen on training patients."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from conftest import script, shared

from confuselt.config.root import Config
from confuselt.rna.normalise import (
    Normaliser,
    fit_normaliser,
    fit_trend,
    shows_common_genes,
    size_factors,
    trend_genes,
    vst,
)
from confuselt.rna.profiles import read_profiles
from confuselt.rna.transforms import log_cpm, sample_ranks

CFG = {f"rna.{k}": v for k, v in Config().rna.model_dump().items()}


def counts(seed=0, n=40, genes=120):
    rng = np.random.default_rng(seed)
    mean = np.exp(rng.uniform(3, 8, genes)) * np.exp(0.3 * rng.standard_normal((n, genes)))
    values = rng.poisson(mean * rng.gamma(5, 0.2, (n, genes)))
    return ad.AnnData(
        values.astype(np.int32),
        obs=pd.DataFrame(index=[f"P{i}" for i in range(n)]),
        var=pd.DataFrame(index=[f"G{i}" for i in range(genes)]),
    )


def reference():
    """Counts of 40 training and 20 new samples, and R's size factors, trend and transforms."""
    folder = shared("deseq2")
    raw = pd.read_csv(folder / "reference_counts.csv.gz", index_col=0).T.to_numpy(float)
    factors = pd.read_csv(folder / "reference_size_factors.csv")["size_factor"].to_numpy()
    trend = pd.read_csv(folder / "reference_dispersion_trend.csv").set_index("name")["value"]
    transforms = [
        pd.read_csv(folder / f"reference_vst_{n}.csv.gz", index_col=0).T.to_numpy(float)
        for n in ("full", "frozen_new_samples")
    ]
    return raw, factors, {"fit_type": "parametric", "a0": trend["asymptDisp"], "a1": trend["extraPois"]}, transforms


def frozen_factors(raw):
    everywhere = (raw[:40] > 0).all(0)
    return size_factors(raw[:, everywhere], np.log(raw[:40][:, everywhere]).mean(0))


def test_size_factors_of_training_samples_are_those_of_r_and_new_ones_up_to_its_rescaling():
    raw, wanted, _, _ = reference()
    ours = frozen_factors(raw)
    np.testing.assert_allclose(ours[:40], wanted[:40], rtol=1e-6)
    # R rescales the new samples of one call to a geometric mean of 1: a patient would then depend on who comes along.
    new = ours[40:] / np.exp(np.log(ours[40:]).mean())
    np.testing.assert_allclose(new, wanted[40:], rtol=1e-6)


def test_vst_of_training_and_new_samples_is_that_of_r():
    raw, factors, trend, (train, new) = reference()
    ours = vst(raw / factors[:, None], trend)
    np.testing.assert_allclose(ours[:40], train, atol=1e-6)
    np.testing.assert_allclose(ours[40:], new, atol=1e-6)


def test_our_whole_transform_is_close_to_r():
    raw, _, _, (train, _) = reference()
    genes, names = [f"g{i}" for i in range(raw.shape[1])], [f"s{i}" for i in range(60)]
    data = ad.AnnData(raw.astype(np.int32), obs=pd.DataFrame(index=names), var=pd.DataFrame(index=genes))
    fitted = Normaliser("counts", genes, fit_trend(data[:40].copy()))
    ours = fitted.stabilised(data[:40].copy())
    # PyDESeq2 fits the trend a little differently from R, which shifts the log scale; scaling per gene takes that out.
    expressed = raw.mean(0) > 50
    difference = (ours - ours.mean(0)) - (train - train.mean(0))
    assert np.abs(difference[:, expressed]).max() < 0.1 and np.abs(difference[:, expressed]).mean() < 0.02


def test_the_trend_of_a_thousand_genes_is_that_of_r():
    raw, _, _, _ = reference()
    theirs = pd.read_csv(shared("deseq2") / "reference_vst_nsub1000.csv.gz", index_col=0).T.to_numpy(float)
    genes, names = [f"g{i}" for i in range(raw.shape[1])], [f"s{i}" for i in range(60)]
    data = ad.AnnData(raw.astype(np.int32), obs=pd.DataFrame(index=names), var=pd.DataFrame(index=genes))
    ours = Normaliser("counts", genes, fit_trend(data[:40].copy(), 1000)).stabilised(data[:40].copy())
    np.testing.assert_allclose(ours, theirs, rtol=0.02)


def test_genes_of_the_trend_are_spread_evenly_over_the_mean_counts():
    means = np.concatenate([np.zeros(50), np.random.default_rng(0).permutation(np.arange(6.0, 306))])
    at = trend_genes(means, 100)
    assert len(set(at)) == 100 and means[at].min() == 6 and means[at].max() == 305
    assert np.abs(np.diff(np.sort(means[at])) - 3).max() <= 1
    for wanted in (None, 301):
        assert trend_genes(means, wanted).tolist() == list(range(350)), "too few genes: all of them"


def test_fitted_trend_and_transform_are_those_of_pydeseq2():
    from pydeseq2.dds import DeseqDataSet

    data = counts()
    trend = fit_trend(data)
    frame = data.to_df()
    theirs = DeseqDataSet(counts=frame, metadata=pd.DataFrame({"one": 1}, index=frame.index), design="~1", quiet=True)
    theirs.vst_fit(use_design=False)
    fresh = counts(seed=1, n=7)
    factors = size_factors(np.asarray(fresh[:, trend["genes"]].X, float), np.asarray(trend["log_means"]))
    np.testing.assert_allclose(
        vst(np.asarray(fresh.X, float) / factors[:, None], trend), theirs.vst_transform(np.asarray(fresh.X)), rtol=1e-8
    )


def test_frozen_normaliser_survives_json_and_ignores_other_patients(tmp_path):
    data = counts()
    fitted = fit_normaliser(data[:30].copy(), {**CFG, "rna.genes": 50})
    fitted.save(tmp_path / "n.json")
    loaded = Normaliser.load(tmp_path / "n.json")
    whole = fitted.transform(data)
    np.testing.assert_array_equal(loaded.transform(data), whole)
    np.testing.assert_array_equal(loaded.transform(data[35:36].copy()), whole[35:36])
    assert len(fitted.genes) == 50 and np.abs(whole).max() <= CFG["rna.clip"]
    train = whole[:30]
    assert np.abs(train.mean(0)).max() < 0.1 and abs(train.std() - 1) < 0.1


@pytest.mark.parametrize(("transform", "scale"), [("vst", 1.0), ("log-cpm", 1.0), ("rank", 1.0), ("rank", 3.0)])
def test_a_normaliser_is_fitted_on_training_patients_and_serves_one_sample_alone(tmp_path, transform, scale):
    data, cfg = counts(), {**CFG, "rna.transform": transform, "rna.genes": 50}
    fitted = fit_normaliser(data[:30].copy(), cfg)
    fitted.save(tmp_path / "n.json")
    loaded = Normaliser.load(tmp_path / "n.json")
    whole = fitted.transform(data)
    assert whole.shape == (40, 50) and np.isfinite(whole).all() and np.abs(whole[:30].mean(0)).max() < 0.1
    changed = data.copy()
    changed.X[30:] = 1 + changed.X[30:][::-1] * 7
    again = fit_normaliser(changed[:30].copy(), cfg)
    assert again == fitted, "test patients have no say"
    alone = data[35:36].copy()
    alone.X = (alone.X * scale).astype(np.int32)
    np.testing.assert_allclose(loaded.transform(alone), whole[35:36], atol=1e-6)


def test_log_cpm_is_scanpys_and_ranks_are_scipys():
    import scanpy as sc
    from scipy.stats import norm

    data = counts()
    theirs = sc.pp.log1p(sc.pp.normalize_total(data.copy(), target_sum=1e6, copy=True), base=2, copy=True)
    np.testing.assert_allclose(log_cpm(data.X), theirs.X, rtol=1e-5)
    ranks = data.to_df().rank(axis=1)
    np.testing.assert_allclose(sample_ranks(data.X), norm.ppf((ranks - 0.5) / data.n_vars), atol=1e-9)
    empty = fit_normaliser(data[:30].copy(), {**CFG, "rna.transform": "log-cpm"})
    data.X[35] = 0
    assert empty.unusable(data) == {"P35": "no count in any of the 120 reference genes of the depth"}


def test_a_patient_without_counts_in_the_reference_is_named_and_left_out():
    data = counts()
    data.X[:30, :20] += 1  # a reference without gaps
    data.X[:30, 100:] *= (np.arange(30) % 2)[:, None]
    data.X[35, :100] = 0
    fitted = fit_normaliser(data[:30].copy(), CFG)
    lost = fitted.unusable(data)
    assert list(lost) == ["P35"] and "no count in any of the 100 reference genes" in lost["P35"]
    assert np.isfinite(fitted.transform(data[~data.obs_names.isin(list(lost))].copy())).all()
    with pytest.raises(ValueError, match="1 patients have no count in any reference gene"):
        fitted.transform(data)


def test_a_nearly_empty_training_patient_does_not_take_the_reference_from_all_others():
    data = counts()
    data.X[:30, 110:] *= (np.arange(30) % 2)[:, None]
    data.X[4, :110] = 0
    data.X[4, 110:] = 9
    with pytest.raises(ValueError, match="no gene has a count above 0"):
        fit_trend(data[:30].copy())
    fitted = fit_normaliser(data[:30].copy(), CFG)
    assert list(fitted.unusable(data)) == ["P4"] and len(fitted.reference["genes"]) == 110
    assert shows_common_genes(np.eye(3)).all(), "no gene is common: nobody is blamed"


def test_the_fold_goes_on_without_such_a_patient(tmp_path):
    import json

    data = counts()
    data.X[:30, 100:] *= (np.arange(30) % 2)[:, None]
    data.X[35, :100] = 0
    data.write_h5ad(tmp_path / "counts.h5ad")
    roles = ["train"] * 30 + ["inner"] * 3 + ["test"] * 7
    folds = pd.DataFrame({"repeat": 0, "fold": 0, "patient_id": data.obs_names, "site": "S", "role": roles})
    folds.to_parquet(tmp_path / "folds.parquet")
    script("rna/normalise_rna").main(
        tmp_path / "counts.h5ad",
        tmp_path / "folds.parquet",
        [tmp_path / "out.h5ad"],
        [tmp_path / "out.json"],
        tmp_path,
        0,
        CFG,
    )
    out = ad.read_h5ad(tmp_path / "out.h5ad")
    assert set(data.obs_names) - set(out.obs_names) == {"P35"} == set(json.loads(out.uns["excluded"]))
    assert set(read_profiles(tmp_path / "out.h5ad").of) == set(out.obs_names)


def test_missing_genes_are_named():
    fitted = fit_normaliser(counts()[:30].copy(), CFG)
    with pytest.raises(ValueError, match="genes of the model are missing"):
        fitted.transform(counts()[:, 40:].copy())


def test_gene_order_does_not_matter():
    data = counts()
    fitted = fit_normaliser(data[:30].copy(), CFG)
    np.testing.assert_array_equal(fitted.transform(data[:, ::-1].copy()), fitted.transform(data))


@pytest.mark.parametrize("scaling", ["standard", "robust", "rank"])
def test_ready_made_matrix_is_scaled_on_training_patients(scaling):
    data = counts().copy()
    data.X = np.asarray(data.X, np.float32)
    data.X[:, 3] = 1.0
    fitted = fit_normaliser(
        data[:30].copy(), {**CFG, "rna.matrix": "normalised", "rna.scaling": scaling, "rna.genes": None}
    )
    assert "G3" not in fitted.genes and len(fitted.genes) == 119
    out = fitted.transform(data)
    assert np.isfinite(out).all() and abs(np.median(out[:30])) < 0.2


def test_no_reference_gene_is_said():
    data = counts(n=3)
    data.X[np.arange(3)] *= 0
    data.X[0, :60] = 5
    data.X[1, 60:] = 5
    with pytest.raises(ValueError, match="no gene has a count above 0 in every training patient"):
        fit_trend(data)
