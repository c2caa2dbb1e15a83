"""Reading ahead: the same tiles, faults where they belong, and nothing hangs."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confuselt.slides.ahead import BLOCKS, Ahead
from confuselt.unusable import Unusable


def block(tiles):
    return np.empty((tiles, 2, 2, 3), np.uint8)


def reading(slides):
    """`read` of slides whose tile i is all i: slide to the sizes of its batches, the last one may be a fault."""

    def read(name):
        start, held = 0, np.empty((99, 2, 2, 3), np.uint8)
        for size in slides[name]:
            if isinstance(size, Exception):
                raise size
            at = np.arange(start, start + size)
            held[:size] = at[:, None, None, None]
            yield at, held[:size]
            held[:] = 255  # good until the next is asked for
            start += size

    return read


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 9), max_size=12), max_size=4), st.integers(9, 40))
def test_blocks_are_the_batches_joined(sizes, most):
    slides = {str(i): some for i, some in enumerate(sizes)}
    with Ahead(reading(slides), list(slides), block, most) as ahead:
        for name, some in slides.items():
            blocks = list(ahead.of(name))
            at = np.concatenate([[], *(a for a, _ in blocks)])
            np.testing.assert_array_equal(at, np.arange(sum(some)))
            assert all((pixels == a[:, None, None, None]).all() for a, pixels in blocks)
            whole = []  # as many batches as fit
            for size in some:
                if whole and whole[-1] + size <= most:
                    whole[-1] += size
                else:
                    whole.append(size)
            assert [len(a) for a, _ in blocks] == whole


def test_a_fault_is_raised_where_its_slide_is_asked_for_and_the_next_goes_on():
    slides = {"a": [3], "b": [3, Unusable("broken")], "c": [Unusable("gone")], "d": [2]}
    with Ahead(reading(slides), list(slides), block, 4) as ahead:
        assert sum(len(at) for at, _ in ahead.of("a")) == 3
        found = []
        with pytest.raises(Unusable, match="broken"):
            found += [at for at, _ in ahead.of("b")]
        with pytest.raises(Unusable, match="gone"):
            list(ahead.of("c"))
        assert sum(len(at) for at, _ in ahead.of("d")) == 2
        with pytest.raises(KeyError):
            list(ahead.of("a"))


def test_a_slide_that_was_left_is_passed_over_with_its_fault():
    slides = {"a": [3, 3, Unusable("late")], "b": [4], "c": [1]}
    with Ahead(reading(slides), list(slides), block, 4) as ahead:
        next(ahead.of("a"))
        assert [len(at) for at, _ in ahead.of("c")] == [1]


def test_the_next_slide_is_read_while_this_one_is_used_but_not_all_of_them():
    slides, begun = {str(i): [1] * 3 for i in range(20)}, []
    inner = reading(slides)

    def read(name):
        begun.append(name)
        yield from inner(name)

    with Ahead(read, list(slides), block, 1) as ahead:
        next(ahead.of("0"))
        deadline = time.monotonic() + 10
        while len(begun) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert 2 <= len(begun) <= 2 + BLOCKS


def test_whoever_leaves_early_waits_for_nothing():
    slides = {str(i): [9] * 9 for i in range(9)}
    before, start = threading.active_count(), time.monotonic()
    with pytest.raises(RuntimeError, match="of the model"), Ahead(reading(slides), list(slides), block, 9) as ahead:
        for _ in ahead.of("0"):
            raise RuntimeError("of the model")
    assert time.monotonic() - start < 5 and threading.active_count() == before
