"""The direct reader against OpenSlide, and what it decodes how often."""

import cv2
import numpy as np
import openslide
import pytest
import tifffile
from conftest import shared
from hypothesis import given, settings
from hypothesis import strategies as st
from slides.drawn import drawn_slide

from confuselt.simulate.svs import write_svs
from confuselt.slides import opening
from confuselt.slides.opening import open_reader
from confuselt.slides.reader import Unfit
from confuselt.slides.readers import tiled_tiff
from confuselt.slides.readers.openslide import OpenSlideReader
from confuselt.slides.readers.tiled_tiff import TiledTiff
from confuselt.slides.slide import Slide, Wanted


def pairs():
    for name in ("CMU-1-Small-Region.svs", "TCGA-CR-7395-J2K-no-mpp.svs"):
        path = shared("slides", name)
        through = OpenSlideReader(path)
        yield TiledTiff(path, through.sizes), through


@settings(deadline=None, max_examples=30)
@given(st.integers(-300, 4600), st.integers(-300, 3800), st.integers(1, 700), st.integers(1, 700))
def test_level_0_of_real_slides_is_openslides_to_the_last_bit(x, y, width, height):
    """JPEG and JPEG 2000, at edges and beyond."""
    for direct, through in pairs():
        box = (x, y, width, height)
        np.testing.assert_array_equal(direct.read(0, 1, box), through.read(0, 1, box))


def test_reduced_levels_are_openslides_too(tmp_path):
    drawn_slide(path := tmp_path / "a.svs", mpp=0.25, width_um=700)
    through = OpenSlideReader(path)
    direct = TiledTiff(path, through.sizes)
    assert len(through.sizes) == 3
    for level, (width, height) in enumerate(through.sizes):
        for box in ((0, 0, width, height), (width // 2, height // 2, width, 50), (-20, 17, 120, 90)):
            ours, theirs = direct.read(level, 1, box).astype(int), through.read(level, 1, box).astype(int)
            assert np.abs(ours - theirs).mean() < 1 if level else (ours == theirs).all()


@pytest.mark.parametrize("by", [2, 4, 8])
def test_a_jpeg_decoded_at_a_part_of_its_size_is_the_mean_over_its_pixels(by):
    direct, _ = next(pairs())
    width, height = 1920, 2880
    full, part = direct.read(0, 1, (0, 0, width, height)), direct.read(0, by, (0, 0, width // by, height // by))
    mean = cv2.resize(full, (width // by, height // by), interpolation=cv2.INTER_AREA)
    assert -10 * np.log10(((part.astype(float) - mean) ** 2).mean() / 255**2) >= 45


@pytest.mark.parametrize("by", [2, 4, 8])
def test_padding_beyond_the_edge_is_in_no_pixel(tmp_path, by):
    """Sides that no reduction divides, and black where the last tiles have no pixels."""
    write_svs(tmp_path / "glass.svs", np.full((701, 903, 3), 243, np.uint8), 0.5)
    slide = Slide(tmp_path / "glass.svs")
    read = slide._reader.read(0, by, (-5, -5, 903 // by + 20, 701 // by + 20))
    assert read.min() > 235 and slide.whole(0.5 * by).min() > 235


def test_half_of_a_jpeg_2000_is_not_so_it_is_not_taken():
    direct, _ = list(pairs())[1]
    assert direct.reductions == [(1,)] * len(direct.sizes)


@pytest.mark.parametrize(("side", "offset"), [(224, 0), (224, 100), (512, 7)])
def test_every_stored_tile_is_decoded_once_and_little_is_held(tmp_path, monkeypatch, side, offset):
    """Whatever the order of the coordinates, and on a slide whose rows do not fit what may be held."""
    drawn_slide(path := tmp_path / "a.svs", mpp=0.25, width_um=800)
    slide, decoded = Slide(path), []
    stored = slide._reader._levels[0]
    monkeypatch.setattr(
        slide._reader,
        "_levels",
        [tiled_tiff._Level(*_without_decode(stored), lambda d, r: decoded.append(d) or stored.decode(d, r))],
    )
    xs, ys = (np.arange(offset, limit - side, side) for limit in (slide.width, slide.height))
    coords = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    coords = coords[np.random.default_rng(0).permutation(len(coords))]
    read = np.concatenate([at for at, _ in slide.tiles(coords, Wanted(side, side))])
    assert sorted(read) == list(range(len(coords))) and len(decoded) == len(set(decoded))
    assert slide._reader._bytes <= tiled_tiff.HELD
    # A hundredth of the room: strips, so that few are decoded twice.
    decoded.clear()
    slide._reader._held.clear()
    slide._reader._bytes = 0
    room = 24 * 240 * 240 * 3
    for module in ("readers.tiled_tiff", "slide"):
        monkeypatch.setattr(f"confuselt.slides.{module}.HELD", room)
    list(slide.tiles(coords, Wanted(side, side)))
    assert slide._reader._bytes <= room and len(decoded) < 1.6 * len(set(decoded))


def _without_decode(stored):
    return [getattr(stored, name) for name in ("size", "block", "reductions", "starts", "lengths")]


def test_what_it_cannot_read_goes_to_openslide_and_that_is_said(tmp_path, caplog, monkeypatch):
    caplog.set_level("INFO")
    pixels = np.random.default_rng(0).integers(0, 255, (600, 800, 3), np.uint8)
    tifffile.imwrite(tmp_path / "deflate.tif", pixels, tile=(256, 256), compression="zlib", photometric="rgb")
    reader, _ = open_reader(tmp_path / "deflate.tif", "tiled_tiff")
    assert isinstance(reader, OpenSlideReader) and "deflate.tif is read through OpenSlide (compression 8" in caplog.text
    np.testing.assert_array_equal(reader.read(0, 1, (0, 0, 800, 600)), pixels)
    drawn_slide(path := tmp_path / "a.svs")
    assert isinstance(open_reader(path, "tiled_tiff")[0], TiledTiff)
    # The pixels are compared, whatever the file says: a decoder that takes red for blue is not used.
    inner = tiled_tiff.simplejpeg.decode_jpeg
    monkeypatch.setattr(tiled_tiff.simplejpeg, "decode_jpeg", lambda *a, **k: inner(*a, **k)[..., ::-1])
    assert isinstance(open_reader(path, "tiled_tiff")[0], OpenSlideReader) and "level 0 differs by up to" in caplog.text


def test_a_slide_whose_fullest_tile_is_broken_is_still_compared(tmp_path):
    drawn_slide(path := tmp_path / "a.svs")
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        fullest = int(np.argmax(page.databytecounts))
        start, length = page.dataoffsets[fullest], page.databytecounts[fullest]
    raw = bytearray(path.read_bytes())
    raw[start + length // 2 : start + length // 2 + 40] = bytes(40)
    path.write_bytes(raw)
    assert isinstance(open_reader(path, "tiled_tiff")[0], TiledTiff)


def test_a_level_that_openslide_shows_otherwise_is_noticed(tmp_path, monkeypatch):
    drawn_slide(path := tmp_path / "a.svs", mpp=0.25, width_um=700)
    through = OpenSlideReader(path)
    direct = TiledTiff(path, through.sizes)
    opening._compare(direct, through)
    inner = direct.read
    monkeypatch.setattr(direct, "read", lambda level, *how: inner(level, *how) if level < 2 else 255 - inner(2, *how))
    with pytest.raises(Unfit, match="level 2 of"):
        opening._compare(direct, through)


def test_openslide_is_asked_for_whole_pixels_of_a_level(tmp_path):
    drawn_slide(path := tmp_path / "a.svs", mpp=0.25, width_um=701)
    theirs = openslide.OpenSlide(path)
    width, height = theirs.level_dimensions[1]
    whole = np.asarray(theirs.read_region((0, 0), 1, (width, height)).convert("RGB")).astype(int)
    reader = OpenSlideReader(path)
    for left in (width // 3, width - 101):
        assert np.abs(reader.read(1, 1, (left, 40, 100, 100)) - whole[40:140, left : left + 100]).mean() < 1
