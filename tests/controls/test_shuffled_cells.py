"""Cells are dealt out within their role; the store that does it is tested in tests/pack/test_bags.py."""

import numpy as np

from confuselt.controls.shuffled_cells import deal_out

ROWS = {"train": np.arange(50), "inner": np.arange(60, 80), "test": np.zeros(0, int)}


def test_each_role_keeps_its_rows_and_nobody_elses_move():
    dealt = deal_out(ROWS, 90, 1)
    for rows in ROWS.values():
        assert sorted(dealt[rows]) == rows.tolist()
    rest = np.setdiff1d(np.arange(90), np.concatenate(list(ROWS.values())))
    assert (dealt[rest] == rest).all() and (dealt[ROWS["train"]] != ROWS["train"]).mean() > 0.8


def test_a_shuffle_hangs_on_role_and_draw_alone():
    dealt, alone, other = deal_out(ROWS, 90, 1), deal_out({"train": ROWS["train"]}, 90, 1), deal_out(ROWS, 90, 2)
    assert (alone[:50] == dealt[:50]).all() and (other[:50] != dealt[:50]).any()
