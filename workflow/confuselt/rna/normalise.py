"""Per-fold normaliser: everything is fitted on training patients, then frozen.

Counts: size factors against the training reference and the variance-stabilising transform of DESeq2 (Anders & Huber
2010; Love et al. 2014) by PyDESeq2, or log counts per million, then the most variable genes by scanpy. Ready-made
matrices: scaling only. Either may be ranked within each sample instead.
"""

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy.stats import trim_mean

from confuselt.content import array_hash
from confuselt.model.scaler import Scaler
from confuselt.rna.transforms import log_cpm, sample_ranks
from confuselt.stamp import get_stamp

log = logging.getLogger(__name__)
LEAST_MEAN = 5  # count from which on a gene may be one of those that the dispersion trend is fitted on
# Transforms of a sample by its own genes.
WITHIN_SAMPLE = {"log-cpm": log_cpm, "rank": sample_ranks}
NEARLY_ALL = 0.9  # a gene with counts in this share of the training patients is one that a whole sample shows


@dataclass
class Normaliser:
    """Frozen normaliser of one fold.

    Attributes
    ----------
    kind : {"counts", "log-cpm", "rank", "normalised"}
        counts: VST.
    genes : list of str
        Genes of the output, in order.
    reference : dict
        For counts: ``genes`` used for size factors, their training ``log_means``, and the
        dispersion trend (``fit_type``; ``a1``, ``a0`` parametric, or ``mean``). For log-cpm and rank the ``genes`` that
        depth or ranks are taken over.
    scaling : dict
        State of a `Scaler`.
    trained_on : str
        Hash of the sorted training ids.
    seen : list of str
        Hash of the values of `genes` of each patient that models of this fold are trained or chosen by: whoever comes
        again under another id is known by them.
    """

    kind: str
    genes: list[str]
    reference: dict = field(default_factory=dict)
    scaling: dict = field(default_factory=dict)
    trained_on: str = ""
    seen: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write as JSON (floats in full precision)."""
        path.write_text(json.dumps({**asdict(self), "stamp": get_stamp()}, sort_keys=True))

    @classmethod
    def load(cls, path: Path) -> "Normaliser":
        """Read what `save` wrote."""
        loaded = json.loads(Path(path).read_text())
        loaded.pop("stamp", None)
        return cls(**loaded)

    def transform(self, adata: ad.AnnData) -> np.ndarray:
        """Normalise any patients with the frozen references.

        Parameters
        ----------
        adata : AnnData
            Patients x genes, counts or ready-made values as in training.

        Returns
        -------
        (patients, len(genes)) float32

        Raises
        ------
        ValueError
            A gene of the model is missing in `adata`, or a patient is among the `unusable`.
        """
        return Scaler.from_state(self.scaling)(self.values(adata))

    def unusable(self, adata: ad.AnnData) -> dict[str, str]:
        """Patients that `transform` cannot serve, with the reason; leave them out before it.

        A size factor is a ratio over the reference genes of this fold: without a count in any of them there is
        none. No factor is made up, because a sample so empty says nothing about the patient. It is decided per
        fold, against training patients, and not once per cohort, where test patients would have a say.
        """
        genes = self.reference.get("genes", [])
        if self.kind not in ("counts", "log-cpm") or not adata.n_obs:
            return {}
        self._check_genes(adata)
        empty = ~(np.asarray(adata[:, genes].X) > 0).any(1)
        which = "size factors (counted in every training patient)" if self.kind == "counts" else "the depth"
        reason = f"no count in any of the {len(genes)} reference genes of {which}"
        return dict.fromkeys(adata.obs_names[empty], reason)

    def beyond(self, adata: ad.AnnData) -> dict[str, float]:
        """Share of each patient's values that no training patient reached on either side.

        It is near 1 for values on another scale.
        """
        return dict(zip(adata.obs_names, Scaler.from_state(self.scaling).beyond(self.values(adata)), strict=True))

    def profiles(self, adata: ad.AnnData) -> dict[str, str]:
        """Hash of the values of `genes` of each patient, as they came in."""
        values = np.asarray(adata[:, self.genes].X, np.float32)
        return {patient: array_hash(row) for patient, row in zip(adata.obs_names, values, strict=True)}

    def values(self, adata: ad.AnnData) -> np.ndarray:
        """Values of `genes` before scaling, (patients, genes) float64."""
        self._check_genes(adata)
        if self.kind == "counts":
            return self.stabilised(adata)
        if self.kind == "normalised":
            return np.asarray(adata[:, self.genes].X, np.float64)
        whole = self.reference["genes"]
        values = WITHIN_SAMPLE[self.kind](np.asarray(adata[:, whole].X, np.float64))
        return values[:, pd.Index(whole).get_indexer(self.genes)]

    def _check_genes(self, adata: ad.AnnData) -> None:
        needed = sorted({*self.genes, *self.reference.get("genes", [])})
        missing = [g for g in needed if g not in adata.var_names]
        if missing:
            raise ValueError(
                f"{len(missing)} of {len(needed)} genes of the model are missing in this matrix, first {missing[:5]}"
            )

    def stabilised(self, adata: ad.AnnData) -> np.ndarray:
        """VST of `genes` before scaling, (patients, genes) float64."""
        reference = self.reference
        factors = size_factors(
            np.asarray(adata[:, reference["genes"]].X, np.float64), np.asarray(reference["log_means"])
        )
        return vst(np.asarray(adata[:, self.genes].X, np.float64) / factors[:, None], reference)


def size_factors(counts: np.ndarray, log_means: np.ndarray) -> np.ndarray:
    """Median-of-ratios size factors against a frozen reference.

    Parameters
    ----------
    counts : (patients, genes) float64
        Genes with a count above 0 in every training patient.
    log_means : (genes,) float64
        Mean log count of the training patients.

    Returns
    -------
    (patients,) float64
        As DESeq2's ``estimateSizeFactorsForMatrix(counts, geoMeans=...)``: zero counts of a new
        patient are left out of its median.
    """
    with np.errstate(divide="ignore"):
        ratios = np.log(counts) - log_means
    known = np.isfinite(ratios)
    if known.all():  # as of training patients: a median without gaps takes a fifth of the time
        return np.exp(np.median(ratios, axis=1))
    ratios[~known] = np.nan
    with np.errstate(invalid="ignore"):
        factors = np.exp(np.nanmedian(ratios, axis=1))
    if not np.isfinite(factors).all():
        raise ValueError(
            f"{int((~np.isfinite(factors)).sum())} patients have no count in any reference gene; "
            "their RNA cannot be normalised"
        )
    return factors


def vst(counts: np.ndarray, reference: dict) -> np.ndarray:
    """Variance-stabilising transform of size-factor normalised counts under a frozen dispersion trend.

    Parameters
    ----------
    counts : (patients, genes) float64
    reference : dict
        ``fit_type`` "parametric" with ``a1``, ``a0`` (dispersion = a1 / mean + a0), or "mean" with ``mean``.

    Returns
    -------
    (patients, genes) float64, log2 scale.
    """
    if reference["fit_type"] == "parametric":
        a0, a1 = reference["a0"], reference["a1"]
        inner = 1 + a1 + 2 * a0 * counts + 2 * np.sqrt(a0 * counts * (1 + a1 + a0 * counts))
        return np.log2(inner / (4 * a0))
    alpha = reference["mean"]
    return (2 * np.arcsinh(np.sqrt(alpha * counts)) - np.log(alpha) - np.log(4)) / np.log(2)


def shows_common_genes(counts: np.ndarray) -> np.ndarray:
    """Which patients have a count in any gene that nearly all patients show; all of them where there is no such gene.

    One sample without any would leave the size factors of all others without a reference gene.

    Parameters
    ----------
    counts : (patients, genes)

    Returns
    -------
    (patients,) bool
    """
    common = (counts > 0).mean(0) >= NEARLY_ALL
    return (counts[:, common] > 0).any(1) if common.any() else np.ones(len(counts), bool)


def trend_genes(means: np.ndarray, wanted: int | None) -> np.ndarray:
    """Places of the genes that the dispersion trend is fitted on, as R's ``vst(nsub=wanted)`` takes them.

    They are spread evenly over the order of the mean counts above `LEAST_MEAN`; all genes where there are not so many,
    or where `wanted` is None.

    Parameters
    ----------
    means : (genes,) float64
        Mean counts, normalised by size factors.
    wanted : int or None
    """
    enough = np.flatnonzero(means > LEAST_MEAN)
    if wanted is None or len(enough) < wanted:
        return np.arange(len(means))
    order = enough[np.argsort(means[enough], kind="stable")]
    return np.sort(order[np.round(np.linspace(0, len(order) - 1, wanted)).astype(int)])


def fit_trend(adata: ad.AnnData, wanted: int | None = None) -> dict:
    """Size-factor reference and dispersion trend of training counts, by PyDESeq2.

    Parameters
    ----------
    adata : AnnData
        Training patients x genes, counts.
    wanted : int, optional
        Genes that the trend is fitted on; see `trend_genes`.

    Raises
    ------
    ValueError
        No gene has a count in every training patient, so no median-of-ratios reference exists.
    """
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference

    counts = np.asarray(adata.X, np.float64)
    everywhere = (counts > 0).all(0)
    if not everywhere.any():
        raise ValueError(
            "no gene has a count above 0 in every training patient: DESeq2's size factors have no reference; "
            "drop empty samples or filter the matrix"
        )
    genes, log_means = list(adata.var_names[everywhere]), np.log(counts[:, everywhere]).mean(0)
    factors = size_factors(counts[:, everywhere], log_means)
    normed = counts / factors[:, None]
    at = trend_genes(normed.mean(0), wanted)
    frame = pd.DataFrame(counts[:, at].astype(int), index=adata.obs_names, columns=adata.var_names[at])
    dataset = DeseqDataSet(
        counts=frame,
        metadata=pd.DataFrame({"one": 1}, index=frame.index),
        design="~1",
        quiet=True,
        inference=DefaultInference(n_cpus=1),
    )
    # Depth is told by all genes, whichever the trend is fitted on: this is what `fit_size_factors` would set.
    dataset.obs["size_factors"] = dataset.obsm["size_factors"] = factors
    dataset.layers["normed_counts"], dataset.var["_normed_means"] = normed[:, at], normed[:, at].mean(0)
    dataset.logmeans = log_means
    dataset.vst_fit(use_design=False)
    reference: dict = {"genes": genes, "log_means": log_means.tolist()}
    if dataset.vst_fit_type == "parametric":
        a0, a1 = dataset.uns["vst_trend_coeffs"]
        return {**reference, "fit_type": "parametric", "a0": float(a0), "a1": float(a1)}
    # PyDESeq2 gives up on the curve and uses one dispersion, computed like its own vst_transform does.
    dispersions = dataset.var["vst_genewise_dispersions"].to_numpy()
    mean = trim_mean(dispersions[dispersions > 10 * dataset.min_disp], proportiontocut=0.001)
    return {**reference, "fit_type": "mean", "mean": float(mean)}


def variable_genes(values: np.ndarray, names: list[str], wanted: int | None) -> list[str]:
    """The `wanted` most variable genes of log-scale values by scanpy (flavour "seurat"), in matrix order."""
    if wanted is None or wanted >= len(names):
        return names
    import scanpy as sc

    # scanpy's seurat flavour takes expm1 of log1p data; VST is log2, so it is handed over in natural logs.
    frame = ad.AnnData(np.maximum(values, 0) * np.log(2), var=pd.DataFrame(index=names))
    sc.pp.highly_variable_genes(frame, flavor="seurat", n_top_genes=wanted)
    return [g for g, chosen in zip(names, frame.var["highly_variable"], strict=True) if chosen]


def _chosen(kind: str, genes: list[str], reference: dict, values: np.ndarray, cfg: dict, trained_on: str) -> Normaliser:
    """A normaliser of the genes whose values spread most.

    There are no counts left to model: plain interquartile range, robust to heavy tails.
    """
    if cfg["rna.genes"] is not None and cfg["rna.genes"] < len(genes):
        width = np.subtract(*np.quantile(values, [0.75, 0.25], axis=0))
        chosen = np.sort(np.argsort(-width, kind="stable")[: cfg["rna.genes"]])
        genes, values = [genes[i] for i in chosen], values[:, chosen]
    return Normaliser(
        kind, genes, reference, Scaler.fit(cfg["rna.scaling"], values, cfg["rna.clip"]).state(), trained_on
    )


def fit_normaliser(adata: ad.AnnData, cfg: dict) -> Normaliser:
    """Fit on training patients only.

    Parameters
    ----------
    adata : AnnData
        Training patients x all genes. Nearly empty samples are left out of the fit (see `shows_common_genes`).
    cfg : dict
        ``rna.*`` keys.
    """
    trained_on = array_hash(np.array(sorted(adata.obs_names), dtype="U"))
    if cfg["rna.matrix"] == "normalised":
        values = np.asarray(adata.X, np.float64)
        keep = values.std(0) > 0
        genes, ranked = list(adata.var_names[keep]), cfg["rna.transform"] == "rank"
        values = sample_ranks(values[:, keep]) if ranked else values[:, keep]
        kind, reference = ("rank", {"genes": genes}) if ranked else ("normalised", {})
        return _chosen(kind, genes, reference, values, cfg, trained_on)
    expressed = (np.asarray(adata.X) >= cfg["rna.min_count"]).mean(0) >= cfg["rna.min_share"]
    if expressed.sum() < 2:
        raise ValueError(
            f"{int(expressed.sum())} genes reach rna.min_count {cfg['rna.min_count']} in "
            f"{cfg['rna.min_share']:.0%} of the training patients"
        )
    whole = shows_common_genes(np.asarray(adata.X)[:, expressed])
    if not whole.all():
        log.warning(
            "left out of the fit, no count in any gene that %.0f%% of the training patients show: %s",
            100 * NEARLY_ALL,
            list(adata.obs_names[~whole]),
        )
    kept = adata[whole, expressed].copy()
    if cfg["rna.transform"] == "rank":
        ranks = sample_ranks(kept.X)
        return _chosen("rank", list(kept.var_names), {"genes": list(kept.var_names)}, ranks, cfg, trained_on)
    fitted = Normaliser("counts", list(kept.var_names), trained_on=trained_on)
    if cfg["rna.transform"] == "log-cpm":
        fitted.kind, fitted.reference = "log-cpm", {"genes": fitted.genes}
    else:
        fitted.reference = fit_trend(kept, cfg["rna.trend_genes"])
    values = fitted.values(kept)
    fitted.genes = variable_genes(values, list(kept.var_names), cfg["rna.genes"])
    values = values[:, kept.var_names.get_indexer(fitted.genes)]
    fitted.scaling = Scaler.fit(cfg["rna.scaling"], values, cfg["rna.clip"]).state()
    log.info(
        "%d of %d genes expressed, %d kept, trend %s",
        len(kept.var_names),
        adata.n_vars,
        len(fitted.genes),
        {k: v for k, v in fitted.reference.items() if k not in ("genes", "log_means")},
    )
    return fitted
