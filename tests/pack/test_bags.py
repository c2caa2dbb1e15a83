"""The training store gives back exactly the rows that went in."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest

from confuselt.embed.write_bag import write_bag
from confuselt.learn.store import Store
from confuselt.pack.store import pack
from confuselt.report.run import bag_sizes


def source(folder, name, bags, status=None):
    """Index and store of a stream: slide to (patient, rows)."""
    order = sorted(bags)
    index = pd.DataFrame(
        [
            {
                "slide_id": s,
                "patient_id": bags[s][0],
                "status": (status or {}).get(s, "ok"),
                "n": len(bags[s][1]),
                "sha": f"{name}-{s}",
            }
            for s in order
        ],
        columns=["slide_id", "patient_id", "status", "n", "sha"],
    )
    index.to_parquet(folder / f"{name}.parquet")
    kept = [s for s in order if (status or {}).get(s, "ok") == "ok"]
    with h5py.File(folder / f"{name}.h5", "w") as file:
        width = next(iter(bags.values()))[1].shape[1] if bags else 0
        rows = np.concatenate([bags[s][1] for s in kept]) if kept else np.zeros((0, width))
        file.create_dataset("features", data=rows.astype(np.float32))
        file["coords"] = np.zeros((len(rows), 2), np.int32)
        file["offsets"] = np.concatenate([[0], np.cumsum([len(bags[s][1]) for s in kept])]).astype(int)
        file["slide_id"] = np.array(kept, dtype=h5py.string_dtype())
        file.attrs.update(name=name, d=width, dtype="float32")
    return folder / f"{name}.parquet", folder / f"{name}.h5"


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    bags = {
        s: (p, rng.normal(size=(n, 3))) for s, p, n in (("z", "P1", 4), ("a", "P2", 5), ("b", "P1", 2), ("c", "P3", 3))
    }
    cells = {s: (p, rng.normal(size=(len(r), 2))) for s, (p, r) in bags.items() if s != "c"}
    cells["a"] = ("P2", rng.normal(size=(4, 2)))
    path = tmp_path / "store.h5"
    pack({"tile": source(tmp_path, "tile", bags), "cells": source(tmp_path, "cells", cells)}, path)
    return path, bags, cells


def test_rows_arrive_in_order_and_patients_lie_together(store):
    path, bags, _ = store
    read = Store(path, "tile")
    assert read.slide_ids == ["b", "z", "a", "c"] and read.patient_ids == ["P1", "P1", "P2", "P3"]
    packed = read.pack([[0, 1], [2]], None)
    np.testing.assert_array_equal(
        packed.rows, np.concatenate([bags["b"][1], bags["z"][1], bags["a"][1]]).astype(np.float32)
    )
    assert packed.lengths == [6, 5]
    assert read.of_patients(["P3", "P9", "P1"]) == {"P3": [3], "P1": [0, 1]}
    assert "trained_on" not in read.recipe["tile"], "nobody stated it"


def test_what_an_encoder_is_known_to_have_seen_is_kept_and_joined_with_the_users_list(tmp_path):
    """The config's default, an empty list, takes nothing away."""
    paths = source(tmp_path, "tile", {"a": ("P1", np.ones((2, 3)))})
    with h5py.File(paths[1], "a") as file:
        file.attrs["trained_on"] = json.dumps(["TCGA"])
    pack({"tile": paths, "cells": source(tmp_path, "cells", {})}, tmp_path / "s.h5")
    assert Store(tmp_path / "s.h5", "tile").recipe["tile"]["trained_on"] == ["TCGA"]
    cfg = {"embed.trained_on": [], "cells.trained_on": []}
    assert bag_sizes(tmp_path / "s.h5", cfg)["tile"]["trained_on"] == ["TCGA"]
    cfg = {"embed.trained_on": ["CPTAC", "TCGA"], "cells.trained_on": ["PanNuke"]}
    said = bag_sizes(tmp_path / "s.h5", cfg)
    assert said["tile"]["trained_on"] == ["TCGA", "CPTAC"] and said["cells"]["trained_on"] == ["PanNuke"]


def test_streams_align_row_by_row_or_are_left_out_with_a_reason(store):
    path, bags, cells = store
    read = Store(path, "tile-cells")
    assert read.slide_ids == ["b", "z"]
    np.testing.assert_array_equal(
        read.pack([[1]], None).rows, np.hstack([bags["z"][1], cells["z"][1]]).astype(np.float32)
    )
    with h5py.File(path) as file:
        excluded = json.loads(file.attrs["excluded"])
    assert excluded == [
        {
            "slide_id": "a",
            "reason": "cells stream left out: 4 rows of cells for 5 tiles; both must hold the same places",
        }
    ]


def test_files_of_slides_that_do_not_fit_name_the_rule_that_makes_them_anew(tmp_path):
    index = pd.DataFrame(
        {"slide_id": ["a", "b"], "patient_id": ["P1", "P2"], "status": "ok", "n": [2, 3], "sha": ["s", "t"]}
    )
    index.to_parquet(tmp_path / "index.parquet")

    def packed():
        pack({"tile": (tmp_path / "index.parquet", None)}, tmp_path / "store.h5")

    for slide, rows, weights in (("a", 2, "old"), ("b", 3, "old")):
        write_bag(
            tmp_path / f"{slide}.h5",
            np.ones((rows, 4), np.float32),
            np.zeros((rows, 2), np.int32),
            {"weights": weights},
        )
    packed()
    for rows, weights, said in ((3, "new", "other slides by"), (2, "old", "2 rows, its index says 3")):
        write_bag(
            tmp_path / "b.h5", np.ones((rows, 4), np.float32), np.zeros((rows, 2), np.int32), {"weights": weights}
        )
        with pytest.raises(ValueError, match=f"b.h5: .*{said}.*delete it and run again with --forcerun embed_tiles"):
            packed()
    (tmp_path / "b.h5").unlink()
    with pytest.raises(
        ValueError,
        match="b.h5: the index has this slide, but the file is absent; run again with --forcerun embed_tiles",
    ):
        packed()


def test_budget_is_shared_equally_and_rows_of_both_streams_stay_paired(store):
    path, bags, cells = store
    rows = Store(path, "tile-cells").pack([[0, 1]], None, 4).rows.numpy()
    assert len(rows) == 4
    whole = np.hstack([bags["z"][1], cells["z"][1]]).astype(np.float32)
    assert all((whole == row).all(1).any() for row in rows[2:])


def test_missing_stream_is_said(tmp_path):
    bags = {"a": ("P1", np.ones((2, 3)))}
    pack({"tile": source(tmp_path, "tile", bags), "cells": source(tmp_path, "cells", {})}, tmp_path / "s.h5")
    assert Store(tmp_path / "s.h5", "tile-cells").missing == "no slide has a usable cells stream"
    assert Store(tmp_path / "s.h5", "tile").missing is None


ROLES = {
    "train": [f"P{i}" for i in range(20)],
    "inner": [f"P{i}" for i in range(20, 28)],
    "test": [f"P{i}" for i in range(28, 40)],
}


@pytest.fixture
def linked(tmp_path):
    """40 patients with two instances, whose cells say to which patient and instance they belong; P40 has no role."""
    own = {f"S{i:02d}": (f"P{i}", np.column_stack([np.full(2, i), [0, 1]]).astype(float)) for i in range(41)}
    path = tmp_path / "store.h5"
    pack({s: source(tmp_path, s, own) for s in ("tile", "cells")}, path)
    return path


def check_dealt(read: Store, roles: dict[str, list[str]]) -> None:
    """Cells are the same rows within each role, and tell neither patient nor instance; tiles stay where they were."""
    for patients in roles.values():
        rows = read.pack(list(read.of_patients(patients).values()), None).rows.numpy()
        tile, cells = rows[:, :2], rows[:, 2:]
        assert sorted(map(tuple, cells)) == sorted(map(tuple, tile)), "the role's own rows, each once"
        assert (cells == tile).all(1).mean() < 0.3 and abs(np.corrcoef(tile[:, 0], cells[:, 0])[0, 1]) < 0.6, (
            "no link is left"
        )


def test_dealt_cells_stay_in_their_role_and_tell_nothing(linked):
    whole = Store(linked, "tile-cells")
    read = whole.deal(ROLES, 1)
    check_dealt(read, ROLES)
    assert read.pack([read.of_patients(["P40"])["P40"]], None).rows.tolist() == [[40, 0, 40, 0], [40, 1, 40, 1]], (
        "nobody's role, nobody's cells"
    )
    train_only, other = whole.deal({r: ROLES[r] for r in ("train", "inner")}, 1), whole.deal(ROLES, 2)
    ours, same, differs = (
        s.pack(list(s.of_patients(ROLES["train"]).values()), None).rows for s in (read, train_only, other)
    )
    assert (same == ours).all() and (differs != ours).any(), (
        "pretraining, which never sees test patients, deals as finetuning does"
    )
    few = read.pack([[3]], None, 1).rows[0]
    assert few.tolist() in read.pack([[3]], None).rows.tolist(), "a budget draws among the dealt rows"
    again = whole.pack([[3]], None).rows
    assert (again[:, :2] == again[:, 2:]).all(), "the store itself is not dealt"
    with pytest.raises(ValueError, match="streams tile hold no cells"):
        Store(linked, "tile").deal(ROLES, 1)


@pytest.mark.parametrize("mutant", ["identity", "over all roles"])
def test_the_check_of_dealt_cells_catches(linked, mutant):
    read = Store(linked, "tile-cells")
    if mutant == "over all roles":
        read = read.deal({"all": [p for role in ROLES.values() for p in role]}, 1)
    with pytest.raises(AssertionError, match="no link is left" if mutant == "identity" else "own rows"):
        check_dealt(read, ROLES)
