"""kill -9 in each stage's write, and --cores: the finished results are identical by content."""

import re
from pathlib import Path

import pytest
from conftest import TINY, snakemake
from contents import contents

RULES = [
    "simulate_cohort",
    "read_sheets",
    "read_outcomes",
    "read_covariates",
    "list_sources",
    "permute_outcomes",
    "import_tiles",
    "import_cells",
    "gather_rna",
    "make_folds",
    "normalise_rna",
    "drop_pam50",
    "pack_bags",
    "pretrain_towers",
    "finetune_arm",
    "fit_baseline",
    "register_plan",
    "fit_leaky_chance",
    "fit_clinical_plus",
    "score_arms",
    "attribute_inputs",
    "map_space",
    "write_report",
]
RULES_OF_FOLDS = [
    "normalise_rna",
    "pretrain_towers",
    "finetune_arm",
    "fit_baseline",
    "fit_clinical_plus",
]  # that keep each fold when it is done
# The jobs of slides write files per slide as they go: they die in the first of each kind, and again in the part of the
# index.
RULES_OF_SLIDES = {
    "simulate_patients": [],
    "simulate_slides": [".svs", ".json", ".png", ".parquet"],
    "cut_tiles": [".parquet", ".json", ".png"],
    "index_tiles": [],
    "embed_tiles": [".h5", ".json"],
    "index_embeddings": [],
    "find_cells": [".h5", ".json", ".parquet"],
    "index_cells": [],
}
SLIDES = {
    "cohort": "slides",
    "groups": 1,
    "acquire": {"source": "simulate"},
    "simulate": {
        "level": "slides",
        "patients": 6,
        "sites": 3,
        "slide_mm": 0.4,
        "without_slide": 0.5,
        "second_slide": 0,
    },
    "embed": {"encoder": "efficientnet-lite0"},
    "cells": {"method": "classical"},
}
# Loaded by every Python that starts: a job dies when it flushes the first output of its rule, or its rule's first file
# of a slide or of a fold.
KILLER = """
import os, pathlib, signal, sys

real, folder = os.fsync, pathlib.Path({marks!r})

def fsync(handle):
    if ".snakemake/scripts" in sys.argv[0]:
        path = pathlib.Path(os.readlink(f"/proc/self/fd/{{handle}}"))
        of_slide = path.name.removeprefix(".partial").lstrip(".").startswith("SIM-")
        of_fold = path.parent.suffix == ".parts"
        kind = path.suffix if of_slide else ".fold" if of_fold else ""
        mark = folder / (pathlib.Path(sys.argv[0]).name.split(".")[1] + kind)
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return real(handle)

os.fsync = fsync
"""


def run_until_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *targets: str, config: dict, whole: dict[str, str]
) -> tuple[int, set[str]]:
    """Give the same command until it ends well; attempts, and where jobs were killed.

    Whatever lies under a final name after a kill must be what the run that nobody killed has there (`whole`).
    """
    marks, site = folder / "marks", folder / "site"
    marks.mkdir(parents=True)
    site.mkdir()
    (site / "sitecustomize.py").write_text(KILLER.format(marks=str(marks)))
    monkeypatch.setenv("PYTHONPATH", str(site))
    for attempt in range(1, 30):
        killed = len(list(marks.iterdir()))
        done = snakemake(folder, *targets, config=config, check=False)
        final = {
            name: sha
            for name, sha in contents(folder).items()
            if not any(part.startswith(".") for part in Path(name).parts)
        }
        assert final.items() <= whole.items(), sorted(dict(final.items() - whole.items()))
        if done.returncode == 0:
            return attempt, {p.name for p in marks.iterdir()}
        assert len(list(marks.iterdir())) > killed, f"it failed without a kill\n{done.stderr[-2000:]}"
        assert re.search("SIGKILL|signal 9|-9|137|died", done.stdout + done.stderr), done.stderr[-2000:]
    raise AssertionError("it never ends")


@pytest.mark.full
@pytest.mark.xdist_group("tiny")
def test_killed_in_every_write_the_same_command_ends_the_same(tiny, tmp_path, monkeypatch):
    attempts, killed = run_until_done(tmp_path, monkeypatch, config=TINY, whole=contents(tiny))
    assert attempts >= 5 and killed == {*RULES, *(f"{rule}.fold" for rule in RULES_OF_FOLDS)}, (
        "a write was never killed"
    )
    assert contents(tmp_path) == contents(tiny)


@pytest.mark.full
def test_killed_in_every_write_of_the_pixel_stages(tmp_path, monkeypatch):
    targets = [f"results/cohorts/slides/{name}" for name in ("pack/efficientnet-lite0.h5", "tile/index.parquet")]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    snakemake(whole, *(str(whole / t) for t in targets), config=SLIDES)
    assert 2 <= len(list(whole.glob("results/cohorts/slides/embed/*/SIM*.h5"))) <= 4
    _, killed = run_until_done(cut, monkeypatch, *(str(cut / t) for t in targets), config=SLIDES, whole=contents(whole))
    assert killed >= {rule + kind for rule, kinds in RULES_OF_SLIDES.items() for kind in ("", *kinds)}, (
        "a write was never killed"
    )
    assert contents(cut) == contents(whole)


@pytest.mark.full
@pytest.mark.xdist_group("tiny")
def test_one_core_gives_the_same_content(tiny, tmp_path):
    snakemake(tmp_path / "one", "--cores", "1", config=TINY)
    assert contents(tmp_path / "one") == contents(tiny)
