"""Bags of other tools: read right, or refused with words; what their attributes state agrees over a cohort."""

import h5py
import numpy as np
import pytest
import torch
from conftest import shared
from embed.test_ready import CFG, bag, slides

from confuselt.embed.bag_file import check_tiles, read_bag, stated_recipe
from confuselt.embed.ready import import_stream
from confuselt.predict.cohort import check_recipe
from confuselt.unusable import Unusable

TRIDENT = {"patch_size": 512, "patch_size_level0": 1024, "target_magnification": 20, "overlap": 0, "name": "a"}
RNG = np.random.default_rng(0)


def write(path, encoder=None, rows=6, seed=0, **coords):
    """A bag as TRIDENT writes it."""
    with h5py.File(path, "w") as file:
        file["features"] = np.random.default_rng(seed).normal(size=(rows, 4)).astype(np.float32)
        file["coords"] = 512 * np.arange(2 * rows).reshape(rows, 2)
        file["coords"].attrs.update({**TRIDENT, **coords})
        if encoder:
            file["features"].attrs.update({"encoder": encoder, "name": "a", "savetodir": "/x"})
    return str(path)


class TestOneBag:
    def test_a_vector_of_a_whole_slide_is_a_bag_of_one_row(self, tmp_path):
        """TRIDENT's slide encoders keep the places of all patches beside it."""
        vector = RNG.normal(size=768).astype(np.float32)
        features, coords = read_bag(bag(tmp_path / "a.h5", vector, np.arange(20).reshape(10, 2)))
        np.testing.assert_array_equal(features, vector[None])
        assert coords.tolist() == [[0, 0]]
        with pytest.raises(Unusable, match=r"of shape \(10,\), wanted rows x columns"):
            read_bag(bag(tmp_path / "b.h5", np.ones(10), np.arange(20).reshape(10, 2)))

    def test_bits_of_bfloat16_are_refused_and_whole_numbers_are_not(self, tmp_path):
        bits = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16).view(torch.int16)
        for kind in (np.int16, np.uint16):
            path = bag(tmp_path / f"{kind.__name__}.h5", bits.numpy().view(kind))
            with pytest.raises(Unusable, match=r"int16 from .*: the bits of bfloat16.*store it as float16 or float32"):
                read_bag(path)
        counts = RNG.poisson(20, (50, 8))
        for kind in (np.int16, np.uint16, np.int32, np.uint8):
            np.testing.assert_array_equal(read_bag(bag(tmp_path / "c.h5", counts.astype(kind)))[0], counts)
        np.testing.assert_array_equal(read_bag(bag(tmp_path / "z.h5", np.zeros((3, 4), np.int16)))[0], 0)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (np.ones((3, 4)) + 1j, "is complex128, not real numbers"),
            (np.ones((3, 4), "V2"), r"is \|V2, not real numbers; bfloat16 is to be stored as float16"),
            (np.array([["a", "b"]], "S1"), r"is \|S1, not real numbers"),
            (np.ones((2, 3, 4)), r"of shape \(2, 3, 4\), wanted rows x columns"),
            (np.float32(1), r"of shape \(\), wanted rows x columns"),
        ],
    )
    def test_what_is_no_features_says_so(self, values, words, tmp_path):
        with pytest.raises(Unusable, match=words):
            read_bag(bag(tmp_path / "a.h5", values))

    def test_zero_and_repeated_rows_are_left_out_and_counted_by_place(self):
        features, coords = RNG.normal(size=(20, 4)), np.arange(40).reshape(20, 2)
        features[3] = 0
        features[7], coords[7] = features[2], coords[2]
        assert np.flatnonzero(~check_tiles(features, coords, "x")).tolist() == [3, 7]
        features[9] = features[8]  # two tiles of glass may look alike
        assert np.flatnonzero(~check_tiles(features, coords, "x")).tolist() == [3, 7]
        assert np.flatnonzero(~check_tiles(features, np.zeros_like(coords), "x")).tolist() == [3]
        coords[11] = coords[10]
        with pytest.raises(Unusable, match=r"x: 1 places have several embeddings, first \(20, 21\)"):
            check_tiles(features, coords, "x")
        features[:3] = 0
        with pytest.raises(Unusable, match="x: 4 of 20 rows are zero throughout"):
            check_tiles(features, coords, "x")

    def test_real_bags_of_stamp_state_their_encoder(self):
        path = shared("bags", "stamp-ctranspath-TCGA-CK-5916.h5")
        assert stated_recipe(path) == {"encoder": "STAMP-extract-001_01-10-2023_xiyuewang-ctranspath-7c998680"}
        features, coords = read_bag(path)
        assert check_tiles(features, coords, "x").all()

    def test_attributes_are_found_where_trident_has_them(self, tmp_path):
        stated = stated_recipe(write(tmp_path / "a.h5", "uni_v2"))
        assert stated == {"encoder": "uni_v2", "magnification": "20", "tile_px": "512", "overlap": "0"}


class TestACohort:
    def test_a_slide_made_otherwise_than_most_is_a_row_and_the_rest_arrives(self, tmp_path):
        table = slides(
            a=write(tmp_path / "a.h5", "uni_v1"),
            b=write(tmp_path / "b.H5", "uni_v1"),
            c=write(tmp_path / "c.h5"),
            other=write(tmp_path / "other.h5", "virchow"),
            scale=write(tmp_path / "scale.h5", "uni_v1", target_magnification=40),
        )
        index = import_stream(table, "tile", CFG, {"name": "uni"}, tmp_path / "f.h5").set_index("slide_id")
        assert index["status"].to_dict() == {"a": "ok", "b": "ok", "c": "ok", "other": "excluded", "scale": "excluded"}
        assert "its file states encoder 'virchow' (of most slides 'uni_v1')" in index.loc["other", "reason"]
        assert "its file states magnification '40' (of most slides '20')" in index.loc["scale", "reason"]
        with h5py.File(tmp_path / "f.h5") as store:
            assert "uni_v1" in store.attrs["stated"] and len(store["features"]) == 18

    def test_repeated_rows_reach_no_store_but_cells_alike_do(self, tmp_path):
        features = np.ones((20, 4), np.float32)
        features[4] = 0
        path = bag(tmp_path / "a.h5", features, np.arange(40).reshape(20, 2))
        table = slides(a=path).assign(cells=path)
        cfg = {**CFG, "acquire.cells": None}
        found = {s: import_stream(table, s, cfg, {"name": "x"}, tmp_path / f"{s}.h5") for s in ("tile", "cells")}
        assert (found["tile"]["n"].item(), found["cells"]["n"].item()) == (19, 20)

    def test_another_cohort_made_otherwise_is_not_served(self):
        class Bags:
            recipe = {"tile": {"name": "uni", "stated": '{"encoder": "uni_v1", "magnification": "20"}'}}

        for stated in ('{"encoder": "uni_v1"}', '{"overlap": "0"}', None):
            check_recipe({"recipe": {"tile": {"name": "uni", **({"stated": stated} if stated else {})}}}, Bags)
        with pytest.raises(ValueError, match="bags of training state magnification '40', those of this cohort '20'"):
            check_recipe({"recipe": {"tile": {"name": "uni", "stated": '{"magnification": "40"}'}}}, Bags)
