"""PAM50 calls by nearest centroid (Parker et al., J Clin Oncol 2009; Spearman, fixed medians)."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

CLASSES = {"Basal": "Basal", "Her2": "Her2", "LumA": "LumA", "LumB": "LumB", "Normal": "Normal", "Basal-like": "Basal", "HER2": "Her2", "Normal-like": "Normal"}
MIN_GENES = 40


def spearman(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Spearman correlation of each sample with each centroid.

    Parameters
    ----------
    values : (samples, genes) float
    centroids : (classes, genes) float

    Returns
    -------
    (samples, classes) float64
    """
    a, b = rankdata(values, axis=1), rankdata(centroids, axis=1)
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    return (a @ b.T) / np.sqrt((a**2).sum(1)[:, None] * (b**2).sum(1)[None])


def call_pam50(values: pd.DataFrame, centroids: pd.DataFrame, medians: pd.Series) -> pd.DataFrame:
    """Call the subtype of every sample.

    Parameters
    ----------
    values : DataFrame
        Samples x genes, log2 scale.
    centroids : DataFrame
        Genes x classes.
    medians : Series
        Per gene, subtracted before the correlation; fixed, or those of the cohort (then said so).

    Returns
    -------
    DataFrame
        ``call`` and ``correlation`` per sample; ``reason`` where no call is made
        (fewer than 40 of the genes, or no variation).
    """
    genes = [g for g in centroids.index if g in values.columns]
    if len(genes) < MIN_GENES:
        reason = f"{len(genes)} of {len(centroids)} PAM50 genes in the matrix, {MIN_GENES} needed"
        return pd.DataFrame({"call": None, "correlation": np.nan, "reason": reason}, index=values.index)
    centred = (values[genes] - medians.reindex(genes)).to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = spearman(centred, centroids.loc[genes].to_numpy(float).T)
    flat = ~np.isfinite(correlation).all(1)
    best = np.where(flat, 0, np.nan_to_num(correlation, nan=-2).argmax(1))
    names = [CLASSES.get(c, c) for c in centroids.columns]
    return pd.DataFrame(
        {
            "call": [None if f else names[b] for f, b in zip(flat, best, strict=True)],
            "correlation": np.where(flat, np.nan, correlation[np.arange(len(best)), best]),
            "reason": ["no variation over the PAM50 genes" if f else None for f in flat],
        },
        index=values.index,
    )
