"""Ready-made streams: what is unusable is a row with a reason, what is usable arrives unchanged."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest

from confuselt.embed.bag_file import read_bag
from confuselt.embed.ready import import_stream
from confuselt.embed.schema import STREAM_INDEX
from confuselt.learn.store import Store
from confuselt.pack.store import pack
from confuselt.tables import check_table
from confuselt.unusable import Unusable

CFG = {"data": "/", "acquire.id_column": "patient_id", "acquire.tile": None}


def bag(path, features, coords=None, name="features"):
    with h5py.File(path, "w") as file:
        file[name] = features
        if coords is not None:
            file["coords"] = coords
    return str(path)


def slides(**files):
    return pd.DataFrame(
        [
            {"slide_id": s, "patient_id": f"P-{s}", "status": "ok", "reason": None, "tile": f, "cells": None}
            for s, f in files.items()
        ]
    )


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
    index = import_stream(table, "tile", CFG, {"name": "x"}, tmp_path / "features.h5")
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


def test_what_the_models_behind_bags_saw_is_kept(tmp_path):
    """As this project writes it, and as plain text; a bag that is left out says nothing."""
    stated = {"a": '["TCGA"]', "b": "PanNuke, TCGA", "c": "CPTAC", "d": None}
    files = {name: bag(tmp_path / f"{name}.h5", np.ones((2, 3 + (name == "c")))) for name in stated}
    for name, text in stated.items():
        if text:
            with h5py.File(files[name], "a") as file:
                file.attrs["trained_on"] = text
    import_stream(slides(**files), "tile", CFG, {}, tmp_path / "f.h5")
    with h5py.File(tmp_path / "f.h5") as file:
        assert json.loads(file.attrs["trained_on"]) == ["PanNuke", "TCGA"]


def test_coordinates_must_match(tmp_path):
    with pytest.raises(Unusable, match="2 coordinates for 3 rows"):
        read_bag(bag(tmp_path / "b.h5", np.ones((3, 2)), np.zeros((2, 2))))


def in_table(path, *names):
    table = pd.DataFrame({"slide_id": names, "patient_id": names, "status": "ok", "reason": None, "tile": path.name})
    return table, {**CFG, "data": str(path.parent), "acquire.tile": path.name}


def test_tables_name_row_and_refuse_text(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"patient_id": ["P-a", "P-b"], "f": [1.0, np.nan], "g": [2.0, 3.0]}).to_parquet(path)
    table, cfg = in_table(path, "P-a", "P-b", "P-c")
    index = import_stream(table, "tile", cfg, {}, tmp_path / "f.h5").set_index("slide_id")
    assert (
        "t.parquet row 2 (slide P-b): 1 values are NaN" in index.loc["P-b", "reason"]
        and index.loc["P-a", "status"] == "ok"
    )
    assert index.loc["P-c", "reason"] == "t.parquet: no row of slide P-c"
    pd.DataFrame({"patient_id": ["P-a"], "f": ["x"]}).to_parquet(path)
    with pytest.raises(ValueError, match="columns 'f' are not numeric"):
        import_stream(table[:1], "tile", cfg, {}, tmp_path / "f.h5")


def test_tables_give_their_rows_in_the_order_of_slides(tmp_path):
    path = tmp_path / "t.csv"
    ids = {"patient_id": [1, 1, 2, 1], "slide_id": ["b", "b", "a", "b"], "x": [0, 1, 2, np.nan], "y": [5, 6, 7, 8]}
    pd.DataFrame({**ids, "f": [1.0, 2, 3, 4]}).to_csv(path, index=False)
    table, cfg = in_table(path, "b", "a")
    index = import_stream(table, "tile", cfg, {}, tmp_path / "f.h5").set_index("slide_id")
    assert "t.csv row 1 (slide b): columns x, y: row 3 is NaN" in index.loc["b", "reason"]
    pd.DataFrame({**ids, "x": 9, "f": [1.0, 2, 3, 4]}).to_csv(path, index=False)
    assert (import_stream(table, "tile", cfg, {}, tmp_path / "f.h5")["status"] == "ok").all()
    with h5py.File(tmp_path / "f.h5") as file:
        assert file["features"][:, 0].tolist() == [3, 1, 2, 4] and file["coords"][:, 1].tolist() == [7, 5, 6, 8]


def test_a_bag_of_another_kind_of_file_is_a_row(tmp_path):
    (tmp_path / "b.csv").write_text("f\n1\n")
    (tmp_path / "c.pt").write_text("x")
    table = slides(
        a=bag(tmp_path / "a.h5", np.ones((2, 2))),
        b=str(tmp_path / "b.csv"),
        c=str(tmp_path / "c.pt"),
        d=str(tmp_path / "absent.csv"),
    )
    index = import_stream(table, "tile", CFG, {}, tmp_path / "f.h5").set_index("slide_id")
    assert index.loc["a", "status"] == "ok"
    for slide, file in (("b", "b.csv"), ("c", "c.pt"), ("d", "absent.csv")):
        assert f"{file} (slide {slide}): listed as a bag, but it is no .h5 file" in index.loc[slide, "reason"]


@pytest.mark.parametrize(
    ("features", "coords", "said"),
    [
        (None, None, "'features' is a group"),
        (np.ones(1), None, r"dataset 'features' of shape \(1,\)"),
        (np.ones((2, 2, 2)), None, r"dataset 'features' of shape \(2, 2, 2\)"),
        (np.ones((2, 2), "S3"), None, "dataset .features. is .S3, not real numbers"),
        (np.ones((4, 2)), np.ones(4), r"dataset 'coords' of shape \(4,\)"),
        (np.ones((4, 2)), np.ones((4, 1)), r"dataset 'coords' of shape \(4, 1\)"),
        (np.ones((4, 2)), np.ones((4, 2), "S3"), "dataset 'coords' are .S3, not numbers"),
        (np.ones((4, 2)), np.full((4, 2), np.nan), "dataset 'coords': row 1 is NaN"),
    ],
)
def test_datasets_of_another_shape_are_named(tmp_path, features, coords, said):
    path = tmp_path / "b.h5"
    if features is None:
        with h5py.File(path, "w") as file:
            file["features/tiles"] = np.ones((2, 2))
    else:
        bag(path, features, coords)
    with pytest.raises(Unusable, match=f"b.h5: {said}"):
        read_bag(path)
    index = import_stream(
        slides(a=bag(tmp_path / "a.h5", np.ones((2, 2))), b=str(path)), "tile", CFG, {}, tmp_path / "f.h5"
    )
    assert index["status"].tolist() == ["ok", "excluded"]


def test_one_bag_at_a_time_is_held(tmp_path):
    """A cohort of forty bags takes no more memory than one of four."""
    import tracemalloc

    values = np.random.default_rng(0).normal(size=(500, 200))
    files = {f"s{i:02d}": bag(tmp_path / f"{i}.h5", values + i) for i in range(40)}
    peaks = []
    for count in (4, 40):
        table = slides(**dict(list(files.items())[:count]))
        tracemalloc.start()
        import_stream(table, "tile", CFG, {}, tmp_path / "f.h5")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_the_usual_width_says_where_it_comes_from(tmp_path):
    files = {s: bag(tmp_path / f"{s}.h5", np.ones((2, w))) for s, w in (("a", 3), ("b", 3), ("c", 5))}
    reason = import_stream(slides(**files), "tile", CFG, {}, tmp_path / "f.h5").set_index("slide_id").loc["c", "reason"]
    assert (
        reason
        == f"{files['c']} (slide c): 5 tile features, the other slides have 3 (2 of 3 slides, first a in {files['a']})"
    )


def test_feature_columns_of_a_table_are_in_the_recipe_of_the_store(tmp_path):
    found = {}
    for name, order in (("ab", ["a", "b"]), ("ba", ["b", "a"])):
        path = tmp_path / f"{name}.csv"
        pd.DataFrame({"patient_id": ["P"], "a": [1.0], "b": [2.0]})[["patient_id", *order]].to_csv(path, index=False)
        table, cfg = in_table(path, "P")
        import_stream(table, "tile", cfg, {"name": "x"}, tmp_path / "f.h5").to_parquet(tmp_path / "f.parquet")
        pack({"tile": (tmp_path / "f.parquet", tmp_path / "f.h5")}, tmp_path / "store.h5")
        found[name] = Store(tmp_path / "store.h5", "tile").recipe["tile"]["columns"]
        with h5py.File(tmp_path / "store.h5") as file:
            assert file["tile/columns"].asstr()[()].tolist() == order
    assert found["ab"] != found["ba"] and len(found["ab"]) == 16
    import_stream(
        slides(P=bag(tmp_path / "a.h5", np.ones((2, 2)))), "tile", CFG, {"name": "x"}, tmp_path / "f.h5"
    ).to_parquet(tmp_path / "f.parquet")
    pack({"tile": (tmp_path / "f.parquet", tmp_path / "f.h5")}, tmp_path / "store.h5")
    assert "columns" not in Store(tmp_path / "store.h5", "tile").recipe["tile"]


def test_a_cohort_without_the_stream_has_an_empty_store(tmp_path):
    index = import_stream(slides(a="x.h5").assign(tile=None), "tile", CFG, {}, tmp_path / "f.h5")
    assert index.empty
    check_table(index, STREAM_INDEX)


def test_content_decides_the_sha(tmp_path):
    one = import_stream(slides(a=bag(tmp_path / "a.h5", np.ones((2, 2)))), "tile", CFG, {}, tmp_path / "f.h5")
    two = import_stream(slides(a=bag(tmp_path / "b.h5", np.ones((2, 2)))), "tile", CFG, {}, tmp_path / "f.h5")
    three = import_stream(slides(a=bag(tmp_path / "c.h5", np.zeros((2, 2)))), "tile", CFG, {}, tmp_path / "f.h5")
    assert one["sha"][0] == two["sha"][0] != three["sha"][0]
