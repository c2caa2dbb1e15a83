"""The cells stream of real patients keeps its raw scale: 109 of 607 columns exceed float16."""

import h5py
import numpy as np
import pandas as pd
from conftest import shared

from confuselt.embed.ready import import_stream


def test_real_cell_features_survive_in_float32(tmp_path):
    path = shared("tcga_brca_hif", "cell_features.parquet")
    raw = pd.read_parquet(path)
    slides = pd.DataFrame({"slide_id": raw["patient_id"], "patient_id": raw["patient_id"], "status": "ok", "reason": None, "cells": path.name})
    cfg = {"data": str(path.parent), "acquire.id_column": "patient_id", "acquire.cells": path.name}
    index = import_stream(slides, "cells", cfg, {"name": "ready"}, tmp_path / "features.h5")
    assert (index["status"] == "ok").all() and len(index) == 678
    with h5py.File(tmp_path / "features.h5") as file:
        order = file["slide_id"].asstr()[()]
        stored = file["features"][()]
    np.testing.assert_array_equal(stored, raw.set_index("patient_id").loc[order].to_numpy(np.float32))
    assert np.abs(stored).max() > np.finfo(np.float16).max
