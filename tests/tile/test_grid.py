"""Tissue against the truth of drawn slides; tiles where tissue is, none under pen, none out of focus."""

import json

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import shared
from hypothesis import given
from hypothesis import strategies as st
from slides.drawn import CFG, drawn_slide

from confuselt.slides.group import run_group
from confuselt.slides.groups import group_of
from confuselt.slides.kept import fit_key, keep_or_make
from confuselt.slides.slide import Slide
from confuselt.tables import read_table
from confuselt.tile.grid import cut, focus, overview
from confuselt.tile.group import tile_slide
from confuselt.tile.schema import GRID, TILE_INDEX
from confuselt.tile.tissue import MPP, find_tissue
from confuselt.unusable import Unusable


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "plain.svs"
    drawn = drawn_slide(path)
    return path, drawn, cut(Slide(path), CFG)


def test_tissue_is_where_it_was_drawn(plain):
    _, drawn, grid = plain
    truth = cv2.resize(drawn.tissue.astype(np.float32), grid.tissue.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
    assert (truth & grid.tissue).sum() / (truth | grid.tissue).sum() > 0.85
    assert not grid.pen.any()


def test_tiles_hold_tissue_lie_on_a_grid_and_have_the_wanted_resolution(plain):
    _, drawn, grid = plain
    assert 8 <= len(grid.tiles) <= 24 and not grid.tiles.duplicated(["x", "y"]).any()
    assert (grid.tiles[["x", "y"]] % 224 == 0).all().all() and grid.facts["tile_mpp"] == 0.5
    true = [
        drawn.tissue[y : y + 224, x : x + 224].mean() for x, y in zip(grid.tiles["x"], grid.tiles["y"], strict=True)
    ]
    assert np.abs(grid.tiles["tissue"] - true).max() < 0.25 and np.mean(true) > 0.6


def test_a_finer_slide_gives_tiles_of_the_same_size_in_um(tmp_path):
    drawn_slide(tmp_path / "fine.svs", mpp=0.25, stated=0.252, width_um=400)
    grid = cut(Slide(tmp_path / "fine.svs"), CFG)
    assert grid.facts["tile_px"] == round(112 / 0.252) and grid.facts["tile_mpp"] == pytest.approx(0.5, rel=2e-3)


def test_pen_and_blur_are_seen(tmp_path):
    drawn = drawn_slide(tmp_path / "marked.svs", seed=3, width_um=900, artefacts=("pen", "blur"))
    slide = Slide(tmp_path / "marked.svs")
    grid = cut(slide, {**CFG, "tile.min_focus": 0})
    image = slide.whole(MPP)
    tissue, pen = find_tissue(image, MPP)
    assert pen.any() and not (tissue & pen).any()
    blurred = np.array(
        [drawn.artefact[y : y + 224, x : x + 224].mean() for x, y in zip(grid.tiles["x"], grid.tiles["y"], strict=True)]
    )
    assert (blurred > 0.98).any() and grid.tiles["focus"][blurred > 0.98].max() < 2.5 < grid.tiles["focus"][
        blurred == 0
    ].min()
    kept = cut(slide, CFG)
    assert kept.left_out["out of focus"] >= 1 and len(kept.tiles) < len(grid.tiles)
    assert overview(kept, slide).shape == image.shape


def test_focus_falls_with_blur():
    rng = np.random.default_rng(0)
    tile = cv2.resize(rng.integers(80, 220, (56, 56, 3), dtype=np.uint8), (224, 224), interpolation=cv2.INTER_CUBIC)
    values = [focus(cv2.GaussianBlur(tile, (0, 0), s)) for s in (0.5, 2, 6)]
    assert values[0] > values[1] > values[2]


def test_nothing_to_tile_has_its_reason(tmp_path):
    from confuselt.simulate.svs import write_svs

    glass = np.full((900, 1200, 3), 243, np.uint8)
    write_svs(tmp_path / "glass.svs", glass, 0.5)
    with pytest.raises(Unusable, match="glass.svs: no tissue found"):
        cut(Slide(tmp_path / "glass.svs"), CFG)
    drawn_slide(tmp_path / "small.svs", width_um=300)
    with pytest.raises(Unusable, match=r"small.svs: no tile of 112 µm has 100% tissue .* \(the fullest has"):
        cut(Slide(tmp_path / "small.svs"), {**CFG, "tile.min_tissue": 1.0})
    drawn_slide(tmp_path / "coarse.svs", mpp=1.0, stated=1.0)
    with pytest.raises(Unusable, match="1 µm per pixel at best, tiles of 0.5 are wanted"):
        cut(Slide(tmp_path / "coarse.svs"), CFG)


def test_a_group_goes_on_after_a_broken_slide_and_keeps_what_fits(tmp_path):
    for name in ("a", "b"):
        drawn_slide(tmp_path / f"{name}.svs", seed=ord(name), width_um=500)
    (tmp_path / "c.svs").write_text("no slide")
    rows = [
        {"slide_id": n, "patient_id": f"P{n}", "file": f"{n}.svs", "mpp": None, "reader": "tiled_tiff"} for n in "abc"
    ] + [{"slide_id": "d", "patient_id": "Pd", "file": None, "mpp": None, "reader": "tiled_tiff"}]
    out = tmp_path / "out"

    def index():
        return run_group(rows, lambda row: tile_slide(row, tmp_path, out, CFG), TILE_INDEX, out).set_index("slide_id")

    first = index()
    assert (
        first["status"].to_dict() == {"a": "ok", "b": "ok", "c": "excluded", "d": "excluded"}
        and first.loc["d", "reason"] == "the slide sheet names no file"
    )
    grid = read_table(out / "a.parquet", GRID)
    meta = json.loads(pq.read_schema(out / "a.parquet").metadata[b"meta"])
    assert (
        len(grid) == first.loc["a", "n"] and meta["slide_id"] == "a" and meta["mpp"] == 0.5 and (out / "a.png").exists()
    )
    stamps = {n: (out / f"{n}.parquet").stat().st_mtime_ns for n in "ab"}
    drawn_slide(tmp_path / "b.svs", seed=9, width_um=500)
    second = index()
    assert (out / "a.parquet").stat().st_mtime_ns == stamps["a"] and (out / "b.parquet").stat().st_mtime_ns != stamps[
        "b"
    ]
    assert len(list(out.iterdir())) == 6 and not list(out.glob(".partial*"))
    (tmp_path / "b.svs").write_text("no slide either")
    assert index().loc["b", "status"] == "excluded" and {p.name for p in out.iterdir()} == {
        "a.parquet",
        "a.png",
        ".a.parquet.json",
    }
    # What an earlier stage excluded leaves nothing either.
    rows[0]["reason"] = "excluded at acquire: no more"
    assert index().loc["a", "reason"] == "excluded at acquire: no more" and not list(out.iterdir())
    assert second.loc["a", "sha"] == first.loc["a", "sha"] and second.loc["b", "sha"] != first.loc["b", "sha"]


def test_a_file_is_made_anew_exactly_when_it_no_longer_fits(tmp_path):
    made = []

    def make(partial):
        made.append(1)
        partial.write_text("x")
        return {"n": len(made)}

    path = tmp_path / "s.h5"
    assert keep_or_make(path, fit_key("row", 1), make) == {"n": 1} == keep_or_make(path, fit_key("row", 1), make)
    assert keep_or_make(path, fit_key("row", 2), make) == {"n": 2}
    path.unlink()
    assert keep_or_make(path, fit_key("row", 2), make) == {"n": 3}

    def killed(partial):
        partial.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep_or_make(path, fit_key("row", 3), killed)
    assert keep_or_make(path, fit_key("row", 2), make) == {"n": 4}, "the record went before the file was touched"

    picture = tmp_path / "s.png"
    assert keep_or_make(path, fit_key("row", 2), make, [picture]) == {"n": 5}, "what lies beside is missing"
    picture.touch()
    assert keep_or_make(path, fit_key("row", 2), make, [picture]) == {"n": 5}

    def unusable(partial):
        raise Unusable("no tissue")

    with pytest.raises(Unusable):
        keep_or_make(path, fit_key("row", 4), unusable, [picture])
    assert not list(tmp_path.glob("[!.]*")), "nothing is left of what the slide once was"


@given(st.lists(st.text(min_size=1), unique=True), st.integers(1, 40))
def test_a_group_follows_from_the_id_alone(ids, groups):
    assert all(0 <= group_of(i, groups) < groups for i in ids)
    # Fixed: were they salted per process, as hash() is, every run would make every slide anew.
    assert [group_of(f"TCGA-A1-{i:04d}", 128) for i in range(5)] == [58, 56, 16, 80, 112]


def test_a_real_slide_is_tiled(tmp_path):
    slide = Slide(shared("slides", "CMU-1-Small-Region.svs"))
    grid = cut(slide, CFG)
    # Measured 2026-11: 49 tiles, the least sharp 8.8.
    assert (
        40 <= len(grid.tiles) <= 60 and grid.tiles["focus"].min() > 5 and grid.left_out == {"pen": 0, "out of focus": 0}
    )
