"""The configs of docs/COHORT.md: each is understood and planned, and those of features run to a report."""

import re

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, snakemake

from confuselt.check.page import page
from confuselt.config.merge import merge
from confuselt.config.root import Config
from confuselt.config.validate import validate
from confuselt.simulate.cohort import simulate_features

SECTION = (ROOT / "docs/COHORT.md").read_text().partition("## One config per case")[2]
BLOCKS = re.findall(r"```yaml\n# ([\w-]+)\.yaml\n(.*?)```", SECTION, re.DOTALL)
CASES = {name: yaml.safe_load(text) for name, text in BLOCKS}
SMALL = {
    "split": {"folds": 2, "min_events": 2},
    "rna": {"genes": 60},
    "pretrain": {"epochs": 2, "model": {"hidden": 16, "attention": 8, "dim": 16}},
    "finetune": {"epochs": 2},
    "evaluate": {"draws": 100, "min_events": 10, "leaky": {"seeds": 0}},
}


def written(folder):
    """Data of every case: the same sixty patients as tables, bags and slides."""
    drawn = simulate_features(
        {f"simulate.{k}": v for k, v in Config(simulate={"patients": 60, "sites": 8, "genes": 80, "tiles": 6}).simulate}
    )
    folder.mkdir()
    clinical = drawn.clinical.assign(
        months=drawn.clinical["os_days"] / 30.44,
        status=drawn.clinical["os_event"].map({1: "Dead", 0: "Alive"}),
        subtype=drawn.clinical["pam50"],
    )
    clinical.to_csv(folder / "clinical.csv", index=False)
    drawn.rna.to_parquet(folder / "rna_counts.parquet")
    drawn.tile.to_csv(folder / "tile_features.csv", index=False)
    drawn.cells.to_csv(folder / "cell_features.csv", index=False)
    rows = []
    (folder / "slides").mkdir()
    for slide, part in drawn.tile.groupby("slide_id"):
        patient = part["patient_id"].iloc[0]
        with h5py.File(folder / f"{slide}.h5", "w") as file:
            file["features"] = part.filter(regex=r"^(?!x$|y$).*").select_dtypes("number").to_numpy(np.float16)
            file["coords"] = np.stack([np.arange(len(part)), np.arange(len(part))], 1) * 224
        rows.append({"slide_id": slide, "patient_id": patient, "tile": f"{slide}.h5"})
        (folder / f"slides/{patient}_{slide}.svs").touch()
    pd.DataFrame(rows).to_csv(folder / "bags.csv", index=False)
    return folder


def test_there_is_a_config_for_every_case():
    assert list(CASES) == ["own-slides", "bags", "rna-only", "one-site"]


@pytest.mark.parametrize("case", CASES)
def test_a_config_of_the_docs_is_understood_and_planned(case, tmp_path):
    config = {**CASES[case], "data": str(written(tmp_path / "data"))}
    lines, faults = page(validate(merge(config, SMALL)))
    assert faults == [] and not any("the run would stop" in line for line in lines)
    assert any("events in test folds" in line for line in lines)
    plan = snakemake(tmp_path, "-n", config=config).stdout
    assert "write_report" in plan


@pytest.mark.full
@pytest.mark.parametrize("case", ["bags", "rna-only", "one-site"])
def test_a_config_of_the_docs_runs_to_its_report(case, tmp_path):
    config = merge({**CASES[case], "data": str(written(tmp_path / "data"))}, SMALL)
    snakemake(tmp_path, config=config)
    evaluate = tmp_path / f"results/experiments/{config['experiment']}/evaluate"
    metrics = pd.read_parquet(evaluate / "metrics.parquet")
    whole = metrics[(metrics["fold"] == -1) & (metrics["status"] == "ok") & (metrics["task"] == "os")]
    wanted = {*config["finetune"].get("arms", []), *config["evaluate"].get("baselines", [])} - {"cca"}  # for retrieval
    assert wanted <= set(whole["arm"])
    assert (evaluate / "report.html").is_file()
