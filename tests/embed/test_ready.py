"""Ready-made streams: what is unusable is a row with a reason, what is usable arrives unchanged."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from confuselt.embed.ready import import_stream, read_bag
from confuselt.embed.schema import STREAM_INDEX
from confuselt.tables import check_table
from confuselt.unusable import Unusable


def bag(path, features, coords=None, name="features"):
    with h5py.File(path, "w") as file:
        file[name] = features
        if coords is not None:
            file["coords"] = coords
    return str(path)


def slides(**files):
    return pd.DataFrame([{"slide_id": s, "patient_id": f"P-{s}", "status": "ok", "reason": None, "tile": f, "cells": None} for s, f in files.items()])


def test_faults_are_rows_and_the_rest_arrives(tmp_path):
    rng = np.random.default_rng(0)
    good, other = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(3, 4))
    broken = good.copy()
    broken[2, 1] = np.nan
    infinite = good.copy()
    infinite[0, 0] = np.inf
    (tmp_path / "text.h5").write_text("not a bag")
    table = slides(
        a=bag(tmp_path / "a.h5", good, np.arange(10).reshape(5, 2)),
        b=bag(tmp_path / "b.h5", other),
        nan=bag(tmp_path / "nan.h5", broken),
        inf=bag(tmp_path / "inf.h5", infinite),
        wide=bag(tmp_path / "wide.h5", rng.normal(size=(3, 7))),
        none=bag(tmp_path / "none.h5", np.zeros((0, 4))),
        text=str(tmp_path / "text.h5"),
        absent=str(tmp_path / "absent.h5"),
        huge=bag(tmp_path / "huge.h5", np.full((2, 4), 1e300)),
    )
    index = import_stream(table, "tile", "patient_id", Path("/"), {"name": "x"}, tmp_path / "features.h5")
    check_table(index, STREAM_INDEX)
    index = index.set_index("slide_id")
    assert index.index[index["status"] == "ok"].tolist() == ["a", "b"]
    for slide, said in {
        "nan": "1 values are NaN or infinite, first in row 3, feature 2",
        "inf": "NaN or infinite",
        "wide": "7 tile features, the other slides have 4",
        "none": "shape (0, 4)",
        "text": "cannot be read as HDF5",
        "absent": "listed but absent",
        "huge": "does not fit float32",
    }.items():
        assert said in index.loc[slide, "reason"], slide
    with h5py.File(tmp_path / "features.h5") as file:
        np.testing.assert_array_equal(file["features"][:5], good)
        np.testing.assert_array_equal(file["coords"][:5], np.arange(10).reshape(5, 2))
        assert file["offsets"][()].tolist() == [0, 5, 8] and file["features"].dtype == np.float32
        assert file["features"].chunks is None and file["features"].compression is None


@pytest.mark.parametrize(("shape", "name"), [((1, 6, 3), "features"), ((6, 3), "feats")])
def test_bags_of_clam_and_stamp_are_read(tmp_path, shape, name):
    values = np.arange(18, dtype=np.float16).reshape(shape)
    features, coords = read_bag(bag(tmp_path / "b.h5", values, np.zeros((6, 2)), name))
    assert features.shape == (6, 3) and features.dtype == np.float32 and coords.dtype == np.int32


def test_coordinates_must_match(tmp_path):
    with pytest.raises(Unusable, match="2 coordinates for 3 rows"):
        read_bag(bag(tmp_path / "b.h5", np.ones((3, 2)), np.zeros((2, 2))))


def test_tables_name_row_and_refuse_text(tmp_path):
    pd.DataFrame({"patient_id": ["P-a", "P-b"], "f": [1.0, np.nan], "g": [2.0, 3.0]}).to_parquet(tmp_path / "t.parquet")
    table = slides(**{"P-a": str(tmp_path / "t.parquet"), "P-b": str(tmp_path / "t.parquet")}).assign(patient_id=["P-a", "P-b"])
    index = import_stream(table, "tile", "patient_id", Path("/"), {}, tmp_path / "f.h5").set_index("slide_id")
    assert "t.parquet row 2 (slide P-b): 1 values are NaN" in index.loc["P-b", "reason"] and index.loc["P-a", "status"] == "ok"
    pd.DataFrame({"patient_id": ["P-a"], "f": ["x"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"columns \['f'\] are not numeric"):
        import_stream(table[:1], "tile", "patient_id", Path("/"), {}, tmp_path / "f.h5")


def test_a_cohort_without_the_stream_has_an_empty_store(tmp_path):
    index = import_stream(slides(a="x.h5").assign(tile=None), "tile", "patient_id", Path("/"), {}, tmp_path / "f.h5")
    assert index.empty
    check_table(index, STREAM_INDEX)


def test_content_decides_the_sha(tmp_path):
    one = import_stream(slides(a=bag(tmp_path / "a.h5", np.ones((2, 2)))), "tile", "patient_id", Path("/"), {}, tmp_path / "f.h5")
    two = import_stream(slides(a=bag(tmp_path / "b.h5", np.ones((2, 2)))), "tile", "patient_id", Path("/"), {}, tmp_path / "f.h5")
    three = import_stream(slides(a=bag(tmp_path / "c.h5", np.zeros((2, 2)))), "tile", "patient_id", Path("/"), {}, tmp_path / "f.h5")
    assert one["sha"][0] == two["sha"][0] != three["sha"][0]
