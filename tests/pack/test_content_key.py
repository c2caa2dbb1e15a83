"""What kept folds are known by: the content of a store, without reading its bags."""

import tracemalloc

import h5py
import numpy as np

from confuselt.content import array_hash, content_hash, content_key


def store(path, seed=0, sha=("a", "b"), rows=40_000):
    """A store of two bags, as `pack` writes it."""
    with h5py.File(path, "w") as file:
        file["slide_id"] = np.array(["s", "t"], dtype=h5py.string_dtype())
        file["tile/features"] = np.random.default_rng(seed).normal(size=(rows, 64)).astype(np.float32)
        file["tile/coords"] = np.zeros((rows, 2), np.int32)
        file["tile/offsets"] = np.array([0, rows // 2, rows])
        file["tile/sha"] = np.array(sha, dtype=h5py.string_dtype())
        file["tile"].attrs["name"] = "uni"
    return path


def test_another_bag_or_recipe_is_another_key_and_bags_are_not_read(tmp_path):
    first = store(tmp_path / "a.h5")
    tracemalloc.start()
    key = content_key(first)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000 < first.stat().st_size
    tracemalloc.stop()
    assert content_key(store(tmp_path / "b.h5")) == key
    assert content_key(store(tmp_path / "c.h5", sha=("a", "c"))) != key
    with h5py.File(first, "a") as file:
        file["tile"].attrs["name"] = "conch"
    assert content_key(first) != key


def test_a_file_that_states_no_hashes_is_read(tmp_path):
    for seed in (0, 1):
        with h5py.File(tmp_path / f"{seed}.h5", "w") as file:
            file["features"] = np.random.default_rng(seed).normal(size=(5, 2))
    assert content_key(tmp_path / "0.h5") == content_hash(tmp_path / "0.h5") != content_key(tmp_path / "1.h5")
    assert content_hash(store(tmp_path / "a.h5")) != content_hash(store(tmp_path / "b.h5", seed=1))


def test_arrays_are_hashed_without_a_copy():
    array = np.ones((2_000, 500))
    tracemalloc.start()
    array_hash(array)
    assert tracemalloc.get_traced_memory()[1] < array.nbytes / 10
    tracemalloc.stop()
    assert array_hash(np.zeros((0, 3))) != array_hash(np.zeros((3, 0))) and array_hash(
        np.array(["a", "bc"])
    ) != array_hash(np.array(["a", "bd"]))
