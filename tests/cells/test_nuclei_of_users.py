"""Files of nuclei as users have them: objects that are no nuclei, derived classes, blank cells, a few damaged ones."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
import shapely
from nuclei_files import SLIDE, TYPES, cellvit, check, closed, drawn, qupath, truth, write

from confuselt.cells.finders.table import FromFiles
from confuselt.cells.nuclei_file import read_nuclei
from confuselt.cells.roles import suggested
from confuselt.unusable import Unusable

REGION = [[[100, 100], [3000, 100], [3000, 2000], [100, 2000], [100, 100]]]
SHAPES = ("x", "y", "area_um2", "perimeter_um")


def by_type(kind=None):
    """All nuclei of a type as one feature, of no kind or of one."""
    outlines, types, _ = drawn()
    said = {} if kind is None else {"objectType": kind}
    return [
        {
            "type": "Feature",
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [[closed(o)] for o, t in zip(outlines, types, strict=True) if t == name],
            },
            "properties": {**said, "classification": {"name": name}},
        }
        for name in TYPES
    ]


@pytest.mark.parametrize("said", [{"objectType": k} for k in ("tmaCore", "TMA core", "tile", "Annotation", "root")])
@pytest.mark.parametrize("where", ["properties", "id"])
def test_objects_that_are_no_nuclei_are_left_out(tmp_path, said, where):
    """However a version of QuPath calls them."""
    old = {"tmaCore": "TMACoreObject", "tile": "PathTileObject", "root": "PathRootObject"}
    properties = {"classification": {"name": "Tumor"}, **(said if where == "properties" else {})}
    region = {"geometry": {"type": "Polygon", "coordinates": REGION}, "properties": properties}
    region["id"] = old.get(said["objectType"], "PathAnnotationObject") if where == "id" else "7"
    check(read_nuclei(write(tmp_path / "a.geojson", [region, *qupath()]), SLIDE))


def test_the_kind_of_qupath_0_3(tmp_path):
    features = qupath()
    for feature in features:
        feature["properties"]["object_type"] = feature["properties"].pop("objectType")
    check(read_nuclei(write(tmp_path / "a.geojson", features), SLIDE))


def test_nuclei_of_a_type_in_one_feature(tmp_path):
    """Of no kind they are nuclei; of the kind of a nucleus they are refused, in a table too."""
    check(read_nuclei(write(tmp_path / "a.geojson", by_type()), SLIDE), SHAPES)
    for kind in ("detection", "cell"):
        with pytest.raises(Unusable, match=f"a {kind} has [0-9]+ parts; wanted is a feature per nucleus"):
            read_nuclei(write(tmp_path / "a.geojson", by_type(kind)), SLIDE)
    outlines, types, _ = drawn()
    frame = pd.DataFrame({"type": types, "shape": [shapely.Polygon(o) for o in outlines]})
    merged = frame.groupby("type")["shape"].agg(lambda shapes: shapely.MultiPolygon(list(shapes))).reset_index()
    merged.assign(geometry=shapely.to_wkb(merged["shape"])).drop(columns="shape").to_parquet(tmp_path / "a.parquet")
    with pytest.raises(Unusable, match="more than 8 parts; wanted is a row per nucleus"):
        read_nuclei(tmp_path / "a.parquet", SLIDE)


def test_a_stray_object_hides_no_nuclei(tmp_path):
    with pytest.raises(Unusable, match="1 objects stand alone, and 60 outlines in annotations of many"):
        read_nuclei(write(tmp_path / "a.geojson", [*by_type("annotation"), qupath()[0]]), SLIDE)


def test_regions_are_no_nuclei(tmp_path):
    """The wrong export: tissue as an annotation of parts, or as polygons of no kind; one among nuclei is left out."""
    tissue = {"geometry": {"type": "MultiPolygon", "coordinates": [REGION] * 3}}
    tissue["properties"] = {"objectType": "annotation", "classification": {"name": "Tumor"}}
    with pytest.raises(Unusable, match="3 of 3 nuclei are not between 0 and 5000 µm² large"):
        read_nuclei(write(tmp_path / "a.geojson", [tissue]), SLIDE)
    region = {"geometry": {"type": "Polygon", "coordinates": REGION}, "properties": {"classification": "Tumor"}}
    check(read_nuclei(write(tmp_path / "a.geojson", [region, *qupath()]), SLIDE))


@pytest.mark.parametrize("area", [-1.0, 0.0, 1e12, np.inf])
def test_an_area_that_is_none(tmp_path, area):
    points = truth()[["x", "y", "type", "area_um2"]]
    odd = pd.concat([points, points.iloc[:2].assign(x=9.0, y=[9.0, 10.0], area_um2=area)])
    odd.to_csv(tmp_path / "a.csv", index=False)
    check(read_nuclei(tmp_path / "a.csv", SLIDE), ("x", "y", "area_um2"))
    points.assign(area_um2=area).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(Unusable, match="60 of 60 nuclei are not between"):
        read_nuclei(tmp_path / "a.csv", SLIDE)


def test_a_table_of_annotations_alone(tmp_path):
    rows = pd.DataFrame({"Centroid X px": [5, 9], "Centroid Y px": [5, 9], "Classification": "Tumor"})
    rows.assign(**{"Object type": "Annotation"}).to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    with pytest.raises(Unusable, match="none of its 2 rows is a nucleus"):
        read_nuclei(tmp_path / "a.tsv", SLIDE)


@pytest.mark.parametrize("shape", [None, {}, {"type": "Polygon", "coordinates": []}, {"type": "Polygon"}])
def test_nuclei_without_a_shape_are_counted(tmp_path, shape, caplog):
    features = qupath()
    more = [{**copy.deepcopy(feature), "geometry": shape} for feature in features[:40]]
    check(read_nuclei(write(tmp_path / "a.geojson", features + more[:3]), SLIDE))
    assert "3 of 63 nuclei have no place" in caplog.text
    with pytest.raises(Unusable, match="40 of 100 nuclei have no place"):
        read_nuclei(write(tmp_path / "a.geojson", features + more), SLIDE)


def test_a_few_without_a_type_are_told(tmp_path, caplog):
    features = qupath()
    for feature in features[:3]:
        del feature["properties"]["classification"]
    assert read_nuclei(write(tmp_path / "a.geojson", features), SLIDE)["type"].isna().sum() == 3
    assert "3 of 60 nuclei have no type" in caplog.text


def test_nuclei_at_one_place_are_no_nuclei(tmp_path):
    truth()[["x", "y", "type"]].assign(x=7, y=7, type="A").to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(Unusable, match="59 of 60 nuclei stand where another of their type stands"):
        read_nuclei(tmp_path / "a.csv", SLIDE)


def test_a_derived_class_has_one_name(tmp_path):
    """In GeoJSON of QuPath 0.4 and 0.3, and in its table."""
    features, old = qupath(), qupath()
    for new, before in zip(features[:-1], old[:-1], strict=True):
        name = new["properties"]["classification"]["name"]
        new["properties"]["classification"] = {"names": [name, "Positive"], "color": [1, 2, 3]}
        before["properties"]["classification"] = {"name": "Positive", "parentClass": {"name": name}}
    wanted = {f"{name}: Positive" for name in TYPES}
    for content in (features, old):
        assert set(read_nuclei(write(tmp_path / "a.geojson", content), SLIDE)["type"]) == wanted


def test_numbered_classes_are_named_alike(tmp_path):
    """Class 0 is a class; a blank cell in a column of whole numbers changes no name; so do floats in JSON."""
    features = qupath()
    for k, feature in enumerate(features[:-1]):
        del feature["properties"]["classification"]
        feature["properties"]["class"] = k % 2
    assert set(read_nuclei(write(tmp_path / "a.geojson", features), SLIDE)["type"]) == {"0", "1"}
    numbers = pd.Series([*[0, 1] * 29, 1, None], dtype="Int64")
    truth()[["x", "y"]].assign(type=numbers).to_parquet(tmp_path / "a.parquet")
    assert set(read_nuclei(tmp_path / "a.parquet", SLIDE)["type"].dropna()) == {"0", "1"}
    content = cellvit({"1": "Neoplastic", "2": "Inflammatory", "3": "Connective"})
    for cell in content["cells"]:
        cell["type"] = float(cell["type"])
    check(read_nuclei(write(tmp_path / "a.json", content), SLIDE))


@pytest.mark.parametrize("step", [0.01, 0.1, 1.0])
def test_an_outline_that_cancels_itself_moves_no_nucleus(tmp_path, step):
    x, y = 500, 500
    bow = [[x - 10, y - 10], [x + 10, y + 10 + step], [x + 10, y - 10], [x - 10, y + 10], [x - 10, y - 10]]
    odd = copy.deepcopy(qupath()[0])
    odd["geometry"]["coordinates"] = [bow]
    check(read_nuclei(write(tmp_path / "a.geojson", [odd, *qupath()]), SLIDE))


def test_one_contour_of_a_point_costs_no_slide(tmp_path):
    content = cellvit({"1": "Neoplastic", "2": "Inflammatory", "3": "Connective"})
    for contour in ([[9, 9]], [], [[9, 9], [10, 10]]):
        content["cells"].append({**content["cells"][0], "contour": contour})
    check(read_nuclei(write(tmp_path / "a.json", content), SLIDE))


@pytest.mark.parametrize("column", ["area_um2", "probability", "x"])
@pytest.mark.parametrize("text", ["50,5", "50 µm", "93%"])
def test_numbers_in_another_writing_are_told(tmp_path, column, text):
    table = truth()[["x", "y", "type", "probability", "area_um2"]].astype({column: object})
    table[column] = text
    table.to_csv(tmp_path / "a.csv", index=False, sep=";")
    with pytest.raises(Unusable, match=f"60 of 60 cells of the column of {column} are no number, such as '{text}'"):
        read_nuclei(tmp_path / "a.csv", SLIDE)


def test_columns_that_may_both_be_meant(tmp_path):
    truth()[["x", "y", "type"]].assign(X=1).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(Unusable, match="columns 'x' and 'X' may both be that of x"):
        read_nuclei(tmp_path / "a.csv", SLIDE)
    rows = truth()[["x", "y", "type"]].rename(columns={"y": "y_um"})
    rows.assign(x_um=rows["x"] / 4, y_um=rows["y_um"] / 4).to_csv(tmp_path / "a.csv", index=False)
    check(read_nuclei(tmp_path / "a.csv", SLIDE), ("x", "y"))


def test_a_parquet_table_with_an_index(tmp_path):
    truth()[["x", "y", "type"]].set_index("type").to_parquet(tmp_path / "a.PARQUET")
    check(read_nuclei(tmp_path / "a.PARQUET", SLIDE), ("x", "y"))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("parts", [True, False])
def test_a_blank_outline_is_a_nucleus_lost(tmp_path, first, parts, caplog):
    outlines, types, _ = drawn()
    shapes = [shapely.MultiPolygon([shapely.Polygon(o)]) if parts else shapely.Polygon(o) for o in outlines]
    rows = [*zip(shapely.to_wkb(shapes), types, strict=True)]
    for blank in (None, shapely.to_wkb(shapely.MultiPolygon()), shapely.to_wkb(shapely.Polygon())):
        rows.insert(0 if first else 30, (blank, "Connective"))
    pd.DataFrame(rows, columns=["geometry", "type"]).to_parquet(tmp_path / "a.parquet")
    check(read_nuclei(tmp_path / "a.parquet", SLIDE), SHAPES)
    assert "3 of 63 nuclei have no place" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "x,y,type,Fläche µm\n1,2,A,3\n".encode("cp1252"), "no text in UTF-8"),
        ("a.csv", "x,y,type\n1,2,A\n".encode("utf-16"), "no text in UTF-8"),
        ("a.geojson", json.dumps(qupath()).encode("utf-16"), "no text in UTF-8"),
        ("a.geojson", b"\x1f\x8b\x08\x00", "end in .gz where it is packed"),
        ("a.geojson", json.dumps({"mag": 40, "nuc": {"1": {}}}).encode(), r"has \['mag', 'nuc'\]"),
        ("a.json", b"[" * 99_999, "not as its tool writes it|no JSON|ends in the middle"),
        (
            "a.json",
            json.dumps({"cells": [{"centroid": [10**400, 2], "type": "A"}]}).encode(),
            "not as its tool writes it",
        ),
    ],
    ids=["cp1252", "utf-16", "utf-16 json", "packed", "hovernet", "deep", "huge"],
)
def test_a_damaged_file_is_told(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unusable, match=said):
        read_nuclei(tmp_path / name, SLIDE)


def test_a_name_tells_its_role_by_what_it_is_not_where_it_lies():
    types = {
        "Tumor-infiltrating lymphocyte": "immune",
        "Cancer associated fibroblast": "stroma",
        "Tumor stroma": "stroma",
        "Stromal lymphocyte": "immune",
        "Normal stroma": "stroma",
        "Plasmocytes": "immune",
        "sTIL": "immune",
        "neopla": "tumour",
        "connec": "stroma",
        "Minor Stromal Cell": "stroma",
        "Tumor: Positive": "tumour",
        "reptile": "other",
    }
    assert suggested(types) == types


def test_places_begin_where_the_tool_counts_from(tmp_path):
    """On a slide of which the scanner has seen a part; without a word nothing is guessed."""
    truth()[["x", "y", "type"]].to_csv(tmp_path / "s1.csv", index=False)
    row = {
        "slide_id": "s1",
        "mpp": 0.25,
        "width": 9000,
        "height": 9000,
        "tile_px": 448,
        "bounds_x": 3000,
        "bounds_y": 70,
    }
    tiles = pd.DataFrame({"x": [0], "y": [0]})
    roles = dict.fromkeys(TYPES, "other")
    for origin, moved in (("slide", (0, 0)), ("bounds", (3000, 70))):
        found = FromFiles(tmp_path, "{slide_id}.csv", roles, origin).nuclei(row, tiles)[0]
        check(found.assign(x=found["x"] - moved[0], y=found["y"] - moved[1]), ("x", "y"))
    with pytest.raises(
        Unusable, match=r"s1\.csv: the scanner has seen this slide from \(3000, 70\) on; say in cells.ori"
    ):
        FromFiles(tmp_path, "{slide_id}.csv", roles).nuclei(row, tiles)
    whole = {**row, "bounds_x": 0, "bounds_y": 0}
    check(FromFiles(tmp_path, "{slide_id}.csv", roles).nuclei(whole, tiles)[0], ("x", "y"))
