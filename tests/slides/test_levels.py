"""Which level is read, and how large its pixels are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confuselt.slides.levels import choose, views_of


class Stored:
    """What a reader says of its levels."""

    def __init__(self, *sizes, reductions=None):
        self.sizes = list(sizes)
        self.reductions = reductions or [(1,)] * len(sizes)


def test_a_picture_of_another_shape_is_no_level():
    """A macro page, a label: OpenSlide lists what is tiled as a level, whatever it shows."""
    found = views_of(Stored((40_000, 30_000), (10_000, 7_500), (1_280, 431), (2_500, 1_875)))
    assert [v.level for v in found] == [0, 1, 3]


def test_a_narrow_scan_has_a_scale_per_axis():
    """1,015 px at 1/16 are 63 px: 16.11 along x, 16 along y. One scale for both would be 128 µm off at the far end."""
    found = views_of(Stored((1015, 60_000), (253, 15_000), (63, 3_750), (31, 1_875)))
    assert [v.scale for v in found] == [
        (1, 1),
        (pytest.approx(4.012, abs=1e-3), 4),
        (pytest.approx(16.11, abs=1e-2), 16),
        (pytest.approx(32.74, abs=1e-2), 32),
    ]


@given(st.integers(2_000, 200_000), st.integers(2_000, 200_000), st.floats(1, 200), st.booleans())
def test_what_is_read_is_never_coarser_than_what_is_wanted(width, height, scale, up):
    """Whatever the rounding of a pyramid's sizes; and of what is fine enough the coarsest."""

    def divided(side, by):
        return -(-side // by) if up else side // by

    sizes = [(divided(width, by), divided(height, by)) for by in (1, 4, 16, 64)]
    views = views_of(Stored(*sizes, reductions=[(1, 2, 4, 8)] * 4))
    assert {v.level for v in views} == {0, 1, 2, 3}
    chosen = choose(views, scale)
    assert max(chosen.scale) <= 1.02 * scale or chosen == views[0]
    assert min(chosen.scale) > 0.47 * min(scale, 500)


def test_of_two_ways_to_one_scale_the_smaller_level_is_read():
    views = views_of(Stored((40_000, 30_000), (10_000, 7_500), reductions=[(1, 2, 4, 8)] * 2))
    assert [(choose(views, s).level, choose(views, s).reduction) for s in (1.5, 2, 3.9, 4, 8, 100)] == [
        (0, 1),
        (0, 2),
        (0, 2) if 3.9 * 1.02 < 4 else (1, 1),
        (1, 1),
        (1, 2),
        (1, 8),
    ]
