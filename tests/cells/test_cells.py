"""The cells stream of real patients keeps its raw scale: 109 of 607 columns exceed float16."""

import h5py
import numpy as np
import pandas as pd
from conftest import shared

from confuselt.cells.schema import DECIMALS, NUCLEI
from confuselt.embed.ready import import_stream
from confuselt.tables import read_table, write_table


def test_real_cell_features_survive_in_float32(tmp_path):
    path = shared("tcga_brca_hif", "cell_features.parquet")
    raw = pd.read_parquet(path)
    slides = pd.DataFrame(
        {
            "slide_id": raw["patient_id"],
            "patient_id": raw["patient_id"],
            "status": "ok",
            "reason": None,
            "cells": path.name,
        }
    )
    cfg = {"data": str(path.parent), "acquire.id_column": "patient_id", "acquire.cells": path.name}
    index = import_stream(slides, "cells", cfg, {"name": "ready"}, tmp_path / "features.h5")
    assert (index["status"] == "ok").all() and len(index) == 678
    with h5py.File(tmp_path / "features.h5") as file:
        order = file["slide_id"].asstr()[()]
        stored = file["features"][()]
    np.testing.assert_array_equal(stored, raw.set_index("patient_id").loc[order].to_numpy(np.float32))
    assert np.abs(stored).max() > np.finfo(np.float16).max


def test_a_kept_nucleus_takes_less_than_20_bytes(tmp_path):
    """A slide's worth of nuclei, as varied as real ones: places in a large slide, sizes in tenths of a µm."""
    rng, n = np.random.default_rng(0), 200_000
    tiles = rng.integers(0, 400, (n // 100, 2)).repeat(100, axis=0) * 448
    area = rng.lognormal(3.6, 0.5, n)
    long = np.sqrt(area) * rng.uniform(1.1, 1.8, n)
    nuclei = pd.DataFrame(
        {
            "x": tiles[:, 0] + rng.uniform(0, 448, n),
            "y": tiles[:, 1] + rng.uniform(0, 448, n),
            "type": rng.choice(["neoplastic", "inflammatory", "connective"], n, p=[0.6, 0.25, 0.15]),
            "probability": rng.beta(8, 2, n),
            "area_um2": area,
            "long_um": long,
            "short_um": area / long * 1.27,
            "solidity": rng.uniform(0.7, 1, n),
            "perimeter_um": rng.uniform(3, 4, n) * np.sqrt(area),
            "stain": rng.uniform(0.02, 0.15, n),
            "stain_sd": rng.uniform(0.01, 0.05, n),
        }
    )
    path = tmp_path / "nuclei.parquet"
    write_table(nuclei.round(DECIMALS), path, NUCLEI)
    assert path.stat().st_size / n < 20
    back = read_table(path, NUCLEI)
    for column, decimals in DECIMALS.items():
        np.testing.assert_allclose(back[column], nuclei[column], atol=0.51 * 10.0**-decimals)
