"""Cells dealt out anew over the instances."""

import numpy as np


def deal_out(rows: dict[str, np.ndarray], total: int, draw: int) -> np.ndarray:
    """Which row of the cells stream each row is given: one of its own role.

    Whoever asks with the same roles and draw gets the same shuffle, whichever of the roles are named.

    Parameters
    ----------
    rows : dict of str to (n,) int64
        Rows of the patients of each role (some of ``train``, ``inner``, ``test``).
    total : int
        Rows of the stream; those of nobody's role keep their own.
    draw : int
        Number of the control's draw.

    Returns
    -------
    (total,) int64
    """
    dealt = np.arange(total)
    for role, own in rows.items():
        dealt[own] = np.random.default_rng([draw, *role.encode()]).permutation(own)
    return dealt
