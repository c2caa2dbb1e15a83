"""Fit the scaling of a fold on its training patients' slides."""

from confuselt.learn.store import Store
from confuselt.model.scaling import StreamScaler

SCALER_ROWS = 50_000
STREAMS = ("tile", "cells", "deep")


def scalings(cfg: dict) -> dict[str, str]:
    """Scaling of every stream, as the config has it."""
    return {stream: cfg[f"pack.scaling_{stream}"] for stream in STREAMS}


def fit_scaler(store: Store, patients: list[str], kinds: dict[str, str], seed: int) -> StreamScaler:
    """Scaler per stream from an equal number of rows of each of the patients' slides.

    Parameters
    ----------
    store : Store
    patients : list of str
        Training patients.
    kinds : dict of str to str
        Stream to its scaling.
    seed : int
        Of the rows that are looked at.
    """
    slides = [i for own in store.of_patients(patients).values() for i in own]
    return StreamScaler.fit(store.sample(slides, SCALER_ROWS, seed), kinds)
