"""A cohort full of faults through the workflow.

Each is a row with its reason, the rest is scored, the report lists all.
"""

import h5py
import numpy as np
import pandas as pd
import pytest
from conftest import TINY, snakemake

from confuselt.config.root import Config
from confuselt.simulate.cohort import simulate_features

pytestmark = pytest.mark.xdist_group("bad")
CONFIG = {
    **TINY,
    "cohort": "bad",
    "experiment": "bad",
    "acquire": {
        "source": "local",
        "slides": "slides.csv",
        "tile": None,
        "cells": None,
        "rna": "rna.csv",
        "clinical": "clinical.csv",
    },
    "tasks": {
        "survival": [{"name": "os"}, {"name": "pfi"}, {"name": "dss"}],
        "labels": [
            {"name": "pam50", "classes": ["Basal", "Her2", "LumA", "LumB"]},
            {"name": "flat", "classes": ["a", "b"]},
        ],
    },
    "finetune": {"epochs": 2, "arms": ["wsi-scratch-cells", "wsi-scratch-nocells", "rna-scratch"]},
    "evaluate": {"min_events": 20, "draws": 100, "baselines": ["clinical"], "controls": {"kinds": []}, "primary": "os"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bags of one file per slide, counts, a clinical table; each fault named in its patient."""
    root = tmp_path_factory.mktemp("bad")
    drawn = simulate_features(
        {
            f"simulate.{k}": v
            for k, v in {
                **Config().simulate.model_dump(),
                "patients": 70,
                "sites": 8,
                "tiles": 5,
                "genes": 80,
                "without_slide": 0,
                "without_rna": 0,
                "second_slide": 0,
            }.items()
        }
    )
    patients = list(drawn.clinical["patient_id"])
    slides = []
    (root / "bags").mkdir()
    for slide, part in drawn.tile.groupby("slide_id"):
        features = part.filter(like="tile_").to_numpy(np.float32)
        with h5py.File(root / f"bags/{slide}.h5", "w") as file:
            file["features"], file["coords"] = features, part[["x", "y"]].to_numpy()
        slides.append({"slide_id": slide, "patient_id": part["patient_id"].iloc[0], "tile": f"bags/{slide}.h5"})
    sheet = pd.DataFrame(slides).set_index("patient_id")
    with h5py.File(root / sheet.loc[patients[0], "tile"], "a") as file:
        file["features"][0, 0] = np.nan
    with h5py.File(root / sheet.loc[patients[1], "tile"], "a") as file:
        file["features"][0, 0] = np.inf
    with h5py.File(root / sheet.loc[patients[2], "tile"], "w") as file:
        file["features"] = np.ones((3, 5))
    (root / sheet.loc[patients[3], "tile"]).unlink()
    (root / sheet.loc[patients[4], "tile"]).write_text("no bag")
    with h5py.File(root / sheet.loc[patients[12], "tile"], "w") as file:
        file["features/tiles"] = np.ones((3, 48))
    (root / "bags/other.pt").write_text("no bag")
    sheet.loc[patients[13], "tile"] = "bags/other.pt"
    sheet = sheet.reset_index()
    sheet.loc[len(sheet)] = ["SIM-001-9999", "typo-slide", "bags/x.h5"]
    sheet.loc[len(sheet)] = [patients[14], None, "bags/x.h5"]
    sheet.to_csv(root / "slides.csv", index=False)
    rna = drawn.rna.set_index("patient_id")
    rna.loc[patients[5]] = 0
    rna.loc[patients[6], rna.columns[3]] = -4
    rna.rename(index={patients[7]: "SIM-001-0007X"}).reset_index().to_csv(root / "rna.csv", index=False)
    clinical = drawn.clinical.assign(dss_days=100.0, dss_event=0, flat="a")
    clinical["os_days"] = clinical["os_days"].astype(object)
    clinical.loc[8, "os_days"] = -5
    clinical.loc[9, "os_days"] = None
    clinical.loc[10, "pam50"] = "Lumina"
    again = clinical.iloc[[11]].assign(site="elsewhere")
    pd.concat([clinical, again, again.assign(patient_id=None)]).to_csv(root / "clinical.csv", index=False)
    snakemake(root / "run", config={**CONFIG, "data": str(root)})
    return root, patients


def test_every_fault_is_a_row_and_the_rest_is_scored(folder):
    root, patients = folder
    out = root / "run/results"
    slides = pd.read_parquet(out / "cohorts/bad/embed/ready/index.parquet")
    assert (
        slides.set_index("slide_id")
        .loc["slides.csv row 72", "reason"]
        .startswith("excluded at acquire: slides.csv row 72: slide_id is empty")
    )
    slides = slides.set_index("patient_id")
    for patient, said in zip(
        [*patients[:5], *patients[12:14]],
        (
            "NaN or infinite",
            "NaN or infinite",
            "5 tile features, the other slides have 48",
            "listed but absent",
            "cannot be read as HDF5",
            "'features' is a group",
            "other.pt (slide",
        ),
        strict=True,
    ):
        assert slides.loc[patient, "status"] == "excluded" and said in slides.loc[patient, "reason"]
    assert slides.loc["SIM-001-9999", "reason"].startswith(
        "excluded at acquire: slides.csv: id 'SIM-001-9999' matches nothing in"
    )
    rna = pd.read_parquet(out / "cohorts/bad/rna/index.parquet").set_index("patient_id")
    assert (
        "the sample is empty" in rna.loc[patients[5], "reason"]
        and "negative count -4" in rna.loc[patients[6], "reason"]
    )
    assert (
        "id 'SIM-001-0007X' matches nothing" in rna.loc["SIM-001-0007X", "reason"]
        and "closest: 'SIM-001-0007'" in rna.loc["SIM-001-0007X", "reason"]
    )
    clinical = pd.read_parquet(out / "cohorts/bad/acquire/outcomes.parquet").set_index("patient_id")
    for patient, said in zip(
        patients[8:11],
        ("os_days -5 is negative", "os_days is missing but os_event is not", "'Lumina' is none of"),
        strict=True,
    ):
        assert said in clinical.loc[patient, "reason"] and "clinical.csv row" in clinical.loc[patient, "reason"]
    assert clinical.loc[patients[11], "status"] == "excluded" and "rows 12, 71" in clinical.loc[patients[11], "reason"]
    assert (
        clinical.loc["clinical.csv row 72", "status"] == "excluded"
        and "patient_id is empty" in clinical.loc["clinical.csv row 72", "reason"]
    )
    metrics = pd.read_parquet(out / "experiments/bad/evaluate/metrics.parquet")
    whole = metrics[metrics["fold"] == -1]
    ok = whole[(whole["status"] == "ok") & whole["metric"].isin(["harrell_c", "auc_macro"])]
    assert {"wsi-scratch-nocells", "rna-scratch", "clinical", "leaky-chance"} == set(ok["arm"]) and ok[
        "value"
    ].notna().all()
    lost = whole[whole["status"] != "ok"]
    assert lost.loc[(lost["arm"] == "wsi-scratch-cells") & ~lost["task"].isin(["dss", "flat"]), "reason"].str.contains(
        "cells"
    ).all() and "wsi-scratch-cells" in set(lost["arm"])
    reasons = lost.groupby("task")["reason"].agg(set)
    assert any("no events" in r for r in reasons["dss"]) and any("one class only (a)" in r for r in reasons["flat"])
    assert not set(ok["task"]) & {"dss", "flat"}


def test_the_report_lists_it_all(folder):
    root, patients = folder
    text = (root / "run/results/experiments/bad/evaluate/report.html").read_text()
    for said in (
        *patients[:7],
        *patients[8:12],
        "typo-slide",
        "SIM-001-0007X",
        "slides.csv row 72",
        "clinical.csv row 72",
        "no events among",
        "one class only",
    ):
        assert said in text


def test_predict_says_what_became_of_the_inputs_of_whom_it_cannot_serve(folder):
    root, patients = folder
    again = {"name": "again", "data": str(root), "arm": "wsi-scratch-nocells"}
    snakemake(root / "run", "predict", config={**CONFIG, "data": str(root), "predict": again})
    table = pd.read_parquet(root / "run/results/experiments/bad/predict/again/predictions.parquet").set_index(
        "patient_id"
    )
    words = ("NaN or infinite", "NaN or infinite", "5 tile features", "listed but absent", "cannot be read as HDF5")
    for patient, said in zip(patients[:5], words, strict=True):
        reason = table.loc[patient, "reason"]
        assert reason.startswith("no input that arm 'wsi-scratch-nocells' takes: ") and said in reason
    assert table.loc[patients[14], "status"] == "ok" and table.loc[patients[11], "reason"].count("rows 12, 71") == 1
    people = pd.read_parquet(root / "run/results/cohorts/again/acquire/patients.parquet")
    assert set(table.index) == set(people["patient_id"])


def test_a_missing_file_that_appears_reruns_its_group(folder):
    root, patients = folder
    sheet = pd.read_csv(root / "slides.csv").set_index("patient_id")
    path = root / sheet.loc[patients[3], "tile"]
    with h5py.File(path, "w") as file:
        file["features"] = np.ones((3, 48), np.float32)
    try:
        done = snakemake(root / "run", "-n", config={**CONFIG, "data": str(root)})
        assert "import_tiles" in done.stdout + done.stderr
    finally:
        path.unlink()


def test_too_many_faults_end_the_run_with_a_list(folder, tmp_path):
    root, _ = folder
    done = snakemake(root / "strict", config={**CONFIG, "data": str(root), "max_excluded": 0.05}, check=False)
    assert done.returncode
    log = (root / "strict/results/logs/embed/import_tiles.bad.log").read_text()
    assert "9 of 72 slides are excluded, more than max_excluded (5%)" in log and "typo-slide" in log
