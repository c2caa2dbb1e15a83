"""Tiles at both ends of attention: the ends, no tile at both, no slide with more than two."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from confuselt.report.top_tiles import OF_SLIDE, SHOWN, choose_tiles

SLIDES = st.lists(st.lists(st.floats(0, 50), min_size=1, max_size=12), min_size=1, max_size=9)


@given(SLIDES)
def test_both_ends_of_attention(slides):
    found = {f"S{i}": (np.column_stack([np.arange(len(w)) * 224] * 2), np.array(w)) for i, w in enumerate(slides)}
    table = choose_tiles(found)
    assert not table.duplicated(["slide_id", "x", "y"]).any()
    for end in (table[table["rank"] > 0], table[table["rank"] < 0]):
        assert len(end) <= SHOWN and (end.groupby("slide_id").size() <= OF_SLIDE).all()
        assert sorted(abs(end["rank"])) == list(range(1, len(end) + 1))
    usable = [w for w in slides if len(w) > 1]
    assert table.empty == (not usable)
    if usable:
        by_rank = table.set_index("rank")["times"]
        assert by_rank[1] == max(map(max, usable)) and by_rank[-1] == min(map(min, usable))
