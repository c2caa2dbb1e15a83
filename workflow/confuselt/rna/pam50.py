"""PAM50 calls by nearest centroid (Parker et al., J Clin Oncol 2009; Spearman, fixed medians)."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from confuselt.rna.genes import todays
from confuselt.sheets.words import plain_name

# Spellings of the classes, in lower case without punctuation, to the project's words.
CLASSES = {
    **{c.lower(): c for c in ("Basal", "Her2", "LumA", "LumB", "Normal")},
    "basallike": "Basal",
    "luminala": "LumA",
    "luminalb": "LumB",
    "normallike": "Normal",
}
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
        Samples x genes, log2 scale; a sample is called over the genes that it has.
    centroids : DataFrame
        Genes x classes.
    medians : Series
        Per gene, subtracted before the correlation; fixed, or those of the cohort (then said so).

    Returns
    -------
    DataFrame
        Per sample ``call``, its ``correlation``, the ``margin`` by which that exceeds the next class's, and how many
        ``genes`` it rests on; ``reason`` where no call is made (fewer than 40 of the genes, or no variation). Genes are
        matched under today's symbols.
    """
    values = values.set_axis(todays(list(values.columns)), axis=1)
    centroids = centroids.set_axis(todays(list(centroids.index)), axis=0)
    medians = medians.set_axis(todays(list(medians.index)))
    genes = [g for g in centroids.index if g in values.columns]
    if len(genes) < MIN_GENES:
        named = "; its genes look like Ensembl ids, wanted are symbols" if _ensembl(list(values.columns)) else ""
        reason = f"{len(genes)} of {len(centroids)} PAM50 genes in the matrix, {MIN_GENES} needed{named}"
        nothing = {"call": None, "correlation": np.nan, "margin": np.nan, "genes": len(genes), "reason": reason}
        return pd.DataFrame(nothing, index=values.index)
    centred = (values[genes] - medians.reindex(genes)).to_numpy(float)
    reference = centroids.loc[genes].to_numpy(float).T
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = spearman(centred, reference)
        for i in np.flatnonzero(np.isnan(centred).any(1)):
            seen = np.isfinite(centred[i])
            correlation[i] = (
                spearman(centred[i : i + 1, seen], reference[:, seen])[0] if seen.sum() >= MIN_GENES else np.nan
            )
    flat = ~np.isfinite(correlation).all(1)
    best = np.where(flat, 0, np.nan_to_num(correlation, nan=-2).argmax(1))
    ordered = np.sort(np.where(flat[:, None], np.nan, correlation), axis=1)
    names = [CLASSES.get(plain_name(c), c) for c in centroids.columns]
    return pd.DataFrame(
        {
            "call": [None if f else names[b] for f, b in zip(flat, best, strict=True)],
            "correlation": np.where(flat, np.nan, correlation[np.arange(len(best)), best]),
            "margin": ordered[:, -1] - ordered[:, -2],
            "genes": np.isfinite(centred).sum(1),
            "reason": ["no variation over the PAM50 genes, or too few of them" if f else None for f in flat],
        },
        index=values.index,
    )


def _ensembl(names: list[str]) -> bool:
    """Whether most names are ids of Ensembl's genes."""
    return sum(bool(re.fullmatch(r"ENS[A-Z]*G\d{11}(\.\d+)?", name)) for name in names) > len(names) / 2


def read_centroids(path: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Centroids (genes x classes) and the fixed median of each gene; ValueError where the table has none."""
    reference = pd.read_csv(path, sep=None, engine="python", index_col=0)
    if "median" not in reference:
        raise ValueError(
            f"{path}: no column 'median'; PAM50 calls need fixed medians per gene (log2 scale), not those of the cohort"
        )
    return reference.drop(columns="median"), reference["median"]


def call_samples(
    values: pd.DataFrame, index: pd.DataFrame, is_counts: bool, centroids: pd.DataFrame, medians: pd.Series
) -> pd.DataFrame:
    """Columns of ``rna/pam50``: a row per sample of ``rna/index``.

    Parameters
    ----------
    values : DataFrame
        Usable patients x genes: counts, or a log2 scale.
    index : DataFrame
        ``rna/index``.
    is_counts : bool
    centroids, medians
        See `call_pam50`.
    """
    if is_counts:
        values = np.log2(values.div(values.sum(axis=1), axis=0) * 1e6 + 1)
    called = call_pam50(values, centroids, medians).reindex(index["patient_id"]).reset_index(drop=True)
    rows = index[["sample_id", "patient_id"]].reset_index(drop=True).join(called)
    reason = rows["reason"].fillna(index["reason"].reset_index(drop=True))
    genes = rows["genes"].fillna(0).astype(int)
    return rows.assign(status=np.where(rows["call"].isna(), "excluded", "ok"), reason=reason, genes=genes)
