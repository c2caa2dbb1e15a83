"""Typed nuclei through the whole workflow: a network of one's own, then the same nuclei from files."""

import gzip
import json
import shutil
from pathlib import Path

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest
import shapely
from cells.tiny_hovernet import TinyHoverNet
from conftest import ROOT, SIX, snakemake
from safetensors.torch import save_file

from confuselt.cells.columns import NAMES
from confuselt.cells.nuclei_file import read_nuclei
from confuselt.cells.places import Extent
from confuselt.cells.schema import CELL_WEIGHTS, CELLS_INDEX, DEEP_INDEX, NUCLEI
from confuselt.predict.schema import PREDICTIONS
from confuselt.tables import read_table

pytestmark = pytest.mark.xdist_group("typed-cells")
CARD = """\
title: A tiny network
finder: hovernet
arguments: {architecture: "cells.tiny_hovernet:TinyHoverNet"}
types: {small: immune, large: tumour}
mpp: 0.25
trained_on: [Another cohort]
"""


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """Folder of a finished run, and its config."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / "tiny.yaml").write_text(CARD)
    save_file(TinyHoverNet().state_dict(), folder / "tiny.safetensors")
    cells = {"method": "tiny", "card": "tiny.yaml", "weights": "tiny.safetensors", "max_tiles": 6, "crops": 10}
    arms = ["wsi-pretrained-cells", "wsi-scratch-deepcells", "both-pretrained-deepcells"]
    drawn = {**SIX["simulate"], "patients": 16}
    config = {**SIX, "cells": cells, "simulate": drawn, "finetune": {**SIX["finetune"], "arms": arms}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "tests"))
        snakemake(folder, config=config)
        yield folder, config


def bags(folder):
    """Slide to its cells features."""
    found = {}
    for path in sorted((folder / "results/cohorts/six/cells").glob("*.h5")):
        with h5py.File(path) as file:
            found[path.stem] = file["features"][()]
    return found


def test_a_network_of_ones_own_ends_in_nuclei_features_arms_and_a_report(typed):
    folder, _ = typed
    cohort = folder / "results/cohorts/six"
    weights = read_table(folder / "results/cells/tiny.parquet", CELL_WEIGHTS).iloc[0]
    index = read_table(cohort / "cells/index.parquet", CELLS_INDEX)
    fine = index[index["status"] == "ok"]
    assert len(fine) and fine["tumour_mm2"].notna().any() and fine["stroma_mm2"].isna().all()
    for row in fine.itertuples():
        nuclei = read_table(cohort / f"cells/{row.slide_id}.nuclei.parquet", NUCLEI)
        assert set(nuclei["type"].dropna()) <= {"small", "large"} and nuclei["probability"].between(0, 1).all()
        with h5py.File(cohort / f"cells/{row.slide_id}.h5") as file:
            features, attrs = file["features"][()], dict(file.attrs)
        assert features.shape == (row.n, len(NAMES))
        assert features[:, NAMES.index("sought")].sum() == min(6, row.n)
        assert (attrs["name"], attrs["card"], attrs["max_tiles"]) == ("tiny", weights["card"], 6)
        assert json.loads(attrs["roles"]) == ["tumour", "immune"] and json.loads(attrs["columns"]) == list(NAMES)
        assert np.isnan(features[:, NAMES.index("share_stroma")]).all()
    arms = {p.parent.name for p in (folder / "results/experiments").rglob("finetune/*/r0.parquet")}
    assert {"wsi-pretrained-cells", "wsi-scratch-deepcells", "both-pretrained-deepcells"} <= arms
    metrics = pd.read_parquet(next((folder / "results/experiments").rglob("metrics.parquet")))
    assert set(metrics[metrics["status"] == "ok"]["arm"]) >= arms - {"leaky-chance"}
    assert "Another cohort" in next(folder.rglob("report.html")).read_text()


def test_what_the_encoder_sees_of_each_role_is_a_stream_of_its_own(typed):
    folder, config = typed
    cohort = folder / "results/cohorts/six"
    with h5py.File(cohort / "pack/efficientnet-lite0.deepcells.h5") as store:
        assert store["deep"]["features"].shape[1] == 2 * 1280 + 3 + 6 and set(store["deep"]["coords"][:, 0]) <= {0, 1}
        assert store["deep"].attrs["name"] == "tiny by efficientnet-lite0" and store["deep"].attrs["crops"] == 10
    pooled = read_table(cohort / "cells/efficientnet-lite0/index.parquet", DEEP_INDEX)
    assert (pooled["status"] == "ok").any()
    other = {**config, "cells": {**config["cells"], "crops": 5}}
    plan = snakemake(folder, "-n", config=other).stdout
    started = {line.split()[0] for line in plan.splitlines() if line[:1].isalpha() and line.split()[-1].isdigit()}
    assert {"pool_cells", "pack_pooled", "finetune_arm"} <= started
    assert not started & {"find_cells", "embed_tiles", "cut_tiles", "pack_bags"}


def test_an_arm_of_deep_features_serves_another_cohort(typed):
    """Whose slides are typed, pooled and packed as those of training were; nobody of training is served unseen."""
    folder, config = typed
    other = {"name": "others", "arm": "both-pretrained-deepcells", "simulate": {"seed": 2, "patients": 7}}
    snakemake(folder, "predict", config={**config, "predict": other})
    found = next((folder / "results/experiments").rglob("predict/others/predictions.parquet"))
    table = read_table(found, PREDICTIONS)
    served = table[table["status"] == "ok"]
    assert set(served["inputs"]) == {"wsi", "rna", "both"} and not served["out_of_fold"].any()
    assert served.filter(like="risk_").notna().all(axis=None) and served.filter(like="z_").shape[1]
    assert (folder / "results/cohorts/others/pack/efficientnet-lite0.deepcells.h5").is_file()
    lost = table[table["status"] != "ok"]
    assert lost["reason"].notna().all()


def test_nuclei_of_a_slide_are_shown_and_read_back(typed):
    folder, config = typed
    cohort = folder / "results/cohorts/six"
    fine = read_table(cohort / "cells/index.parquet", CELLS_INDEX).query("status == 'ok'")
    slide = fine["slide_id"].iloc[0]
    snakemake(folder, str(cohort / f"cells/shown/{slide}.png"), config=config)
    shown = cohort / f"cells/shown/{slide}"
    image = cv2.imread(f"{shown}.png")
    assert image.shape[0] > 300 and image.std() > 20
    nuclei = read_table(cohort / f"cells/{slide}.nuclei.parquet", NUCLEI)
    with gzip.open(f"{shown}.geojson.gz", "rt") as file:
        points = shapely.get_coordinates(shapely.from_geojson(file.read()))
    np.testing.assert_array_equal(points, nuclei[["x", "y"]])
    back = read_nuclei(Path(f"{shown}.geojson.gz"), Extent(0.5, 10_000, 10_000))
    assert back["type"].value_counts().to_dict() == nuclei["type"].value_counts().to_dict()


def test_the_same_nuclei_from_files_give_the_same_features(typed):
    """Of all tiles: the sample that was looked at is not known to a table."""
    folder, config = typed
    whole = {**config, "cells": {k: v for k, v in config["cells"].items() if k != "max_tiles"}}
    snakemake(folder, "--until", "find_cells", config=whole)
    had, cohort = bags(folder), folder / "results/cohorts/six"
    (folder / "given").mkdir()
    for path in (cohort / "cells").glob("*.nuclei.parquet"):
        shutil.copy(path, folder / "given" / path.name.replace(".nuclei", ""))
    pattern = str(folder / "given" / "{slide_id}.parquet")
    cells = {"method": "table", "nuclei": pattern, "roles": {"small": "immune", "large": "tumour"}}
    given = {**config, "cells": cells}
    snakemake(folder, "--until", "index_cells", config=given)
    found = bags(folder)
    assert found.keys() == had.keys()
    for slide, features in found.items():
        np.testing.assert_array_equal(features, had[slide])
    # Another file of nuclei of one slide: its group alone.
    some = sorted((folder / "given").glob("*.parquet"))[0]
    table = pd.read_parquet(some)
    table.iloc[: len(table) // 2].to_parquet(some)
    plan = snakemake(folder, "-n", "--until", "index_cells", config=given)
    assert "find_cells            1" in plan.stdout or "find_cells         1" in plan.stdout, plan.stdout
    some.unlink()
    snakemake(folder, "--until", "index_cells", config={**given, "max_excluded": 1.0})
    index = read_table(cohort / "cells/index.parquet", CELLS_INDEX).set_index("slide_id")
    assert index.loc[some.stem, "reason"].startswith("cells.nuclei: no file of nuclei")


@pytest.mark.full
def test_wrong_weights_stop_the_run_before_a_slide_is_read(typed, tmp_path):
    _, config = typed
    (tmp_path / "tiny.yaml").write_text(CARD.replace("small: immune", "small: immune, third: stroma"))
    save_file({"other": TinyHoverNet().threshold.data.reshape(1)}, tmp_path / "tiny.safetensors")
    done = snakemake(tmp_path, config=config, check=False)
    assert done.returncode and "missing" in done.stdout + done.stderr and "unexpected" in done.stdout + done.stderr
    assert not list((tmp_path / "results").rglob("cells/*.h5"))
