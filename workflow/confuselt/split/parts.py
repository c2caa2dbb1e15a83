"""Parts of a fold's training patients. A module of its own: folds that were made stay."""

import numpy as np


def even_parts(groups: np.ndarray, counts: np.ndarray, k: int, rng: np.random.Generator, tries: int = 50) -> np.ndarray:
    """Whole groups dealt out to parts, in a random order, each to the part that has least of what it brings.

    Of some tries the most even one is taken.

    Parameters
    ----------
    groups : (n,) int
        Group of each patient.
    counts : (n, features) float
        What shall be even, e.g. events and classes; patients themselves are added.
    k : int
        Number of parts; fewer where there are fewer groups.
    rng : Generator
    tries : int

    Returns
    -------
    (n,) int
        Part of each patient.
    """
    names, codes = np.unique(groups, return_inverse=True)
    totals = np.zeros((len(names), 1 + counts.shape[1]))
    np.add.at(totals, codes, np.column_stack([np.ones(len(groups)), counts]))
    shares = totals / np.maximum(totals.sum(0), 1)
    best, least = None, np.inf
    for _ in range(tries):
        held, part = np.zeros((min(k, len(names)), shares.shape[1])), np.zeros(len(names), int)
        for group in rng.permutation(len(names)):
            # The product is by how much the sum of squares grows more here than in an empty part.
            part[group] = int(np.argmin(held @ shares[group]))
            held[part[group]] += shares[group]
        if (held**2).sum() < least:
            best, least = part, (held**2).sum()
    return best[codes]
