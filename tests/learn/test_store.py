"""What training reads of the store: the same instances from wherever they lie, never more than a batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learn.stores import slides, write_store

from confuselt.learn import rows as module
from confuselt.learn.batch import Batch
from confuselt.learn.draw import drawn
from confuselt.learn.rows import DeviceRows, DiskRows, spans
from confuselt.learn.scaling import fit_scaler
from confuselt.learn.store import Store, widest
from confuselt.number import number_of

CPU = torch.device("cpu")
CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is seen"))


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    streams, lengths, patients = slides(40)
    path = write_store(tmp_path_factory.mktemp("store") / "s.h5", streams, lengths, patients)
    return path, streams, lengths, patients


def rows_of(path, stream="tile"):
    import h5py

    with h5py.File(path) as file:
        return DiskRows(path, file[stream]["features"])


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5000), st.data())
def test_a_draw_is_without_replacement_and_a_matter_of_seed_epoch_and_slide(length, data):
    share = data.draw(st.integers(1, length - 1))
    seed, epoch, slide = (data.draw(st.integers(0, 2**32)) for _ in range(3))
    at = drawn(slide, length, share, seed, epoch)
    assert len(at) == share and (np.diff(at) > 0).all() and at[0] >= 0 and at[-1] < length
    assert (at == drawn(slide, length, share, seed, epoch)).all()


def test_draws_differ_by_seed_epoch_and_slide_and_are_even():
    a, b = number_of("a"), number_of("b")
    base, others = drawn(a, 500, 50, 1, 1), (drawn(a, 500, 50, 2, 1), drawn(a, 500, 50, 1, 2), drawn(b, 500, 50, 1, 1))
    assert all(len(set(base) & set(other)) < 20 for other in others), "5 in common by chance"
    counts = np.bincount(np.concatenate([drawn(a, 40, 10, 7, epoch) for epoch in range(4000)]), minlength=40)
    # 1,000 expected, variance 750
    assert abs(counts - 1000).max() < 4.5 * 750**0.5


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 1])
@pytest.mark.parametrize("chunk", [1, 200, 1 << 19])
def test_any_rows_of_a_file_are_numpys(packed, monkeypatch, share, chunk):
    path, streams, *_ = packed
    monkeypatch.setattr(module, "CHUNK", chunk)
    rows, rng = rows_of(path), np.random.default_rng(0)
    at = np.sort(rng.choice(rows.length, max(1, int(share * rows.length)), replace=False))
    out = np.empty((len(at), rows.width), rows.dtype)
    rows.read(at, out)
    np.testing.assert_array_equal(out, streams["tile"][at])


def test_a_truncated_store_is_said(packed, tmp_path):
    path, streams, *_ = packed
    rows = rows_of(path)
    short = tmp_path / "short.h5"
    short.write_bytes(path.read_bytes()[: rows._offset + rows.bytes // 2])
    rows._file = short.open("rb", buffering=0)
    with pytest.raises(OSError, match="short.h5 ends before row .* it is truncated"):
        rows.span(0, np.empty((rows.length, rows.width), rows.dtype))


def test_a_compressed_store_is_no_store_of_pack(tmp_path):
    import h5py

    with h5py.File(tmp_path / "s.h5", "w") as file:
        data = file.create_dataset("features", data=np.ones((50, 4)), chunks=True, compression="gzip")
        with pytest.raises(ValueError, match="not contiguous; it was not written by pack"):
            DiskRows(tmp_path / "s.h5", data)


def test_the_device_holds_the_rows_as_they_are(packed, monkeypatch):
    path, streams, *_ = packed
    monkeypatch.setattr(module, "PIECE", 100)
    for stream, values in streams.items():
        resident = DeviceRows(rows_of(path, stream), CPU)
        at = np.random.default_rng(1).integers(0, len(values), 300)
        taken = resident.take(torch.from_numpy(at))
        assert taken.numpy().dtype == values.dtype
        np.testing.assert_array_equal(taken.numpy(), values[at])


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 80))
def test_spans_are_all_neighbours_and_bounded(lengths, most):
    found = list(spans(lengths, most))
    assert [i for s in found for i in range(s.start, s.stop)] == list(range(len(lengths)))
    assert all(sum(lengths[s]) <= most or s.stop - s.start == 1 for s in found)


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("streams", ["tile", "tile-cells"])
def test_disk_and_device_give_the_same_instances(packed, streams, device):
    path, values, lengths, patients = packed
    there = torch.device(device)
    disk, resident = Store(path, streams, CPU, "host"), Store(path, streams, there, "device")
    small = Store(path, streams)
    assert resident.resident and not disk.resident and small._whole is not None and disk._whole is None
    train = sorted(set(patients))[:20]
    kinds = {"tile": "standard", "cells": "rank"}
    scalers = [fit_scaler(store, train, kinds, 3) for store in (disk, resident)]
    assert scalers[0].scalers["tile"].state() == scalers[1].scalers["tile"].state()
    bags = [[0, 1], [7], [3, 4, 5], [39]]
    for budget, seed, epoch in ((None, 0, 0), (10, 5, 2), (10, 5, 3)):
        one, two, three = (
            store.load(store.draw(bags, budget, seed, epoch), scalers[0]) for store in (disk, resident, small)
        )
        assert one.lengths == two.lengths == three.lengths and torch.equal(one.rows, three.rows)
        torch.testing.assert_close(two.rows.cpu(), one.rows, atol=1e-5, rtol=1e-5)
    if streams == "tile-cells":
        dealt = [store.deal({"train": train}, 1).pack(bags, None).rows.cpu() for store in (disk, resident, small)]
        assert (dealt[0] == dealt[1]).all() and (dealt[0] == dealt[2]).all()
        assert (small.pack(bags, None).rows == disk.pack(bags, None).rows).all(), "the store itself is not dealt"


def test_streams_of_a_draw_stay_side_by_side(packed):
    path, values, lengths, _ = packed
    store = Store(path, "tile-cells")
    rows = store.pack([[2], [30]], None, 4).rows.numpy()
    whole = np.hstack([values["tile"], values["cells"]]).astype(np.float32)
    assert all((whole == row).all(1).any() for row in rows)
    assert not (store.load(store.draw([[2]], 4, 1, 1), None).rows.numpy() == rows[:4]).all()


def test_pieces_hold_every_slide_once_and_no_more_than_asked(packed, monkeypatch):
    path, values, lengths, _ = packed
    monkeypatch.setattr("confuselt.learn.store.SOME_ROWS", 70)
    store = Store(path, "tile", CPU, "host")
    pieces = list(store.pieces(list(range(40)), None))
    assert [i for some, _ in pieces for i in some] == list(range(40))
    assert max(len(p.rows) for _, p in pieces) <= 70
    np.testing.assert_array_equal(torch.cat([p.rows for _, p in pieces]).numpy(), values["tile"].astype(np.float32))


def test_the_widest_store_has_cells_where_a_slide_has_both(packed, tmp_path):
    path, values, lengths, patients = packed
    assert widest(path) == "tile-cells"
    bare = {"tile": values["tile"], "cells": np.zeros((0, 0), np.float32)}
    assert widest(write_store(tmp_path / "s.h5", bare, lengths, patients)) == "tile"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 99))
def test_a_split_batch_is_the_batch(patients, pieces, seed):
    rng = np.random.default_rng(seed)
    owner = sorted(rng.integers(0, patients, rng.integers(0, 2 * patients)).tolist())
    profiled = sorted(rng.choice(patients, rng.integers(0, patients + 1), replace=False).tolist())
    lengths = rng.integers(1, 5, len(owner)).tolist()
    from confuselt.learn.store import Drawn

    rows = torch.arange(sum(lengths)).float()[:, None]
    drawn_ = Drawn([rows, rows * 2], lengths) if owner else None
    genes = torch.tensor(profiled).float()[:, None] if profiled else None
    whole = Batch([f"P{i}" for i in range(patients)], drawn_, owner, genes, profiled)
    parts = whole.split(pieces)
    assert [p for part in parts for p in part.patients] == whole.patients
    first = np.cumsum([0, *(len(part.patients) for part in parts)])
    assert [k + f for part, f in zip(parts, first, strict=False) for k in part.owner] == owner
    assert [k + f for part, f in zip(parts, first, strict=False) for k in part.profiled] == profiled
    if owner:
        with_bags = [part.drawn for part in parts if part.drawn]
        assert torch.equal(torch.cat([d.parts[1] for d in with_bags]), rows * 2)
        assert [n for d in with_bags for n in d.lengths] == lengths
    if profiled:
        assert torch.equal(torch.cat([part.genes for part in parts if part.profiled]), genes)
