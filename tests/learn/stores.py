"""Small stores for tests, as pack lays them out."""

from pathlib import Path

import h5py
import numpy as np


def write_store(path: Path, streams: dict[str, np.ndarray], lengths: list[int], patients: list[str]) -> Path:
    """Write a store of one slide after the other.

    Parameters
    ----------
    path : Path
    streams : dict of str to (N, width)
        In the type that is to be stored.
    lengths : list of int
        Instances of each slide.
    patients : list of str
        Patient of each slide.
    """
    with h5py.File(path, "w") as file:
        file["slide_id"] = np.array([f"S{i:04d}" for i in range(len(lengths))], dtype=h5py.string_dtype())
        file["patient_id"] = np.array(patients, dtype=h5py.string_dtype())
        for stream, values in streams.items():
            group = file.create_group(stream)
            group.create_dataset("features", data=values)
            group["coords"] = np.zeros((len(values), 2), np.int32)
            group["offsets"] = (
                np.concatenate([[0], np.cumsum(lengths)]) if len(values) else np.zeros(len(lengths) + 1, int)
            )
            group["sha"] = np.array([f"{stream}{i}" for i in range(len(lengths))], dtype=h5py.string_dtype())
            group.attrs.update(name=stream, d=values.shape[1], dtype=str(values.dtype))
    return path


def slides(count: int, seed: int = 0, most: int = 60) -> tuple[dict[str, np.ndarray], list[int], list[str]]:
    """Streams, lengths and patients of some slides; every fifth patient has two."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, most, count).tolist()
    patients = [f"P{i - (i % 5 == 1):03d}" for i in range(count)]
    total = sum(lengths)
    tile = rng.normal(3, 2, (total, 12)).astype(np.float16)
    return {"tile": tile, "cells": rng.gamma(1, 1, (total, 5)).astype(np.float32)}, lengths, patients
