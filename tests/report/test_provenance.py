"""What made an experiment, as its files say: every rule once, in the order of the chain, whatever is not there."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import pandas as pd
import pytest

from confuselt.learn.checkpoint import save_checkpoint
from confuselt.report.provenance import provenance
from confuselt.stamp import set_stamp, stamp_text
from confuselt.tables import Table, write_table

TABLE = Table("any/table", {"slide_id": "string", "status": "string"})


@dataclass
class Files:
    """Those of `Sources` that are read here."""

    folder: Path
    space: Path | None = None
    tiles: Path | None = None
    attributions: Path | None = None
    grids: Path | None = None

    def __getattr__(self, name):
        return self.folder / f"{name}.parquet"


def stamped(stage, rule, **more):
    set_stamp({"stage": stage, "rule": rule, "code": "c", "config": "f", "settings": {}, "torch": "2.1", **more})


@pytest.fixture
def files(tmp_path):
    """Of a run of ready-made features without RNA: no slide is ok, the normaliser of the fold is empty."""
    made = {
        "outcomes": ("acquire", "read_outcomes"),
        "covariates": ("acquire", "read_covariates"),
        "patients": ("acquire", "read_outcomes"),
        "downloads": ("acquire", "list_sources"),
        "slides": ("acquire", "read_sheets"),
        "rna_index": ("rna", "gather_rna"),
        "folds": ("split", "make_folds"),
        "predictions": ("evaluate", "score_arms"),
        "tile_index": ("embed", "import_tiles"),
        "cells_index": ("cells", "import_cells"),
    }
    for name, (stage, rule) in made.items():
        stamped(stage, rule, settings={"acquire.rna": None} if name == "slides" else {})
        write_table(pd.DataFrame({"slide_id": ["S"], "status": ["excluded"]}), tmp_path / f"{name}.parquet", TABLE)
    (tmp_path / "rna.json").write_text("{}")
    stamped("pack", "pack_bags", settings={"pack.x": 1})
    with h5py.File(tmp_path / "store.h5", "w") as file:
        file.attrs["stamp"] = stamp_text()
    found = Files(tmp_path)
    found.store, found.others = tmp_path / "store.h5", []
    yield found
    set_stamp({})


def test_every_rule_is_there_once_in_the_order_of_the_chain(files):
    rows = provenance(files, [])
    assert [row["stage"] for row in rows] == ["acquire"] * 4 + ["embed", "cells", "rna", "split", "pack", "evaluate"]
    assert len({row["rule"] for row in rows}) == len(rows) and all(row["versions"] == {"torch": "2.1"} for row in rows)
    pack = next(row for row in rows if row["rule"] == "pack_bags")
    assert pack["settings"] == {"pack.x": 1}


def test_files_of_a_rule_that_were_made_in_two_ways_are_two_rows(files, tmp_path):
    for name, config in (("a", "f1"), ("b", "f2"), ("c", "f1")):
        stamped("finetune", "fit_baseline", config=config)
        save_checkpoint({}, tmp_path / f"{name}.pt")
        files.others.append(tmp_path / f"{name}.pt")
    assert [r["config"] for r in provenance(files, []) if r["rule"] == "fit_baseline"] == ["f1", "f2"]


def test_what_no_job_made_says_nothing(files, tmp_path):
    set_stamp({})
    save_checkpoint({}, tmp_path / "by_hand.pt")
    files.others.append(tmp_path / "by_hand.pt")
    assert len(provenance(files, [])) == 10
