"""Mispaired slides and RNA."""

import numpy as np


def shuffle_pairs(patients: list[str], draw: int, site: dict[str, str] | None = None) -> dict[str, str]:
    """For the mispaired controls: whose RNA each patient is given (a random permutation).

    Parameters
    ----------
    patients : list of str
    draw : int
    site : dict of str to str, optional
        Patient to site: RNA is swapped within a site only, and a patient alone on its site keeps its own.
    """
    rng, place = np.random.default_rng([draw, 7]), np.array([site[p] if site else "" for p in patients])
    order = np.arange(len(patients))
    for group in np.unique(place):
        members = np.flatnonzero(place == group)
        order[members] = rng.permutation(members)
    return {p: patients[j] for p, j in zip(patients, order, strict=True)}
