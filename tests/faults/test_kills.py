"""kill -9 in each stage's write, and --cores: the finished results are identical by content."""

import re
from pathlib import Path

import pytest
from conftest import TINY, snakemake

from confuselt.content import content_hash

RULES = [
    "simulate_cohort",
    "read_sheets",
    "read_clinical",
    "list_sources",
    "permute_outcomes",
    "import_tiles",
    "import_cells",
    "gather_rna",
    "make_folds",
    "normalise_rna",
    "pack_bags",
    "pretrain_towers",
    "finetune_arm",
    "fit_baseline",
    "fit_clinical_plus",
    "score_arms",
    "write_report",
]
# Loaded by every Python that starts: the first job of each rule dies when it flushes its first output.
KILLER = """
import os, pathlib, signal, sys

real, folder = os.fsync, pathlib.Path({marks!r})

def fsync(handle):
    rule = pathlib.Path(sys.argv[0]).name.split(".")[1] if ".snakemake/scripts" in sys.argv[0] else None
    if rule and not (folder / rule).exists():
        (folder / rule).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return real(handle)

os.fsync = fsync
"""


def contents(folder: Path) -> dict[str, str]:
    """Content hash of every result."""
    kinds = {".parquet", ".h5", ".h5ad", ".pt", ".json", ".html", ".csv"}
    return {
        str(p.relative_to(folder / "results")): content_hash(p)
        for p in sorted((folder / "results").rglob("*"))
        if p.suffix in kinds and not {"logs", "benchmarks"} & set(p.parts)
    }


@pytest.mark.full
@pytest.mark.xdist_group("tiny")
def test_killed_in_every_write_the_same_command_ends_the_same(tiny, tmp_path, monkeypatch):
    marks = tmp_path / "marks"
    marks.mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(KILLER.format(marks=str(marks)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    attempts = 0
    for _ in range(len(RULES) + 2):
        attempts += 1
        done = snakemake(tmp_path / "run", check=False)
        left = [p for p in (tmp_path / "run/results").rglob("*.parquet") if "partial" not in p.name and p.stat().st_size == 0]
        assert not left
        if done.returncode == 0:
            break
        assert re.search("SIGKILL|signal 9|-9|137|died", done.stdout + done.stderr), done.stderr[-2000:]
    assert done.returncode == 0 and attempts >= 5
    assert {p.name for p in marks.iterdir()} == set(RULES), "a rule was never killed"
    assert contents(tmp_path / "run") == contents(tiny)


@pytest.mark.full
@pytest.mark.xdist_group("tiny")
def test_one_core_gives_the_same_content(tiny, tmp_path):
    snakemake(tmp_path / "one", "--cores", "1", config=TINY)
    assert contents(tmp_path / "one") == contents(tiny)
