"""Dry runs: what a user types builds a graph, config faults stop before any job, parsing stays light."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT, TINY, shared, snakemake

BIN = Path(sys.executable).parent


def from_checkout(*arguments, check=True):
    done = subprocess.run([f"{BIN}/snakemake", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_demo_dry_run(tmp_path):
    text = from_checkout("-n", "--cores", "2", "--configfile", "config/demo.yaml", "--config", f"results={tmp_path}")
    assert (
        all(rule in text for rule in ("simulate_slides", "cut_tiles", "embed_tiles", "find_cells", "write_report"))
        and "simulate_cohort" not in text
    )


def test_slurm_profile_from_the_checkout_asks_for_gpus(tmp_path):
    text = from_checkout(
        "--profile", "slurm", "-n", "--configfile", "config/demo.yaml", "--config", f"results={tmp_path}"
    )
    assert "write_report" in text
    wanted = yaml.safe_load((ROOT / "slurm/profile.yaml").read_text())["set-resources"]
    assert {rule: r["gpu"] for rule, r in wanted.items()} == {
        "embed_tiles": 1,
        "stream_slides": 1,
        "pretrain_towers": 1,
        "finetune_arm": 1,
        "fit_clinical_plus": 1,
    }
    rules = "".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk"))
    for rule in wanted:
        assert "gpu=gpus()" in rules.split(f"rule {rule}:")[1].split("rule ")[0]


def test_a_cohort_without_cells_has_controls_without_them(tmp_path):
    for name in ("tile_features", "rna"):
        pd.DataFrame({"patient_id": ["P1"], "f": [1.0]}).to_parquet(tmp_path / f"{name}.parquet")
    clinical = {"patient_id": "P1", "site": "S", "os_time": 10, "os_event": 1, "pam50": "LumA"}
    pd.DataFrame({k: [v] for k, v in clinical.items()}).to_parquet(tmp_path / "clinical.parquet")
    config = {
        "data": str(tmp_path),
        "tasks": {"survival": [{"name": "os"}]},
        "finetune": {"arms": ["wsi-scratch-nocells", "rna-scratch", "both-pretrained-nocells"]},
        "evaluate": {
            "primary": "os",
            "baselines": ["mean-pool", "late-fusion"],
            "controls": {"kinds": ["permuted", "mispaired", "shuffled-cells", "without-pam50"]},
        },
    }
    done = snakemake(tmp_path, "--summary", config=config)
    made = {line.split("\t")[0].partition("/controls/")[2] for line in done.stdout.splitlines()}
    for run in ("permuted-1", "mispaired-1"):
        assert f"{run}/finetune/both-pretrained-nocells/r0.pt" in made
    assert "without-pam50-1/finetune/wsi-pretrained-nocells/r0.pt" in made
    assert "mispaired-1/pretrain/tile/r0f0.pt" in made
    assert not any("shuffled-cells" in path or "tile-cells" in path for path in made)


def test_a_label_with_centroids_is_called_before_outcomes_are_read(tmp_path):
    for name in ("tile_features", "rna"):
        pd.DataFrame({"patient_id": ["P1"], "f": [1.0]}).to_parquet(tmp_path / f"{name}.parquet")
    clinical = {"patient_id": "P1", "site": "S", "os_days": 10, "os_event": 1, "er": "Positive"}
    pd.DataFrame({k: [v] for k, v in clinical.items()}).to_parquet(tmp_path / "clinical.parquet")
    for name, classes in (("centroids", "A,B"), ("other", "A,C")):
        (tmp_path / f"{name}.csv").write_text(f"gene,median,{classes}\nG1,0,1,2\n")
    label = {"name": "subtype", "classes": ["A", "B"], "from_rna": True}
    call = {"centroids": str(tmp_path / "centroids.csv"), "balanced_by": None}
    config = {"data": str(tmp_path), "cohort": "cohort", "evaluate": {"primary": "os"}}
    outcomes = str(tmp_path / "results/cohorts/cohort/acquire/outcomes.parquet")
    for changed, name, said in (
        ({}, "subtype", "rna: subtype of cohort by centroids"),
        ({"balanced_by": "er"}, "subtype", "rna: subtype of cohort by centroids"),
        ({"balanced_by": "ER status"}, "subtype", "rna.calls 'subtype' balanced_by"),
        ({"centroids": "nowhere.csv"}, "subtype", "rna.calls 'subtype': nowhere.csv is absent"),
        ({"centroids": str(tmp_path / "other.csv")}, "subtype", "centroid 'C' is no class of label 'subtype'"),
        ({}, "subtpye", "rna.calls 'subtpye' is no label"),
        ({}, "grade", "set from_rna: true"),
    ):
        labels = [label, {"name": "grade", "classes": ["1", "2"]}]
        tasks = {"survival": [{"name": "os"}], "labels": labels}
        asked = {**config, "tasks": tasks, "rna": {"calls": {name: {**call, **changed}}}}
        done = snakemake(tmp_path, outcomes, "-n", config=asked, check=False)
        assert said in done.stdout + done.stderr, (changed, done.stdout + done.stderr)


def test_real_example_dry_run(tmp_path):
    data = shared("tcga_brca_hif")
    text = from_checkout(
        "-n",
        "--cores",
        "2",
        "--configfile",
        "config/examples/tcga_brca_hif.yaml",
        "--config",
        f"data={data}",
        f"results={tmp_path}",
    )
    assert "simulate_cohort" not in text and "finetune_arm" in text
    text = from_checkout(
        "predict",
        "-n",
        "--cores",
        "2",
        "--configfile",
        "config/examples/tcga_brca_hif.yaml",
        "--config",
        f"data={data}",
        f"results={tmp_path}",
        f"predict={{name: unseen, data: {data}}}",
    )
    assert "predict_cohort" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pretrain={epoch: 3}"], "pretrain.epoch: unknown key; did you mean 'epochs'"),
        (["cohrt=x"], "cohrt: unknown key; did you mean 'cohort'"),
        (["acquire={source: local}", "data=nowhere"], "none of its feature files exists"),
        (["split={folds: many}"], "split.folds"),
    ],
)
def test_config_faults_stop_before_any_job(tmp_path, arguments, said):
    text = from_checkout(
        "--cores", "1", "--configfile", "config/demo.yaml", "--config", f"results={tmp_path}", *arguments, check=False
    )
    assert said in text and "Traceback" not in text
    assert not (tmp_path / "cohorts").exists()


def test_missing_column_and_missing_folds_stop_before_any_job(tmp_path):
    pd.DataFrame({"patient": ["a"], "f": [1.0]}).to_csv(tmp_path / "tile.csv", index=False)
    config = {**TINY, "data": str(tmp_path), "acquire": {"source": "local", "tile": "tile.csv"}}
    done = snakemake(tmp_path / "run", "-n", config=config, check=False)
    assert "has no column 'patient_id'; closest: 'patient'" in done.stdout + done.stderr
    pd.DataFrame({"patient_id": ["a"], "f": [1.0]}).to_csv(tmp_path / "tile.csv", index=False)
    done = snakemake(tmp_path / "run", "-n", config=config, check=False)
    assert "clinical.parquet is absent: the training cohort 'tiny' needs it" in done.stdout + done.stderr
    pd.DataFrame({"patient_id": ["a"], "site": ["s"]}).to_parquet(tmp_path / "clinical.parquet")
    done = snakemake(tmp_path / "run", "-n", config={**config, "split": {"from": "file"}}, check=False)
    assert "folds.parquet" in done.stdout + done.stderr and done.returncode


def test_predict_without_a_name_says_how(tmp_path):
    text = from_checkout(
        "predict",
        "-n",
        "--cores",
        "1",
        "--configfile",
        "config/demo.yaml",
        "--config",
        f"results={tmp_path}",
        "predict={name: null}",
        check=False,
    )
    assert "predict={name: NAME, data: FOLDER}" in text


@pytest.mark.parametrize("column", ["tile", "file"])
def test_a_sheet_of_1133_slides_is_planned_in_time_and_without_torch(tmp_path, column):
    """A sheet of ready-made bags (one job a stream), and one of slides (a job a group and stage)."""
    slides = pd.DataFrame(
        {
            "slide_id": [f"S{i}" for i in range(1133)],
            "patient_id": [f"P{i % 1062}" for i in range(1133)],
            column: [f"given/S{i}" for i in range(1133)],
        }
    )
    slides[column] += {"tile": ".h5", "file": ".svs"}[column]
    slides.to_csv(tmp_path / "slides.csv", index=False)
    (tmp_path / "given").mkdir()
    for name in slides[column]:
        (tmp_path / name).touch()
    pd.DataFrame({"patient_id": [f"P{i}" for i in range(1062)], "site": "A"}).to_csv(
        tmp_path / "clinical.csv", index=False
    )
    config = {
        "data": str(tmp_path),
        "acquire": {"slides": "slides.csv", "tile": None, "cells": None, "rna": None, "clinical": "clinical.csv"},
    }
    if column == "file":
        config |= {"embed": {"encoder": "efficientnet-lite0"}, "cells": {"method": "classical"}}
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("torch", "torchsurv", "scanpy", "pydeseq2"):
        (trap / f"{name}.py").write_text(
            f"raise ImportError('{name} must not be imported while the workflow is parsed')"
        )
    start = os.times()
    folder = tmp_path / "run"
    (folder / "config").mkdir(parents=True)
    (folder / "config/config.yaml").write_text((ROOT / "config/config.yaml").read_text())
    (folder / "c.json").write_text(json.dumps(config))
    done = subprocess.run(
        [
            f"{BIN}/snakemake",
            "-n",
            "--cores",
            "2",
            "--directory",
            str(folder),
            "--snakefile",
            str(ROOT / "workflow/Snakefile"),
            "--configfile",
            str(folder / "c.json"),
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(trap)},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    # Time of the processor: on a busy machine the clock says nothing about the workflow.
    used = os.times()
    assert used.children_user + used.children_system - start.children_user - start.children_system < 20
    text = done.stdout + done.stderr
    assert "write_report" in text and ("find_cells" in text) == ("embed_tiles" in text) == (column == "file")


def test_lint_and_format_are_clean():
    assert "good condition" in from_checkout("--lint", "--configfile", "config/demo.yaml")
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["snakefmt", "--check", "workflow"]):
        done = subprocess.run([f"{BIN}/{command[0]}", *command[1:]], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
