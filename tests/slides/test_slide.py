"""Reading slides: as OpenSlide does, at the true µm per pixel, and clear words where a file cannot be used."""

import numpy as np
import openslide
import pytest
from conftest import shared
from slides.drawn import drawn_slide

from confuselt.slides.slide import Slide
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
    reads, slide = [], Slide(path)
    inner = slide._slide.read_region
    monkeypatch.setattr(
        slide._slide, "read_region", lambda at, level, shape: reads.append(shape) or inner(at, level, shape)
    )
    monkeypatch.setattr("confuselt.slides.slide.BAND", 10_000)
    banded = slide.whole(4.0)
    assert len(reads) > 5 and max(w * h for w, h in reads) <= 1.1 * 10_000
    assert banded.shape == at_once.shape
    assert np.abs(banded.astype(int) - at_once).mean() < 1


def test_outside_of_the_slide_is_white(drawn):
    path, shown = drawn
    h, w = shown.image.shape[:2]
    read = Slide(path).read(w - 50, h - 50, 100, 100, (100, 100))
    assert (read[60:, 60:] == 255).all()


def test_resolution_of_the_sheet_goes_before_that_of_the_file(drawn):
    path, _ = drawn
    assert (Slide(path).mpp, Slide(path).mpp_source) == (0.5, "file")
    assert (Slide(path, 0.25).mpp, Slide(path, 0.25).mpp_source) == (0.25, "sheet")


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


def test_a_slide_broken_in_the_middle_fails_where_it_is_broken_and_reads_elsewhere(tmp_path, drawn):
    path, shown = drawn
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3 : len(raw) // 3 + 3000] = bytes(3000)
    (tmp_path / "holed.svs").write_bytes(raw)
    slide, fine, broken = Slide(tmp_path / "holed.svs"), 0, 0
    h, w = shown.image.shape[:2]
    for y in range(0, h - 240, 240):
        for x in range(0, w - 240, 240):
            try:
                slide.read(x, y, 240, 240, (240, 240))
                fine += 1
            except Unusable as reason:
                assert "holed.svs: cannot be read at" in str(reason)
                broken += 1
    assert fine > broken


def test_a_real_slide(tmp_path):
    slide = Slide(shared("slides", "CMU-1-Small-Region.svs"))
    assert (slide.width, slide.height) == (2220, 2967) and slide.mpp == pytest.approx(0.499)
