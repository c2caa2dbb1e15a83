"""Nuclei of other tools: every layout says the same nuclei; what cannot be read is said, never guessed."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import shapely
from conftest import shared
from hypothesis import given, settings
from hypothesis import strategies as st
from nuclei_files import SLIDE, TYPES, cellvit, check, closed, drawn, histoplus, qupath, truth, write
from skimage.draw import polygon
from skimage.measure import regionprops_table

from confuselt.cells.finders.table import FromFiles
from confuselt.cells.json_array import JsonArray
from confuselt.cells.nuclei_file import read_nuclei
from confuselt.cells.outlines import Outlines
from confuselt.cells.places import Extent, check_on_tiles
from confuselt.unusable import Unusable


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz", "a.json"])
@pytest.mark.parametrize("whole", [True, False])
def test_geojson_of_qupath(tmp_path, name, whole):
    """A FeatureCollection, or the bare array that QuPath's older versions write; annotations are no nuclei."""
    features = qupath()
    check(
        read_nuclei(
            write(tmp_path / name, {"type": "FeatureCollection", "features": features} if whole else features), SLIDE
        )
    )


def test_cells_of_qupath_are_their_nuclei(tmp_path):
    features = qupath()
    for feature in features[:-1]:
        feature["nucleusGeometry"] = feature["geometry"]
        feature["geometry"] = {"type": "Polygon", "coordinates": [[[0, 0], [3999, 0], [3999, 2999], [0, 2999], [0, 0]]]}
    check(read_nuclei(write(tmp_path / "a.geojson", features), SLIDE))


def test_one_feature_of_all_nuclei_of_a_type(tmp_path):
    """As CellViT writes them for QuPath: outlines, or points."""
    outlines, types, _ = drawn()
    for kind, places in (
        ("MultiPolygon", [[closed(o)] for o in outlines]),
        ("MultiPoint", truth()[["x", "y"]].to_numpy().tolist()),
    ):
        features = [
            {
                "type": "Feature",
                "geometry": {"type": kind, "coordinates": [p for p, t in zip(places, types, strict=True) if t == name]},
                "properties": {
                    "objectType": "annotation",
                    "classification": {"name": name},
                },
            }
            for name in TYPES
        ]
        shape = ("area_um2", "perimeter_um") if kind == "MultiPolygon" else ()
        check(read_nuclei(write(tmp_path / "a.geojson", features), SLIDE), ("x", "y", *shape))


@pytest.mark.parametrize("numbered", [True, False])
def test_json_of_cellvit(tmp_path, numbered):
    names = {"Background": 0, "Neoplastic": 1, "Inflammatory": 2, "Connective": 3}
    type_map = {str(v): k for k, v in names.items()} if numbered else names
    check(read_nuclei(write(tmp_path / "cells.json", cellvit(type_map)), SLIDE))


def test_detections_of_cellvit_are_points(tmp_path):
    content = cellvit({"1": "Neoplastic", "2": "Inflammatory", "3": "Connective"})
    for cell, (_, row) in zip(content["cells"], truth().iterrows(), strict=True):
        del cell["contour"]
        cell["centroid"] = [row["x"], row["y"]]
    check(read_nuclei(write(tmp_path / "cell_detection.json", content), SLIDE), ("x", "y", "probability"))


@pytest.mark.parametrize("of_slide", [True, False])
def test_json_of_histoplus(tmp_path, of_slide):
    check(read_nuclei(write(tmp_path / "a.json", histoplus(of_slide)), SLIDE))


def test_tables_of_points(tmp_path):
    wanted = truth()
    ours = wanted[["x", "y", "type", "probability"]]
    ours.to_csv(tmp_path / "a.csv", index=False)
    ours.to_csv(tmp_path / "b.csv.gz", index=False, sep=";")
    ours.to_parquet(tmp_path / "c.parquet")
    qupath = pd.DataFrame(
        {
            "Image": "slide",
            "Classification": ours["type"],
            "Centroid X µm": ours["x"] / 4,
            "Centroid Y µm": ours["y"] / 4,
            "Detection probability": ours["probability"],
        }
    )
    qupath.to_csv(tmp_path / "d.tsv", index=False, sep="\t")
    for name in ("a.csv", "b.csv.gz", "c.parquet", "d.tsv"):
        check(read_nuclei(tmp_path / name, SLIDE), ("x", "y", "probability"))


@pytest.mark.parametrize("kind", ["wkb", "wkt"])
def test_tables_of_outlines(tmp_path, kind):
    outlines, types, _ = drawn()
    polygons = shapely.polygons([shapely.linearrings(o) for o in outlines])
    geometry = shapely.to_wkb(polygons) if kind == "wkb" else shapely.to_wkt(polygons, rounding_precision=3)
    path = tmp_path / ("a.parquet" if kind == "wkb" else "a.csv")
    table = pd.DataFrame({"geometry": geometry, "class_name": types})
    table.to_parquet(path) if kind == "wkb" else table.to_csv(path, index=False)
    check(read_nuclei(path, SLIDE), ("x", "y", "area_um2", "perimeter_um"))


def test_real_outlines():
    found = read_nuclei(shared("nuclei_wsi", "hgsc_nuclei_wsi.parquet"), Extent(0.5, 47_001, 66_751))
    assert found["type"].value_counts()["neoplastic"] == 274_529 and len(found) == 592_349
    assert found["area_um2"].between(1, 5_000).mean() > 0.999 and found["solidity"].between(0, 1).all()


def not_json(path):
    path.write_text("<html>")


def cut_short(path):
    text = json.dumps({"features": qupath()})
    path.write_text(text[: len(text) // 2])


def cut_gzip(path):
    content = gzip.compress(json.dumps(qupath()).encode())
    path.write_bytes(content[: len(content) // 2])


def without_array(path):
    path.write_text('{"slides": 3}')


def of_lines(path):
    write(path, [{"geometry": {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, "properties": {}}])


def far_outside(path):
    features = qupath()
    for feature in features[:-1]:
        feature["geometry"]["coordinates"] = (4 * np.array(feature["geometry"]["coordinates"])).tolist()
    write(path, features)


def without_area(path):
    features = qupath()
    for feature in features[:20]:
        feature["geometry"]["coordinates"] = [[[5, 5], [9, 9], [5, 5]]]
    write(path, features)


def points_and_outlines(path):
    features = qupath()
    for feature in features[:10]:
        feature["geometry"] = {"type": "Point", "coordinates": [5, 5]}
    write(path, features)


def annotations_alone(path):
    write(path, qupath()[-1:])


def cells_without_a_name(path):
    write(path, cellvit({"1": "A"})["cells"])


def without_types(path):
    features = qupath()
    for feature in features:
        del feature["properties"]["classification"]
    write(path, features)


def in_percent(path):
    features = qupath()
    for feature in features:
        feature["properties"]["measurements"] = {"Detection probability": 95.0}
    write(path, features)


def no_entry(path):
    content = cellvit({"1": "A", "2": "B", "3": "C"})
    content["cells"][3] = "x"
    write(path, content)


def damaged_gzip(path):
    content = bytearray(gzip.compress(json.dumps(qupath()).encode()))
    content[200:260] = bytes(60)
    path.write_bytes(content)


def unnamed_number(path):
    write(path, cellvit({"1": "Neoplastic"}))


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("a.geojson", not_json, "no JSON array or object"),
        ("a.geojson", cut_short, "no JSON|ends in the middle"),
        ("a.geojson.gz", cut_gzip, "cannot be read|ends in the middle|no JSON"),
        ("a.geojson", without_array, "none of the keys"),
        ("a.geojson", of_lines, "LineString"),
        ("a.geojson", far_outside, "of another slide, or of a larger picture"),
        ("a.geojson", without_area, "outline without area"),
        ("a.geojson", points_and_outlines, "one kind each"),
        ("a.geojson", annotations_alone, "none of its 1 entries is a nucleus"),
        ("a.json", cells_without_a_name, "60 of 60 nuclei have no place"),
        ("a.geojson", without_types, "60 of 60 nuclei have no type"),
        ("a.geojson", in_percent, "are they percent"),
        ("a.json", no_entry, "not as its tool writes it"),
        ("a.geojson.gz", damaged_gzip, "cannot be read|no JSON"),
        ("a.json", unnamed_number, "of type [23], type_map has"),
        ("a.csv", lambda p: p.write_text("x,y\n1,2\n"), "no column says the type"),
        ("a.csv", lambda p: p.write_text("type,row\nA,2\n"), "no columns say where"),
        ("a.csv", lambda p: p.write_text("x,y,type\n?,?,A\n1,2,A\n"), "1 of 2 cells of the column of x are no number"),
        ("a.parquet", lambda p: p.write_bytes(b"PAR1 no"), "cannot be read"),
        ("a.xml", lambda p: p.write_text("<x/>"), "nuclei are read from"),
        ("a.csv", lambda p: p.write_text("geometry,type\nHALLO,A\n"), "neither WKB nor WKT"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, make, said):
    make(tmp_path / name)
    with pytest.raises(Unusable, match=said):
        read_nuclei(tmp_path / name, SLIDE)


def test_no_nuclei_is_a_slide_without_nuclei(tmp_path):
    for name, text in (("a.geojson", '{"features": []}'), ("b.json", "[]"), ("c.csv", "x,y,type\n")):
        (tmp_path / name).write_text(text)
        assert len(read_nuclei(tmp_path / name, SLIDE)) == 0


def test_a_nucleus_that_stands_twice_is_one(tmp_path):
    features = qupath()
    check(read_nuclei(write(tmp_path / "a.geojson", features + features[:10]), SLIDE))


def test_nuclei_that_are_not_of_this_tissue_are_noticed():
    """In µm, or of a lower level; x and y swapped; another slide; a region of it alone."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(range(0, 9000, 224), range(0, 1300, 224))
    tiles = pd.DataFrame({"x": x.ravel() + 200, "y": y.ravel() + 100})
    nuclei = pd.DataFrame(rng.uniform((200, 100), (9100, 1400), (3000, 2)), columns=["x", "y"])
    check_on_tiles(nuclei, tiles, 224, "a.csv")
    check_on_tiles(nuclei, tiles.iloc[::12], 224, "a.csv")
    half = pd.concat([tiles, tiles.assign(x=tiles["x"] + 112)])
    check_on_tiles(nuclei, half, 224, "a.csv")
    for factor in (0.25, 0.5):
        with pytest.raises(Unusable, match="in µm or of a smaller picture"):
            check_on_tiles(nuclei * factor, tiles, 224, "a.csv")
    for wrong in (nuclei.rename(columns={"x": "y", "y": "x"}), nuclei.assign(y=9000 - nuclei["y"])):
        with pytest.raises(Unusable, match="swapped, or are they of another slide|hold no nucleus"):
            check_on_tiles(wrong, tiles, 224, "a.csv")
    with pytest.raises(Unusable, match="was only a region looked at"):
        check_on_tiles(nuclei[nuclei["x"] > 5500], tiles, 224, "a.csv")
    check_on_tiles(nuclei.iloc[:20] * 0.1, tiles, 224, "a.csv")


def test_parts_of_a_nucleus_are_one_and_annotations_none(tmp_path):
    """QuPath's detections of several parts, its old annotations and tables; WKB of several parts."""
    features = qupath()[:-1]
    speck = [[10, 10], [11, 10], [11, 11], [10, 10]]
    for feature in features:
        whole = feature["geometry"]["coordinates"]
        feature["geometry"] = {"type": "MultiPolygon", "coordinates": [[speck], whole]}
    old = {"type": "Feature", "id": "PathAnnotationObject", "properties": {"classification": {"name": "Tumor"}}}
    old["geometry"] = {"type": "Polygon", "coordinates": [[[0, 0], [3000, 0], [3000, 2000], [0, 0]]]}
    check(read_nuclei(write(tmp_path / "a.geojson", [*features, old]), SLIDE))
    outlines, types, _ = drawn()
    shapes = [shapely.MultiPolygon([shapely.Polygon(speck), shapely.Polygon(o)]) for o in outlines]
    pd.DataFrame({"geometry": shapely.to_wkb(shapes), "type": types}).to_parquet(tmp_path / "a.parquet")
    check(read_nuclei(tmp_path / "a.parquet", SLIDE), ("x", "y", "area_um2", "perimeter_um"))
    rows = truth()[["x", "y", "type"]].rename(
        columns={"x": "Centroid X px", "y": "Centroid Y px", "type": "Classification"}
    )
    rows["Object type"] = "Detection"
    extra = pd.DataFrame({"Centroid X px": [5], "Centroid Y px": [5], "Object type": ["Annotation"]})
    pd.concat([rows, extra]).to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    check(read_nuclei(tmp_path / "a.tsv", SLIDE), ("x", "y"))


def test_types_need_a_role_and_a_slide_a_file(tmp_path):
    write(tmp_path / "s1.geojson", qupath())
    source = FromFiles(tmp_path, "{slide_id}.geojson", {"Neoplastic": "tumour", "Connective": "stroma"})
    row = {"slide_id": "s1", "mpp": 0.25, "width": 4000, "height": 3000, "bounds_x": 0, "bounds_y": 0, "tile_px": 448}
    with pytest.raises(Unusable, match="cells.roles, if it is so: Inflammatory: immune"):
        source.nuclei(row, pd.DataFrame({"x": [0], "y": [0]}))
    with pytest.raises(Unusable, match=r"no file of nuclei: .*s2\.geojson"):
        source.nuclei({**row, "slide_id": "s2"}, pd.DataFrame({"x": [0], "y": [0]}))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_shapes_of_outlines_are_those_of_their_pixels(seed):
    """Against scikit-image on drawn polygons, within what pixels tell."""
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 14))
    if np.diff(np.append(angle, angle[0] + 2 * np.pi)).max() > 2:
        return
    radius = rng.uniform(60, 100, 14)
    points = 150 + np.stack([1.4 * radius * np.cos(angle), radius * np.sin(angle)], 1)
    found = Outlines(points, np.array([0, 14])).measures(1.0).iloc[0]
    image = np.zeros((340, 400), np.uint8)
    image[polygon(points[:, 1], points[:, 0], image.shape)] = 1
    names = ("centroid", "area", "axis_major_length", "axis_minor_length", "solidity")
    theirs = regionprops_table(image, properties=names)
    ours = found[["y", "x", "area_um2", "long_um", "short_um", "solidity"]].to_numpy(float)
    np.testing.assert_allclose(ours, [float(v[0]) for v in theirs.values()], rtol=0.02)
    shape = shapely.polygons(points)
    assert found["perimeter_um"] == pytest.approx(shape.length) and found["area_um2"] == pytest.approx(shape.area)
    turned = Outlines(points[::-1], np.array([0, 14])).measures(1.0).iloc[0]
    pd.testing.assert_series_equal(turned, found)


@settings(max_examples=40, deadline=None)
@given(
    entries=st.lists(
        st.recursive(st.none() | st.integers() | st.text(max_size=9), st.lists, max_leaves=6), max_size=12
    ),
    head=st.dictionaries(
        st.text(max_size=5).filter(lambda k: k != "cells"), st.integers() | st.text(max_size=9), max_size=4
    ),
    chunk=st.integers(1, 40),
    indent=st.sampled_from([None, 2]),
)
def test_an_array_is_read_as_json_reads_it(tmp_path_factory, entries, head, chunk, indent):
    """However small the pieces in which the file comes."""
    path = tmp_path_factory.mktemp("json") / "a.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("confuselt.cells.json_array.CHUNK", chunk)
        path.write_text(json.dumps({**head, "cells": entries, "after": [1]}, indent=indent))
        with JsonArray(path, ("cells",)) as array:
            assert list(array) == entries and array.head == head and array.key == "cells"
        path.write_text(json.dumps(entries, indent=indent))
        with JsonArray(path, ("cells",)) as array:
            assert list(array) == entries and array.key is None
