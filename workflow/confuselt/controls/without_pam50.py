"""A fold's RNA without some genes and without those that follow them."""

import numpy as np

FOLLOWS = 0.5  # |Pearson r| with one of the genes from which on a gene is called its correlate


def without(
    values: np.ndarray, genes: list[str], named: tuple[str, ...], train: np.ndarray
) -> tuple[list[str], list[str]]:
    """Which genes are among the named ones, and which follow one of them in the training patients.

    Parameters
    ----------
    values : (patients, genes) float
        Normalised values.
    genes : list of str
    named : tuple of str
    train : (patients,) bool
        Only these patients are looked at.

    Returns
    -------
    hit : list of str
        Named genes of the matrix.
    followers : list of str
        Others with an absolute Pearson correlation of `FOLLOWS` or more with one of them.
    """
    known = np.isin(genes, named)
    seen = np.asarray(values, np.float64)[train]
    seen = seen - seen.mean(0)
    size = np.sqrt((seen**2).sum(0))
    seen = seen / np.where(size > 0, size, 1)
    follows = ~known & (np.abs(seen[:, known].T @ seen) >= FOLLOWS).any(0)
    return [g for g, k in zip(genes, known, strict=True) if k], [g for g, f in zip(genes, follows, strict=True) if f]
