"""Processes that read tiles: the same batches as one process, whatever goes wrong."""

import os
import signal

import numpy as np
import pytest
from slides.drawn import drawn_slide

from confuselt.slides import workers as module
from confuselt.slides.slide import BATCH, Slide, Wanted
from confuselt.slides.workers import Workers
from confuselt.unusable import Unusable

MOST = BATCH * 128 * 128 * 3


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "a.svs"
    drawn_slide(path)
    return path


@pytest.fixture
def coords():
    return np.stack(np.meshgrid(np.arange(0, 1300, 37), np.arange(0, 950, 41)), -1).reshape(-1, 2)


def read(slide, coords, wanted, workers=None):
    found = {}
    for at, pixels in slide.tiles(coords, wanted, workers):
        found.update(zip(at.tolist(), pixels.copy(), strict=True))
    return found


def test_tiles_are_those_of_one_process(path, coords):
    """On two slides in turn, with and without margin; more than fits the room at once."""
    slide, wanted = Slide(path), (Wanted(100, 100), Wanted(100, 128, 14))
    alone = [read(slide, coords, w) for w in wanted]
    assert len(coords) > 5 * 8 * BATCH / 2
    with Workers(2, MOST) as workers:
        for expected, how in zip(alone, wanted, strict=True):
            found = read(slide, coords, how, workers)
            assert found.keys() == expected.keys()
            assert all((found[n] == expected[n]).all() for n in expected)
        with pytest.raises(ValueError, match="larger than these processes were made for"):
            read(slide, coords, Wanted(300, 300), workers)


def test_a_user_who_stops_early_leaves_nothing_for_the_next(path, coords):
    slide, expected = Slide(path), read(Slide(path), coords[:200], Wanted(100, 100))
    with Workers(2, MOST) as workers:
        for _ in range(8):
            batches = slide.tiles(coords, Wanted(64, 64), workers)
            next(batches)
            batches.close()
        found = read(slide, coords[:200], Wanted(100, 100), workers)
    assert all((found[n] == expected[n]).all() for n in expected) and len(found) == 200


def test_what_cannot_be_read_is_told(path, coords, tmp_path):
    raw = bytearray(path.read_bytes())
    raw[20_000 : len(raw) // 2] = bytes(len(raw) // 2 - 20_000)
    (tmp_path / "b.svs").write_bytes(raw)
    with Workers(1, MOST) as workers, pytest.raises(Unusable, match="b.svs: .* tiles cannot be read"):
        read(Slide(tmp_path / "b.svs"), coords, Wanted(100, 100), workers)


def test_a_process_that_is_killed_ends_the_job(path, coords, monkeypatch):
    monkeypatch.setattr(module, "WAIT", 0.1)
    with Workers(1, MOST) as workers:
        os.kill(workers._processes[0].pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="has ended"):
            read(Slide(path), coords, Wanted(100, 100), workers)
