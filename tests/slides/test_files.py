"""A slide is all its files, and is known by what is in them."""

import json
import os

import numpy as np
import pytest
import tifffile

from confuselt.slides import seen
from confuselt.slides.files import files_of, sampled
from confuselt.slides.seen import states_of
from confuselt.slides.slide import Slide
from confuselt.unusable import Unusable


@pytest.fixture
def slides(tmp_path):
    """One of each kind, as far as a name and a size go."""
    (tmp_path / "a.mrxs").write_bytes(b"front")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/Slidedat.ini").write_text(
        "\ufeff[DATAFILE]\nFILE_COUNT = 2\nFILE_0 = Data0000.dat\nFILE_1 = Data0001.dat\n", encoding="utf-8"
    )
    for number in range(2):
        (tmp_path / f"a/Data000{number}.dat").write_bytes(os.urandom(200_000))
    (tmp_path / "b.vms").write_text(
        "[Virtual Microscope Specimen]\nImageFile=b.jpg\nImageFile(1,0)=b(1,0).jpg\nMapFile=b_map.jpg\nNoLayers=1\n"
    )
    for name in ("b.jpg", "b(1,0).jpg", "b_map.jpg"):
        (tmp_path / name).write_bytes(os.urandom(100))
    (tmp_path / "dicom").mkdir()
    for name in ("1.dcm", "2.dcm"):
        (tmp_path / f"dicom/{name}").write_bytes(os.urandom(100))
    (tmp_path / "c.svs").write_bytes(os.urandom(1_000_000))
    return tmp_path


SLIDES = {
    "a.mrxs": ["a.mrxs", "a/Data0000.dat", "a/Data0001.dat", "a/Slidedat.ini"],
    "b.vms": ["b.vms", "b(1,0).jpg", "b.jpg", "b_map.jpg"],
    "dicom/1.dcm": ["dicom/1.dcm", "dicom/2.dcm"],
    "c.svs": ["c.svs"],
}


@pytest.mark.parametrize("slide", SLIDES)
def test_what_belongs_to_a_slide_and_any_change_of_it(slides, slide):
    path = slides / slide
    assert [str(f.relative_to(slides)) for f in files_of(path)] == SLIDES[slide]
    before = sampled(path)
    for file in files_of(path):
        os.utime(file, (0, 0))
    assert sampled(path) == before, "a touched slide is the same"
    for file in files_of(path)[-1:]:
        if file.suffix != ".ini":
            file.write_bytes(os.urandom(file.stat().st_size))
            assert sampled(path) != before
    file = files_of(path)[0]
    file.write_bytes(file.read_bytes() + b"\n")
    assert sampled(path) != before


@pytest.mark.parametrize(
    ("slide", "absent", "words"),
    [
        ("a.mrxs", "a/Slidedat.ini", "a.mrxs: a/Slidedat.ini is absent; an MRXS slide is the file and the folder"),
        ("a.mrxs", "a/Data0001.dat", "a.mrxs: 1 of the files that belong to it are absent, first a/Data0001.dat"),
        ("b.vms", "b(1,0).jpg", r"b.vms: 1 of the files that belong to it are absent, first b\(1,0\).jpg"),
        ("c.svs", "c.svs", "c.svs: the file is listed but absent"),
    ],
)
def test_a_missing_file_is_named(slides, slide, absent, words):
    (slides / absent).unlink()
    for read in (files_of, Slide):
        with pytest.raises(Unusable, match=words):
            read(slides / slide)


@pytest.mark.parametrize("name", ["scan.png", "scan.JPG", "scan.jpeg"])
def test_a_picture_is_no_slide_and_how_to_make_one_is_said(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\xd8")
    with pytest.raises(Unusable, match=r"a picture is no slide; make a tiled pyramid of it \(vips tiffsave scan"):
        Slide(tmp_path / name)


def test_a_tiff_without_tiles_says_how_to_make_them(tmp_path):
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((300, 300, 3), np.uint8), photometric="rgb")
    with pytest.raises(Unusable, match=r"plain.tif: cannot be opened .*without tiles, make a tiled pyramid of it"):
        Slide(tmp_path / "plain.tif")


def test_states_are_remembered_until_size_or_time_of_change_is_another(slides, monkeypatch):
    paths, memory, read = [slides / s for s in SLIDES] + [slides / "absent.svs"], slides / "memory/seen.json", []
    monkeypatch.setattr(seen, "sampled", lambda path: read.append(path.name) or sampled(path))
    first = states_of(paths, memory)
    assert first == {p: sampled(p) if p.exists() else None for p in paths} and len(read) == 4
    assert states_of(paths, memory) == first and len(read) == 4
    (slides / "a/Data0001.dat").write_bytes(b"other")
    second = states_of(paths, memory)
    assert [p.name for p in paths if second[p] != first[p]] == ["a.mrxs"] and read[4:] == ["a.mrxs"]
    os.utime(slides / "c.svs", (1, 1))
    assert states_of(paths, memory) == second and read[5:] == ["c.svs"]
    (slides / "absent.svs").write_bytes(b"there")
    assert states_of(paths, memory)[slides / "absent.svs"]
    for spoilt in ("{", "[]", json.dumps({})):
        memory.write_text(spoilt)
        assert states_of(paths, memory)[paths[0]] == second[paths[0]]
    memory.unlink()
    memory.mkdir()
    assert states_of(paths, memory)[paths[0]] == second[paths[0]]
