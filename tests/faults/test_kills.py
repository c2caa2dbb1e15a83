"""kill -9 in each stage's write, and --cores: the finished results are identical by content."""

import re
from pathlib import Path

import pytest
from conftest import SIX, TINY, snakemake
from contents import contents

from confuselt.content import content_hash
from confuselt.tile.slide import Slide

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
    "score_arms",
    "write_report",
]
NEVER = -1
# Of a group of three slides (two flushes each: the file, its record) the second is being written at the third flush.
OF_SLIDES = {
    "simulate_patients": 1,
    "simulate_slides": 3,
    "cut_tiles": 3,
    "index_tiles": 1,
    "embed_tiles": 3,
    "index_embeddings": 1,
    "find_cells": 3,
    "index_cells": 1,
}
# Loaded by every Python that starts: the first job of each rule dies when it flushes an output, the first or the one that is named.
KILLER = """
import os, pathlib, signal, sys

real, folder, at, seen = os.fsync, pathlib.Path({marks!r}), {at!r}, []

def fsync(handle):
    rule = pathlib.Path(sys.argv[0]).name.split(".")[1] if ".snakemake/scripts" in sys.argv[0] else None
    seen.append(handle)
    if rule and len(seen) == at.get(rule, 1) and not (folder / rule).exists():
        (folder / rule).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return real(handle)

os.fsync = fsync
"""


@pytest.fixture
def killer(tmp_path, monkeypatch):
    """Installs KILLER with the flush at which a rule dies; gives the folder where each kill leaves the rule's name."""
    marks = tmp_path / "marks"
    marks.mkdir()
    (tmp_path / "site").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))

    def install(at: dict[str, int]) -> Path:
        (tmp_path / "site/sitecustomize.py").write_text(KILLER.format(marks=str(marks), at=at))
        return marks

    return install


def run_until_done(folder: Path, config: dict, most: int, *target: str) -> int:
    """Give the same command until it ends well; how often it was given."""
    for attempt in range(1, most + 1):
        done = snakemake(folder, *target, config=config, check=False)
        if done.returncode == 0:
            return attempt
        assert re.search("SIGKILL|signal 9|-9|137|died", done.stdout + done.stderr), done.stderr[-2000:]
        whole(folder)
    raise AssertionError(f"not done after {most} commands\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def whole(folder: Path) -> None:
    """Every file under a final name can be read to its end."""
    for path in (folder / "results").rglob("*"):
        if path.suffix in {".parquet", ".h5"} and ".partial" not in path.name:
            content_hash(path)
        if path.suffix == ".svs" and ".partial" not in path.name:
            Slide(path).whole(2.0)


@pytest.mark.full
@pytest.mark.xdist_group("tiny")
def test_killed_in_every_write_the_same_command_ends_the_same(tiny, tmp_path, killer):
    marks = killer({})
    attempts = run_until_done(tmp_path / "run", TINY, len(RULES) + 2)
    assert attempts >= 5
    assert {p.name for p in marks.iterdir()} == set(RULES), "a rule was never killed"
    assert contents(tmp_path / "run") == contents(tiny)


@pytest.mark.full
@pytest.mark.xdist_group("six")
def test_killed_between_the_slides_of_a_group_the_same_command_ends_the_same(six, tmp_path, killer):
    """To the store and the index of tiles only: what learns is killed in the test above."""
    marks = killer({**OF_SLIDES, **dict.fromkeys(RULES, NEVER)})
    targets = [tmp_path / "run/results/cohorts/six" / name for name in ("pack/efficientnet-lite0.h5", "tile/index.parquet")]
    attempts = run_until_done(tmp_path / "run", SIX, len(OF_SLIDES) + 2, *map(str, targets))
    assert attempts >= 3
    assert {p.name for p in marks.iterdir()} == set(OF_SLIDES), "a rule was never killed"
    made, wanted = contents(tmp_path / "run"), contents(six)
    assert made == {k: wanted[k] for k in made} and "cohorts/six/pack/efficientnet-lite0.h5" in made
    assert not list((tmp_path / "run/results").rglob(".partial*")), "what a killed job left is taken up by the next"


@pytest.mark.full
@pytest.mark.xdist_group("tiny")
def test_one_core_gives_the_same_content(tiny, tmp_path):
    snakemake(tmp_path / "one", "--cores", "1", config=TINY)
    assert contents(tmp_path / "one") == contents(tiny)
