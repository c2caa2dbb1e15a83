"""Slides of a folder by a pattern of their names."""

import pytest

from confuselt.acquire.cohort import read_streams
from confuselt.acquire.folder import find_slides, ignored_slides, is_pattern
from confuselt.acquire.slide_name import slide_fault

CFG = {"acquire.id_column": "patient_id", "acquire.tile": None, "acquire.cells": None}


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def test_patients_stand_in_names(tmp_path):
    touch(tmp_path / "wsi", "P1_a.svs", "P1_b.svs", "P2_x_y.svs", "other.svs", "P3_a.ndpi", "notes.txt", ".P4_a.svs")
    rows = find_slides(tmp_path, "wsi/{patient_id}_*.svs")
    assert [(r["slide_id"], r["patient_id"]) for r in rows] == [("P1_a", "P1"), ("P1_b", "P1"), ("P2_x_y", "P2")]
    assert rows[0]["file"] == "wsi/P1_a.svs"
    # What lies beside is no part of the cohort, and that is said.
    assert ignored_slides(tmp_path, "wsi/{patient_id}_*.svs").endswith(
        f"3 slides of {tmp_path / 'wsi'} fit the pattern, 2 do not and are not used, first P3_a.ndpi, other.svs"
    )
    assert {r["patient_id"] for r in find_slides(tmp_path, "wsi/{patient_id}_*.*")} == {"P1", "P2", "P3"}
    assert [r["patient_id"] for r in find_slides(tmp_path, "wsi/P{patient_id}_a.svs")] == ["1"]
    touch(tmp_path / "all", "P1_a.svs")
    assert ignored_slides(tmp_path, "all/{patient_id}_*.svs") is None


def test_a_name_that_leaves_no_room_for_endings_is_a_reason():
    assert slide_fault("a" * 225) is None and "give it an id of at most 225" in slide_fault("a" * 226)
    assert "leave no room" in slide_fault("\u00fc" * 113)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("none/{patient_id}.svs", "folder .*none is absent"),
        ("wsi/{patient_id}.scn", "none of 1 slides .* fits"),
        ("{patient_id}/a.svs", "in the file's name"),
        ("wsi/{patient}_*.svs", "in the file's name"),
        ("wsi/{patient_id}*.svs", "no id has an end"),
    ],
)
def test_a_pattern_that_finds_nothing_says_why(tmp_path, pattern, said):
    touch(tmp_path / "wsi", "P1.svs")
    with pytest.raises(ValueError, match=said):
        find_slides(tmp_path, pattern)


def test_one_slide_id_for_two_files_is_said(tmp_path):
    touch(tmp_path / "wsi", "P1_a.svs", "P1_a.tif", "P2_a.svs")
    slides = read_streams({}, CFG, find_slides(tmp_path, "wsi/{patient_id}_*.*")).set_index("slide_id")
    assert list(slides["status"]) == ["excluded", "ok"] and "stands in rows 1, 2" in slides.at["P1_a", "reason"]
    assert (
        is_pattern("wsi/{patient_id}.svs")
        and is_pattern("wsi/{patient}_*.svs")
        and not is_pattern("slides.csv")
        and not is_pattern(None)
    )


@pytest.mark.parametrize("mpp", ["abc", "0", "-0.25", "25"])
def test_a_resolution_that_cannot_be_is_a_row_with_its_reason(tmp_path, mpp):
    (tmp_path / "slides.csv").write_text(
        f"slide_id,patient_id,file,mpp\ns1,P1,a.svs,{mpp}\ns2,P2,b.svs,0.25\ns3,P3,c.svs,\n"
    )
    slides = read_streams({"slides": tmp_path / "slides.csv"}, CFG).set_index("slide_id")
    assert (
        list(slides["status"]) == ["excluded", "ok", "ok"]
        and f"row 1: mpp '{mpp}" in slides.at["s1", "reason"]
        and slides.at["s2", "mpp"] == 0.25
    )
