"""Transforms that need no reference but the genes of a sample: log counts per million, and ranks within the sample."""

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata


def log_cpm(counts: np.ndarray) -> np.ndarray:
    """log2(counts per million + 1), (patients, genes) float64; a sample without counts is NaN.

    Parameters
    ----------
    counts : (patients, genes)
        Depth is the sum over these genes.
    """
    depth = np.asarray(counts, np.float64).sum(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log2(counts / depth * 1e6 + 1)


def sample_ranks(values: np.ndarray) -> np.ndarray:
    """Normal scores of the places of genes within their sample, (patients, genes) float64; ties share a place.

    Any monotone map of a whole sample (logs, another unit, another depth) leaves them as they are, so that platforms
    can be compared.

    Parameters
    ----------
    values : (patients, genes)
    """
    values = np.asarray(values, np.float64)
    return ndtri((rankdata(values, axis=1) - 0.5) / values.shape[1])
