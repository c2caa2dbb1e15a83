"""Subtypes by nearest centroid, as PAM50 is called (Parker et al., J Clin Oncol 2009): Spearman on centred genes.

Genes are centred by fixed medians, or by those of a cohort in which two groups, such as ER+ and ER-, weigh alike:
medians of a cohort with few ER- tumours would make LumA of LumB and Her2 (Zhao et al., Breast Cancer Res 2015).
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from confuselt.rna.genes import PROLIFERATION, are_ensembl, todays

LEAST_SHARE = 0.8  # of the genes of a table of centroids that a call rests on: 40 of 50
# ROR-P (Parker et al. 2009): weights of the correlations and of the mean of the genes of proliferation; its published
# cohorts lie between 0 and 100.
ROR_P = {"Basal": -0.0009299747, "Her2": 0.0692289192, "LumA": -0.0951505484, "LumB": 0.0493487685}
ROR_P_PROLIFERATION, ROR_P_LEAST, ROR_P_RANGE = 0.3385116381, -0.35, 0.85
FEWEST_PER_GROUP = 10  # samples whose median stands for their group


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
        Samples x genes, log2 scale; a sample is called over the genes that it has.
    centroids : DataFrame
        Genes x classes, named as the label names them (see `centroids.classes_of`).
    medians : Series
        Per gene, subtracted before the correlation: fixed, or `balanced_medians`.

    Returns
    -------
    DataFrame
        Per sample ``call``, its ``correlation``, the ``margin`` by which that exceeds the next class's, and how many
        ``genes`` it rests on; ``ror_p``, where the classes and genes for it are there; ``reason`` where no call is made
        (fewer than four fifths of the genes, or no variation). Genes are matched under today's symbols.
    """
    values = values.set_axis(todays(list(values.columns)), axis=1)
    centroids = centroids.set_axis(todays(list(centroids.index)), axis=0)
    medians = medians.set_axis(todays(list(medians.index)))
    genes, fewest = [g for g in centroids.index if g in values.columns], int(np.ceil(LEAST_SHARE * len(centroids)))
    if len(genes) < fewest:
        other = are_ensembl(list(values.columns)) != are_ensembl(list(centroids.index))
        named = "; one of the two names genes by Ensembl ids, the other by symbols" if other else ""
        reason = f"{len(genes)} of {len(centroids)} genes of the centroids in the matrix, {fewest} needed{named}"
        nothing = dict.fromkeys(("correlation", "margin", "ror_p"), np.nan)
        nothing |= {"call": None, "genes": len(genes), "reason": reason}
        return pd.DataFrame(nothing, index=values.index)
    centred = (values[genes] - medians.reindex(genes)).to_numpy(float)
    reference = centroids.loc[genes].to_numpy(float).T
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = spearman(centred, reference)
        for i in np.flatnonzero(np.isnan(centred).any(1)):
            seen = np.isfinite(centred[i])
            correlation[i] = (
                spearman(centred[i : i + 1, seen], reference[:, seen])[0] if seen.sum() >= fewest else np.nan
            )
    flat = ~np.isfinite(correlation).all(1)
    best = np.where(flat, 0, np.nan_to_num(correlation, nan=-2).argmax(1))
    ordered = np.sort(np.where(flat[:, None], np.nan, correlation), axis=1)
    names = list(centroids.columns)
    return pd.DataFrame(
        {
            "call": [None if f else names[b] for f, b in zip(flat, best, strict=True)],
            "correlation": np.where(flat, np.nan, correlation[np.arange(len(best)), best]),
            "margin": ordered[:, -1] - ordered[:, -2],
            "genes": np.isfinite(centred).sum(1),
            "ror_p": _ror_p(pd.DataFrame(correlation, columns=names), pd.DataFrame(centred, columns=genes)),
            "reason": ["no variation over the genes of the centroids, or too few of them" if f else None for f in flat],
        },
        index=values.index,
    )


def _ror_p(correlation: pd.DataFrame, centred: pd.DataFrame) -> np.ndarray:
    """Risk of relapse by subtype and proliferation, (samples,) float64; NaN where classes or genes for it lack.

    As in the published program, proliferation is the mean of those of its genes that a sample shows.
    """
    if not set(ROR_P) <= set(correlation) or not set(PROLIFERATION) <= set(centred):
        return np.full(len(correlation), np.nan)
    score = (correlation[list(ROR_P)] * pd.Series(ROR_P)).sum(axis=1, skipna=False)
    score += ROR_P_PROLIFERATION * centred[list(PROLIFERATION)].mean(axis=1)
    return (100 * (score - ROR_P_LEAST) / ROR_P_RANGE).to_numpy(float)


def balanced_medians(values: pd.DataFrame, groups: pd.Series) -> pd.Series:
    """Median of each gene in a cohort in which two groups weigh alike.

    Parameters
    ----------
    values : DataFrame
        Samples x genes, log2 scale.
    groups : Series of (str or None)
        Of samples, by the same ids; samples of no group, or of one with fewer than ten, are passed over.

    Raises
    ------
    ValueError
        There are not two groups of ten samples or more.
    """
    groups = groups.reindex(values.index).dropna()
    counts = groups.value_counts()
    counts = counts[counts >= FEWEST_PER_GROUP]
    if len(counts) != 2:
        raise ValueError(
            f"balanced_by '{groups.name}' says {_some(groups)} of the samples with RNA: wanted are two values with "
            f"{FEWEST_PER_GROUP} samples or more each"
        )
    chosen = groups[groups.isin(counts.index)]
    weights = (1 / counts.reindex(chosen).to_numpy(float))[:, None]
    some = values.loc[chosen.index].to_numpy(float)
    order = np.argsort(some, axis=0)
    share = np.cumsum(np.take_along_axis(np.broadcast_to(weights, some.shape), order, 0), axis=0) / weights.sum()
    # The middle between the last value below half of the weight and the first above, as of an ordinary median.
    low, high = (np.argmax(share >= half, axis=0)[None] for half in (0.5 - 1e-9, 0.5 + 1e-9))
    ordered = np.take_along_axis(some, order, 0)
    middle = (np.take_along_axis(ordered, low, 0) + np.take_along_axis(ordered, high, 0))[0] / 2
    return pd.Series(middle, index=values.columns)


def _some(groups: pd.Series) -> str:
    counts = groups.value_counts()
    more = f" and {len(counts) - 5} other values" if len(counts) > 5 else ""
    return ", ".join(f"'{value}' {n} times" for value, n in counts.head(5).items()) + more if len(counts) else "nothing"


def log_scale(values: pd.DataFrame, is_counts: bool) -> pd.DataFrame:
    """Values (samples x genes) as they are, or log2 counts per million."""
    return np.log2(values.div(values.sum(axis=1), axis=0) * 1e6 + 1) if is_counts else values


def call_samples(
    values: pd.DataFrame, index: pd.DataFrame, centroids: pd.DataFrame, medians: pd.Series
) -> pd.DataFrame:
    """Columns of ``rna/pam50``: a row per sample of ``rna/index``.

    Parameters
    ----------
    values : DataFrame
        Usable patients x genes, log2 scale.
    index : DataFrame
        ``rna/index``.
    centroids, medians
        See `call_pam50`.
    """
    called = call_pam50(values, centroids, medians).reindex(index["patient_id"]).reset_index(drop=True)
    rows = index[["sample_id", "patient_id"]].reset_index(drop=True).join(called)
    reason = rows["reason"].fillna(index["reason"].reset_index(drop=True))
    genes = rows["genes"].fillna(0).astype(int)
    return rows.assign(status=np.where(rows["call"].isna(), "excluded", "ok"), reason=reason, genes=genes)
