"""Cells come to the tile at their place, whatever the order and the unit of the two bags, or not at all."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
from conftest import shared
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from confuselt.embed.bag_file import read_bag
from confuselt.embed.ready import import_stream
from confuselt.learn.store import Store
from confuselt.pack import store as packing
from confuselt.pack.align import Alignment, align
from confuselt.pack.store import pack
from confuselt.unusable import Unusable


def grid(n=12, step=224, seed=0):
    """Places of n tiles, column by column."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n))) + 1
    at = np.sort(rng.choice(side * side, n, replace=False))
    return (np.column_stack([at // side, at % side]) * step).astype(np.int32)


@settings(deadline=None, max_examples=100)
@given(st.integers(3, 60), st.integers(0, 2**20), st.sampled_from([1.0, 0.25, 0.5, 0.499, 2.0, 0.1134]))
def test_any_order_and_unit_is_undone(n, seed, unit):
    tile, rng = grid(n, 448, seed), np.random.default_rng(seed)
    there = rng.permutation(n)
    found = align(tile, np.rint(tile[there] * unit).astype(np.int32))
    order = np.arange(n) if found.order is None else found.order
    assert not found.by_number and found.factor == pytest.approx(unit, rel=0.02)
    np.testing.assert_array_equal(there[order], np.arange(n))


@settings(deadline=None, max_examples=100)
@given(st.integers(3, 40), st.integers(0, 2**20), st.integers(0, 2))
def test_other_places_are_never_joined(n, seed, kind):
    """A fifth fewer, one that lies elsewhere, a grid that is shifted by half a tile or by one: cells are left out."""
    tile, rng = grid(n, 256, seed), np.random.default_rng(seed)
    cells = tile[rng.permutation(n)].copy()
    if kind == 0:
        cells[0] = tile.max(0) + 256 * rng.integers(2, 9)
        # Of three places, one moved may leave the same places in another unit: then nothing tells the two apart.
        ours, theirs = (c[np.lexsort(c.T)].ravel().astype(float) for c in (tile, cells))
        assume(not np.allclose(theirs, ours * (theirs @ ours) / (ours @ ours)))
    elif kind == 1:
        cells += rng.choice([128, 256])
    else:
        cells = cells[n // 5 + 1 :]
    with pytest.raises(
        Unusable, match="rows of cells for|have a row of cells at their place|beside the tiles everywhere"
    ):
        align(tile, cells)


@pytest.mark.parametrize("shorter", ["tile", "cells"])
def test_a_few_places_that_one_stream_lost_are_left_out_of_both(shorter):
    tile, rng = grid(40, 256), np.random.default_rng(1)
    cells = tile[rng.permutation(40)]
    tile, cells = (tile[3:], cells) if shorter == "tile" else (tile, cells[3:])
    found = align(tile, cells)
    np.testing.assert_array_equal(tile[found.rows], cells[found.order])
    assert len(found.rows) == 37
    # One row of a tile beside: nearly all places are the same, and every one of them another tile's.
    dense = np.stack(np.meshgrid(np.arange(30), np.arange(30)), -1).reshape(-1, 2).astype(np.int32) * 256
    with pytest.raises(Unusable):
        align(dense, (dense + [256, 0])[5:])


def test_places_that_stand_twice_are_joined_in_equal_order_only():
    tile = np.array([[0, 0], [0, 0], [224, 0], [448, 0]], np.int32)
    assert align(tile, tile.copy()) == Alignment(None)
    with pytest.raises(Unusable, match="stand twice at the same place"):
        align(tile, tile[::-1].copy())


@pytest.mark.parametrize(
    ("tile", "cells", "by_number"),
    [(False, False, True), (True, False, True), (False, True, True), (True, True, False)],
)
def test_a_bag_without_coordinates_is_joined_by_row_number_and_that_is_said(tile, cells, by_number):
    places = grid()
    assert align(*(places if stated else np.zeros_like(places) for stated in (tile, cells))).by_number == by_number
    assert not align(np.zeros((1, 2), np.int32), np.zeros((1, 2), np.int32)).by_number


def write(path, features, coords, **more):
    with h5py.File(path, "w") as file:
        file["features"] = features
        if coords is not None:
            file["coords"] = coords
        for name, values in more.items():
            file[name] = values


def packed(folder, bags):
    """Both streams of some slides through import and pack: slide to (tile bag, cells bag), each (features, coords)."""
    cfg = {"data": "/", "acquire.id_column": "patient_id", "acquire.tile": None, "acquire.cells": None}
    sources = {}
    for k, stream in enumerate(("tile", "cells")):
        rows = []
        for slide, both in bags.items():
            write(folder / f"{slide}.{stream}.h5", *both[k])
            rows.append(
                {
                    "slide_id": slide,
                    "patient_id": slide,
                    "status": "ok",
                    "reason": None,
                    stream: str(folder / f"{slide}.{stream}.h5"),
                }
            )
        import_stream(pd.DataFrame(rows), stream, cfg, {}, folder / f"{stream}.h5").to_parquet(
            folder / f"{stream}.parquet"
        )
        sources[stream] = folder / f"{stream}.parquet", folder / f"{stream}.h5"
    pack(sources, folder / "store.h5")
    return Store(folder / "store.h5", "tile-cells")


def real_bag():
    return read_bag(shared("bags", "stamp-ctranspath-TCGA-CK-5916.h5"))


def correlation(bags):
    """Of the first column of both streams, which is the same one."""
    rows = bags.pack([[0]], None).rows.numpy()
    return np.corrcoef(rows[:, 0], rows[:, bags.widths["tile"]])[0, 1]


def test_real_bags_written_row_by_row_and_in_micrometres(tmp_path):
    features, coords = real_bag()
    for name, unit in (("px", 1.0), ("um", 2.0)):
        order = np.lexsort((coords[:, 0], coords[:, 1]))
        assert not np.array_equal(order, np.arange(len(order)))
        (tmp_path / name).mkdir()
        bags = packed(tmp_path / name, {"s": ((features, coords), (features[order, :5], coords[order] * unit))})
        assert correlation(bags) == pytest.approx(1, abs=1e-6)
        with h5py.File(tmp_path / name / "store.h5") as file:
            assert json.loads(file.attrs["factors"]) == ({} if unit == 1 else {"s": pytest.approx(unit)})
            np.testing.assert_array_equal(np.rint(file["cells/coords"][()] / unit), file["tile/coords"][()])


def test_the_mutant_that_joins_by_row_number_is_caught(tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "align", lambda tile, cells: Alignment(None))
    features, coords = real_bag()
    order = np.lexsort((coords[:, 0], coords[:, 1]))
    assert abs(correlation(packed(tmp_path, {"s": ((features, coords), (features[order, :5], coords[order]))}))) < 0.5


def test_unequal_places_leave_the_cells_out_and_row_numbers_are_said(tmp_path):
    rng, places = np.random.default_rng(0), grid()
    bag = rng.normal(size=(12, 3))
    shifted, none = (bag, places + 112), (bag, None)
    bags = packed(
        tmp_path,
        {"a": ((bag, places), shifted), "b": ((bag, places), none), "c": ((bag, places), (bag[::-1], places[::-1]))},
    )
    assert bags.slide_ids == ["b", "c"]
    with h5py.File(tmp_path / "store.h5") as file:
        (lost,) = json.loads(file.attrs["excluded"])
        assert (
            lost["slide_id"] == "a"
            and "cells stream left out: cells lie +112, +112 beside the tiles everywhere" in lost["reason"]
        )
        assert json.loads(file.attrs["by_number"]) == ["b"]
        assert len(set(file["tile/sha"].asstr()[()])) == 1 and file["cells/sha"].asstr()[()].tolist()[0] == ""


def test_augmented_copies_are_left_out(tmp_path):
    """As STAMP writes them: copies of some tiles behind the tiles, at the places of these.

    In real bags without copies every row stays.
    """
    features, coords = real_bag()
    copies = np.arange(len(features)) >= len(features) - 200
    again = np.r_[np.arange(len(features)), np.arange(200)]
    write(
        tmp_path / "a.h5",
        features[again] + 1,
        coords[again],
        augmented=np.r_[np.zeros(len(features), bool), np.ones(200, bool)],
    )
    read, places = read_bag(tmp_path / "a.h5")
    np.testing.assert_array_equal(read, features + 1)
    np.testing.assert_array_equal(places, coords)
    write(tmp_path / "b.h5", features, coords, augmented=copies)
    assert len(read_bag(tmp_path / "b.h5")[0]) == len(features) - 200


def test_marks_of_copies_that_do_not_fit_are_named(tmp_path):
    write(tmp_path / "a.h5", np.ones((3, 2)), None, augmented=np.zeros(2, bool))
    with pytest.raises(Unusable, match="dataset 'augmented' of shape \\(2,\\) for 3 rows"):
        read_bag(tmp_path / "a.h5")


def test_places_given_as_shares_of_the_slide_are_refused(tmp_path):
    write(tmp_path / "a.h5", np.ones((3, 2)), np.array([[0.1, 0.2], [0.3, 0.2], [0.4, 0.4]]))
    with pytest.raises(Unusable, match="places lie less than 1 apart; give them in pixels or µm"):
        read_bag(tmp_path / "a.h5")
    write(tmp_path / "b.h5", np.ones((2, 2)), np.array([[111.999, 0.0], [224.2, 112.0]]))
    assert read_bag(tmp_path / "b.h5")[1].tolist() == [[112, 0], [224, 112]]


def test_places_with_x_and_y_swapped_are_named():
    tile = grid(13)
    with pytest.raises(Unusable, match="with x and y swapped"):
        align(tile, tile[::-1, ::-1].copy())
