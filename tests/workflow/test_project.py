"""A project behind a loopback server, from `snakemake cohort` to packed bags: slides kept, and slides never kept."""

import json
import shutil
import threading
import time

import pandas as pd
import pyarrow.parquet as pq
import pytest
from acquire.gdc_project import serve_project
from acquire.gdc_server import Server
from conftest import SIX, snakemake
from contents import contents

from confuselt.acquire.schema import MANIFEST
from confuselt.acquire.sources import slide_rows
from confuselt.config.root import Config
from confuselt.slides.groups import group_of
from confuselt.tables import read_table

pytestmark = pytest.mark.xdist_group("gdc")
TWELVE = {**SIX, "cohort": "twelve", "simulate": {**SIX["simulate"], "patients": 12}, "groups": 4}
COHORT = "results/cohorts/brca"
SLOW = 1e5  # bytes a second: a slide takes one or two seconds, so that jobs that may overlap do
TOKEN = "token-that-nobody-may-see"


def targets(folder):
    """Everything of a cohort that is made before folds."""
    return [
        str(folder / COHORT / name)
        for name in (
            "pack/efficientnet-lite0.h5",
            "tile/index.parquet",
            "acquire/patients.parquet",
            "acquire/downloads.parquet",
            "rna/index.parquet",
        )
    ]


def config_of(server, outcomes_md5, **acquire):
    gdc = {"url": server.url, "mirror": f"{server.url}/mirror", "outcomes_md5": outcomes_md5}
    left = {k: v for k, v in SIX.items() if k not in ("simulate", "acquire")}
    return {
        **left,
        "cohort": "brca",
        "groups": 4,
        "max_excluded": 0.2,
        "acquire": {
            "source": "gdc",
            "gdc": gdc,
            "timeout": 3,
            "attempts": 3,
            "connections": 6,
            "segments": 2,
            **acquire,
        },
    }


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Folder of the files of twelve simulated patients."""
    folder = tmp_path_factory.mktemp("drawn")
    # What reads the slides is never made: the parts that say they are drawn are all that is asked for.
    ids = [row["slide_id"] for row in slide_rows(Config.model_validate({**TWELVE, "results": "results"}), "twelve")]
    groups = {group_of(slide, TWELVE["groups"]) for slide in ids}
    drawn = folder / "results/cohorts/twelve/acquire/simulated"
    snakemake(folder, f"{drawn}/slides.csv", *(f"{drawn}/parts/{g}.parquet" for g in sorted(groups)), config=TWELVE)
    return drawn


@pytest.fixture(scope="module")
def project(drawn):
    """A running server with twelve slides, one of which has other bytes than its md5 says.

    Yields (server, md5 of the outcomes, that slide).
    """
    with Server() as server:
        md5 = serve_project(server, drawn)
        broken = next(e for e in server.entries.values() if e.record.get("experimental_strategy") == "Diagnostic Slide")
        broken.content = broken.content[:-1] + b"?"
        yield server, md5, broken.record


@pytest.fixture(scope="module")
def kept(project, tmp_path_factory):
    """Folder of a run that keeps its slides, with a token in the environment."""
    folder, monkey = tmp_path_factory.mktemp("kept"), pytest.MonkeyPatch()
    monkey.setenv("GDC_TOKEN", TOKEN)
    try:
        snakemake(folder, "cohort", config=config_of(*project[:2]))
        snakemake(folder, *targets(folder), config=config_of(*project[:2]))
    finally:
        monkey.undo()
    return folder


def test_without_a_manifest_the_way_to_one_is_said(project, tmp_path):
    done = snakemake(tmp_path, "-n", config=config_of(*project[:2]), check=False)
    assert (
        done.returncode
        and "manifest.parquet is absent. Run `snakemake cohort` with the same config first" in done.stdout + done.stderr
    )
    other = {**SIX, "acquire": {"source": "simulate"}}
    done = snakemake(tmp_path, "cohort", "-n", config=other, check=False)
    assert done.returncode and "acquire.source is 'simulate'" in done.stdout + done.stderr


def test_the_manifest_pins_what_was_chosen(kept, project):
    path = kept / "resources/cohorts/brca/manifest.parquet"
    table = read_table(path, MANIFEST)
    about = json.loads(pq.read_schema(path).metadata[b"meta"])
    used = table[table["status"] == "ok"]
    assert used["what"].value_counts().to_dict() == {"slide": 12, "rna": 12, "outcomes": 1, "subtypes": 1}
    assert (
        about["project"] == "TCGA-BRCA"
        and about["release"] == project[0].release
        and set(about["query"]) == {"slides", "rna"}
    )
    assert table.loc[table["status"] != "ok", "reason"].str.contains("Solid Tissue Normal|has 2 aliquots").all()


def test_a_slide_that_is_wrong_for_good_is_a_row_and_the_rest_goes_on(kept, project):
    for name in ("tile/index", "embed/efficientnet-lite0/index", "cells/index"):
        index = pd.read_parquet(kept / COHORT / f"{name}.parquet")
        lost = index[index["status"] != "ok"]
        assert len(index) == 12 and len(lost) == 1 and lost["reason"].iloc[0].startswith("excluded at acquire: file ")
        assert project[2]["md5sum"] in lost["reason"].iloc[0]
    downloads = pd.read_parquet(kept / COHORT / "acquire/downloads.parquet")
    assert downloads["status"].value_counts().drop("ok").to_dict() == {"not chosen": 2, "excluded": 1}
    assert set(downloads["what"]) >= {"slide", "rna", "outcomes", "subtypes"}
    assert len(list((kept / COHORT / "acquire/gdc/slides").iterdir())) == 11
    patients = pd.read_parquet(kept / COHORT / "acquire/patients.parquet")
    assert len(patients) == 12 and patients["site"].str.fullmatch(r"\d\d").all() and patients["has_os"].all()


def test_the_token_is_nowhere_and_only_its_host_saw_it(kept, project):
    seen = {
        (path.split("/")[1], headers.get("X-Auth-Token"))
        for _, path, headers, _ in project[0].log
        if "/data/" in path or "/mirror/" in path
    }
    assert seen == {("data", TOKEN), ("mirror", None)}
    for path in kept.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_no_more_connections_than_allowed(kept, project, tmp_path):
    """All jobs may run at once, each over one connection; two connections are all there are."""
    server = project[0]
    shutil.copytree(kept / "resources", tmp_path / "resources")
    parts = [str(tmp_path / COHORT / "acquire/fetched" / p.name) for p in (kept / COHORT / "acquire/fetched").iterdir()]
    server.most, server.per_connection = 0, SLOW
    try:
        snakemake(tmp_path, *parts, "--cores", "6", config=config_of(*project[:2], connections=2, segments=1))
    finally:
        server.per_connection = None
    assert server.most == 2


def test_another_choice_than_the_pinned_one_is_said(kept, project):
    config = config_of(*project[:2])
    config["acquire"]["gdc"]["sample_types"] = ["Metastatic"]
    done = snakemake(kept, "-n", config=config, check=False)
    assert (
        done.returncode
        and "was pinned with acquire.gdc.sample_types ['Primary Tumor'], the config says ['Metastatic']"
        in done.stdout + done.stderr
    )


def test_again_there_is_nothing_to_do(kept, project):
    for target in (["cohort"], targets(kept)):
        done = snakemake(kept, *target, config=config_of(*project[:2]))
        assert "Nothing to be done" in done.stdout + done.stderr


def count_slides(folder, counts, stop):
    """Slides on disk, whole or half, every 20 ms."""
    while not stop.is_set():
        names = (
            {p.name.removeprefix(".partial.").removesuffix(".done") for p in folder.glob("*")}
            if folder.exists()
            else ()
        )
        counts.append(len(names))
        time.sleep(0.02)


@pytest.fixture(scope="module")
def streamed(project, kept, tmp_path_factory):
    """(folder, slides on disk over time) of a run that never keeps more than three slides, from the same manifest."""
    folder, counts, stop = tmp_path_factory.mktemp("streamed"), [], threading.Event()
    shutil.copytree(kept / "resources", folder / "resources")
    watch = threading.Thread(target=count_slides, args=(folder / COHORT / "acquire/gdc/slides", counts, stop))
    watch.start()
    project[0].per_connection = SLOW
    try:
        snakemake(
            folder,
            *targets(folder),
            "--cores",
            "6",
            config=config_of(*project[:2], keep_slides=False, slides_on_disk=3),
        )
    finally:
        project[0].per_connection = None
        stop.set()
        watch.join()
    return folder, counts


def test_no_more_slides_on_disk_than_allowed_and_the_same_results(kept, streamed):
    folder, counts = streamed
    assert 2 <= max(counts) <= 3 and counts[-1] == 0
    assert contents(folder) == contents(kept)


def test_another_manner_of_tiling_says_that_it_downloads_again(project, streamed):
    again = config_of(*project[:2], keep_slides=False, slides_on_disk=3)
    done = snakemake(streamed[0], "-n", *targets(streamed[0]), config={**again, "tile": {"min_tissue": 0.6}})
    text = done.stdout + done.stderr
    assert text.count("MB of slides are downloaded, but for those whose results still fit") == len(
        list((streamed[0] / COHORT / "acquire/fetched").iterdir())
    )
    done = snakemake(streamed[0], "-n", *targets(streamed[0]), config={**again, "rna": {"genes": 50}})
    assert "slides are downloaded" not in done.stdout + done.stderr


def test_results_that_fit_are_not_fetched_again(project, kept):
    """Slides that were kept are let go: the jobs that would fetch them find all their results."""
    server, before, slides = project[0], len(project[0].log), kept / COHORT / "acquire/gdc/slides"
    had = contents(kept)
    done = snakemake(kept, *targets(kept), config=config_of(*project[:2], keep_slides=False))
    assert "slides are downloaded, but for those whose results still fit" in done.stdout + done.stderr
    asked = {path for method, path, _, _ in server.log[before:] if method == "GET"}
    assert asked and all(project[2]["file_id"] in path for path in asked), (
        "only the slide that never came is tried again"
    )
    assert contents(kept) == had and not list(slides.iterdir())


@pytest.mark.full
def test_another_project_runs_to_its_report_from_config_alone(drawn, tmp_path):
    """Lung: three classes of its own, no PAM50, slides never kept."""
    classes = ["prox.-inflam", "prox.-prolif.", "TRU"]
    with Server() as server:
        md5 = serve_project(
            server, drawn, "TCGA-LUAD", dict(zip(("Basal", "Her2", "LumA", "LumB"), [*classes, "TRU"], strict=True))
        )
        config = config_of(server, md5, keep_slides=False)
        config["acquire"]["gdc"] |= {"project": "TCGA-LUAD", "labels": {"expression": "Subtype_mRNA"}}
        config |= {"cohort": "luad", "experiment": "luad"}
        config["tasks"] = {
            "survival": [{"name": "os"}],
            "labels": [{"name": "expression", "classes": classes, "from_rna": True}],
        }
        config["finetune"] = {"epochs": 2, "arms": ["wsi-pretrained-cells", "rna-scratch", "both-scratch-cells"]}
        snakemake(tmp_path, "cohort", config=config)
        snakemake(tmp_path, config=config)
    text = (tmp_path / "results/experiments/luad/evaluate/report.html").read_text()
    assert "expression" in text and "prox.-inflam" in text and "pam50" not in text.lower()
    metrics = pd.read_parquet(tmp_path / "results/experiments/luad/evaluate/metrics.parquet")
    assert set(metrics["task"]) == {"os", "expression"}


@pytest.mark.full
def test_no_more_slides_on_disk_on_slurm(slurm, project, kept, streamed, tmp_path):
    counts, stop = [], threading.Event()
    shutil.copytree(kept / "resources", tmp_path / "resources")
    watch = threading.Thread(target=count_slides, args=(tmp_path / COHORT / "acquire/gdc/slides", counts, stop))
    watch.start()
    try:
        done = snakemake(
            tmp_path,
            *targets(tmp_path),
            *slurm.arguments,
            config=config_of(*project[:2], keep_slides=False, slides_on_disk=3),
        )
    finally:
        stop.set()
        watch.join()
    assert "rule_stream_slides" in done.stdout + done.stderr
    assert 1 <= max(counts) <= 3 and counts[-1] == 0
    assert contents(tmp_path) == contents(streamed[0])
