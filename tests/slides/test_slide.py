"""Reading slides: as OpenSlide does, at the true µm per pixel, and clear words where a file cannot be used."""

import numpy as np
import openslide
import pytest
from conftest import shared
from slides.drawn import drawn_slide

from confuselt.simulate.svs import write_svs
from confuselt.slides import opening
from confuselt.slides.reader import Unreadable
from confuselt.slides.readers.tiled_tiff import TiledTiff
from confuselt.slides.slide import Slide, Wanted
from confuselt.unusable import Unusable


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "a.svs"
    return path, drawn_slide(path)


def test_level_0_is_what_openslide_reads(drawn):
    path, _ = drawn
    theirs = np.asarray(openslide.OpenSlide(path).read_region((301, 203), 0, (224, 224)).convert("RGB"))
    np.testing.assert_array_equal(Slide(path).read(301, 203, 224, 224, (224, 224)), theirs)


def test_a_coarser_resolution_has_the_same_field_of_view(drawn):
    """Read at a quarter, from a lower level, the picture is the area mean of level 0: nothing is shifted or scaled."""
    path, shown = drawn
    slide = Slide(path)
    coarse = slide.read(160, 80, 896, 896, (112, 112)).astype(float)
    exact = shown.image[80:976, 160:1056].reshape(112, 8, 112, 8, 3).mean((1, 3))
    assert np.abs(coarse - exact).mean() < 6  # JPEG, twice
    shifted = shown.image[88:984, 160:1056].reshape(112, 8, 112, 8, 3).mean((1, 3))
    assert np.abs(coarse - exact).mean() < 0.5 * np.abs(coarse - shifted).mean()


def test_the_whole_slide_is_read_in_bands_of_bounded_size(drawn, monkeypatch):
    """A slide without a pyramid is read as one of many levels: little at a time, and the same picture."""
    path, _ = drawn
    at_once = Slide(path).whole(4.0)
    boxes, slide = [], Slide(path)
    inner = slide._reader.read
    monkeypatch.setattr(slide._reader, "read", lambda *where: boxes.append(where[2]) or inner(*where))
    monkeypatch.setattr("confuselt.slides.slide.BAND", 4_000)
    banded = slide.whole(4.0)
    assert len(boxes) > 5 and max(w * h for _, _, w, h in boxes) <= 1.1 * 4_000
    assert banded.shape == at_once.shape
    beside = np.abs(banded.astype(int)[1:] - at_once[:-1]).mean()
    assert np.abs(banded.astype(int) - at_once).mean() < 0.4 * beside  # each band to whole pixels of its own


def test_outside_of_the_slide_is_white(drawn):
    path, shown = drawn
    h, w = shown.image.shape[:2]
    read = Slide(path).read(w - 50, h - 50, 100, 100, (100, 100))
    assert (read[60:, 60:] == 255).all()


def test_resolution_of_the_sheet_goes_before_that_of_the_file(drawn):
    path, _ = drawn
    assert (Slide(path).mpp, Slide(path).mpp_source) == (0.5, "file")
    assert (Slide(path, 0.25).mpp, Slide(path, 0.25).mpp_source) == (0.25, "sheet")


def test_bounds_of_the_file_are_those_of_the_slide(drawn, monkeypatch):
    path, _ = drawn
    assert Slide(path).bounds == (0, 0)
    bounds = {"openslide.bounds-x": "700", "openslide.bounds-y": "30"}
    opened = opening.open_reader
    monkeypatch.setattr("confuselt.slides.slide.open_reader", lambda *a: (opened(*a)[0], {**opened(*a)[1], **bounds}))
    assert Slide(path).bounds == (700, 30)


def test_files_that_cannot_be_used_say_why(tmp_path, drawn):
    path, _ = drawn
    (tmp_path / "empty.svs").touch()
    (tmp_path / "text.svs").write_text("no slide")
    (tmp_path / "cut.svs").write_bytes(path.read_bytes()[:2000])
    drawn_slide(tmp_path / "silent.svs", stated=None)
    for name, words in (
        ("absent.svs", "listed but absent"),
        ("empty.svs", "the file is empty"),
        ("text.svs", "cannot be opened as a slide"),
        ("cut.svs", "cannot be opened as a slide|cannot be read"),
        ("silent.svs", "does not say its µm per pixel; give it in a column mpp"),
    ):
        with pytest.raises(Unusable, match=words) as fault:
            Slide(tmp_path / name).read(0, 0, 500, 500, (500, 500))
        assert name in str(fault.value)
    assert Slide(tmp_path / "silent.svs", 0.5).mpp == 0.5


def holed(path, size=240):
    """A copy of a slide in which one stored tile of level 0 is zeros, and its place."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        across = -(-page.imagewidth // size)
        number = across + 2
        start, length = page.dataoffsets[number], page.databytecounts[number]
    raw = bytearray(path.read_bytes())
    raw[start : start + length] = bytes(length)
    copy = path.with_name("holed.svs")
    copy.write_bytes(raw)
    return copy, 2 * size, size


@pytest.mark.parametrize("direct", [True, False])
def test_a_broken_place_costs_the_tiles_that_need_it_and_no_others(drawn, monkeypatch, caplog, direct):
    path, _ = drawn
    if not direct:
        monkeypatch.setattr("confuselt.slides.opening.VENDORS", ())
    whole, broken = Slide(path), holed(path)
    slide, left, top = Slide(broken[0]), *broken[1:]
    assert isinstance(slide._reader, TiledTiff) is direct
    coords = np.array([(x, y) for y in range(0, 1000, 100) for x in range(0, 1300, 100)])
    touched = (np.abs(coords + 50 - (left + 120, top + 120)) < 120 + 50).all(1)
    found = {}
    for at, pixels in slide.tiles(coords, Wanted(100, 100)):
        found.update(zip(at.tolist(), pixels, strict=True))
    assert sorted(found) == np.flatnonzero(~touched).tolist() and touched.sum() == 12
    for at, pixels in whole.tiles(coords, Wanted(100, 100)):
        for number, picture in zip(at, pixels, strict=True):
            if not touched[number]:
                np.testing.assert_array_equal(found[number], picture)
    assert "12 of 130 tiles cannot be read, first the one at" in caplog.text
    with pytest.raises(Unusable, match=r"holed.svs: cannot be read at \(500, 300\)"):
        slide.read(500, 300, 50, 50, (50, 50))
    with pytest.raises(Unusable, match="holed.svs: 12 of 12 tiles cannot be read"):
        list(slide.tiles(coords[touched], Wanted(100, 100)))


def test_a_margin_that_is_broken_is_white_and_its_tile_is_there(drawn):
    path, _ = drawn
    broken, left, top = holed(path)
    slide, side = Slide(broken), 100
    coords = np.array([[left - side, top], [0, 0], [left, top], *([[0, 300]] * 10)])
    found = {}
    for at, pixels in slide.tiles(coords, Wanted(side, side + 40, margin=20)):
        found.update(zip(at.tolist(), pixels, strict=True))
    assert sorted(found) == [0, 1, *range(3, 13)]
    expected = Slide(path).read(left - side - 20, top - 20, side + 40, side + 40, (side + 40,) * 2)
    np.testing.assert_array_equal(found[0][20:-20, 20:-20], expected[20:-20, 20:-20])
    assert (found[0][:, -20:] == 255).all()
    assert (found[1][:20] == 255).all() and (found[1][20:, 20:] != 255).any()


def test_the_overview_is_made_around_a_broken_place(tmp_path, monkeypatch):
    """From the finer level where there is one, else white, and no more of it than is broken."""
    drawn_slide(path := tmp_path / "a.svs", mpp=0.25, stated=0.25, width_um=700)
    reference = Slide(path).whole(4.0).astype(int)
    for white, bad in ((False, {(2, 0)}), (True, {(2, 0), (1, 0), (0, 0), (0, 1)})):
        slide = Slide(path)
        inner = slide._reader._tile

        def tile(of, reduction, number, inner=inner, bad=bad):
            if (of, number) in bad:
                raise Unreadable("broken here")
            return inner(of, reduction, number)

        monkeypatch.setattr(slide._reader, "_tile", tile)
        shown = slide.whole(4.0).astype(int)
        other = (np.abs(shown - reference).max(2) > 40).mean()
        assert shown.shape == reference.shape and other < (0.05 if white else 0.001)
        assert ((shown == 255).all(2).mean() > 0.005) == white


def test_a_real_slide(tmp_path):
    slide = Slide(shared("slides", "CMU-1-Small-Region.svs"))
    assert (slide.width, slide.height) == (2220, 2967) and slide.mpp == pytest.approx(0.499)


@pytest.mark.parametrize("along", [0, 1])
@pytest.mark.parametrize("reader", ["tiled_tiff", "openslide"])
def test_the_field_of_view_of_a_tile_is_true_at_any_resolution(tmp_path, reader, along):
    """Every level of a pyramid whose sides do not divide: a ramp of grey tells where each column and row comes from."""
    noise, side = np.random.default_rng(0), (701, 603)[along]
    ramp = 20 + 200 * (np.arange(side) + 0.5) / side
    grey = np.round(ramp + noise.uniform(-0.5, 0.5, ((603, 701)[along], side)))  # dithered: no steps
    grey = grey if along == 0 else grey.T
    write_svs(tmp_path / "a.svs", np.repeat(grey[..., None], 3, 2).astype(np.uint8), 0.5)
    for mpp in (0.2, 0.2275, 0.25, 0.2525, 0.313, 0.4, 0.499, 0.5, 0.55, 0.6):
        slide = Slide(tmp_path / "a.svs", mpp, reader)
        size = round(224 * 0.5 / mpp)
        _, pixels = next(slide.tiles(np.array([[31, 27]]), Wanted(size, 224)))
        seen = (pixels[0].mean((along, 2)) - 20) * side / 200  # level-0 pixels
        slope, first = np.polyfit(np.arange(224), seen, 1)
        assert slope * 224 * mpp == pytest.approx(112, rel=0.005), mpp
        assert first + slope * 111.5 == pytest.approx((31, 27)[along] + size / 2, abs=1.5), mpp
