"""The shipped example on 678 real patients.

Retrieval, PAM50, the words of the report, a missing stream, unseen patients.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, shared

from confuselt.finetune.arms import USUAL

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("real")]
EXAMPLE = ["--configfile", "config/examples/tcga_brca_hif.yaml"]


def run(*arguments: str) -> float:
    """Seconds that the workflow took."""
    start = time.monotonic()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("snakemake")), *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return time.monotonic() - start


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real") / "out"
    run("--cores", "2", "--nolock", *EXAMPLE, "--config", f"data={shared('tcga_brca_hif')}", f"results={folder}")
    return folder


def test_retrieval_and_subtype(out):
    evaluate = out / "experiments/tcga-brca-hif/evaluate"
    retrieval = pd.read_parquet(evaluate / "retrieval.parquet")
    rows = retrieval[
        (retrieval["model"] == "tile-cells")
        & (retrieval["stratum"] == "all")
        & (retrieval["k"] == 10)
        & (retrieval["fold"] >= 0)
    ]
    assert (rows.groupby("direction")["recall"].mean() >= 0.42).all()
    metrics = pd.read_parquet(evaluate / "metrics.parquet")
    row = metrics[
        (metrics["arm"] == "wsi-pretrained-cells")
        & (metrics["inputs"] == "wsi")
        & (metrics["metric"] == "auc_macro")
        & (metrics["fold"] == -1)
    ]
    assert row["value"].item() >= 0.765
    assert set(USUAL) <= set(metrics["arm"])


def test_answers_and_limits_in_words(out):
    text = (out / "experiments/tcga-brca-hif/evaluate/report.html").read_text()
    for said in (
        "Does a second modality help?",
        "Does contrastive pretraining help",
        "Do cell-type-related features help?",
        "say nothing about attention-based MIL (ABMIL)",
        "no leak-free claim",
        "trained on TCGA",
        "Pretraining without PAM50's genes",
        "without-pam50 against wsi-scratch-cells: ",
    ):
        assert said in text


def test_unseen_patients(out, tmp_path):
    """Training patients under another name are known by their bags; mixtures of two patients are new."""
    data = shared("tcga_brca_hif")
    for name in ("cell_features", "tile_features"):
        table = pd.read_parquet(data / f"{name}.parquet").head(30)
        numbers = table.select_dtypes("number").columns
        table.loc[15:, numbers] = (table.loc[15:, numbers] + table[numbers].shift(1).loc[15:]) / 2
        table["patient_id"] = "NEW-" + table["patient_id"]
        table.to_parquet(tmp_path / f"{name}.parquet")
    run(
        "predict",
        "--cores",
        "2",
        "--nolock",
        *EXAMPLE,
        "--config",
        f"data={data}",
        f"results={out}",
        f"predict={{name: unseen, data: {tmp_path}}}",
    )
    table = pd.read_parquet(out / "experiments/tcga-brca-hif/predict/unseen/predictions.parquet")
    assert (table["status"] == "ok").all() and set(table["inputs"]) == {"wsi"} and len(table) == 30
    ids = pd.read_parquet(tmp_path / "tile_features.parquet")["patient_id"]
    assert set(table.loc[table["out_of_fold"], "patient_id"]) == set(ids[:15])


def test_without_the_cells_stream(tmp_path):
    data = tmp_path / "in"
    shutil.copytree(shared("tcga_brca_hif"), data)
    (data / "cell_features.parquet").unlink()
    run(
        "--cores",
        "2",
        "--nolock",
        *EXAMPLE,
        "--config",
        f"data={data}",
        f"results={tmp_path / 'out'}",
        "pretrain={epochs: 3}",
        "finetune={epochs: 3}",
    )
    metrics = pd.read_parquet(tmp_path / "out/experiments/tcga-brca-hif/evaluate/metrics.parquet")
    lost = metrics[
        (metrics["status"] == "not available") & metrics["arm"].isin([a for a in USUAL if a.endswith("-cells")])
    ]
    assert {"wsi-scratch-cells", "wsi-pretrained-cells", "both-scratch-cells", "both-pretrained-cells"} == set(
        lost["arm"]
    )
    assert lost["reason"].str.contains("no slide has a usable cells stream").all()
    assert (
        "cell_features.parquet is listed as acquire.cells but absent"
        in (tmp_path / "out/experiments/tcga-brca-hif/evaluate/report.html").read_text()
    )
    # Baselines and controls are made of arms without cells then.
    there = set(metrics.loc[(metrics["fold"] == -1) & (metrics["status"] == "ok"), "arm"])
    assert {"permuted", "mispaired", "without-pam50", "late-fusion", "mean-pool"} <= there
