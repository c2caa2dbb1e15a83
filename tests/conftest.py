"""Shared fixtures: a tiny simulated cohort through the real workflow, and where the shared real data lies."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from slurm_cluster import Slurm, one_node

# As the workflow does: one numeric thread per process, before any numeric library is loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CONFUSELT_SHARED", ROOT.parent / "shared")) / "data"

# A tiny cohort, two folds, two arms: every stage and both kinds of control in about a minute and a half.
TINY = {
    "cohort": "tiny",
    "experiment": "tiny",
    "tasks": {
        "survival": [{"name": "os"}, {"name": "pfi"}],
        "labels": [{"name": "pam50", "classes": ["Basal", "Her2", "LumA", "LumB"], "from_rna": True}],
    },
    "acquire": {"source": "simulate"},
    "simulate": {"patients": 60, "sites": 8, "tiles": 6, "genes": 80, "tile_features": 12, "cell_features": 8},
    "split": {"folds": 2, "min_events": 2},
    "rna": {"genes": 60},
    "pretrain": {"epochs": 2, "model": {"hidden": 16, "attention": 8, "dim": 16}},
    "finetune": {"epochs": 2, "arms": ["wsi-pretrained-cells", "both-pretrained-cells"]},
    "evaluate": {
        "min_events": 20,
        "draws": 100,
        "baselines": ["clinical", "cca", "clinical+wsi-pretrained-cells"],
        "leaky": {"seeds": 2, "epochs": 3},
    },
}

# The smallest cohort from pixels: six patients with a slide each, two groups, one arm.
SIX = {
    "cohort": "six",
    "experiment": "six",
    "groups": 2,
    "tasks": {"survival": [{"name": "os"}], "labels": []},
    "acquire": {"source": "simulate"},
    "simulate": {
        "level": "slides",
        "patients": 6,
        "sites": 4,
        "slide_mm": 0.4,
        "without_slide": 0,
        "without_rna": 0,
        "second_slide": 0,
    },
    "embed": {"encoder": "efficientnet-lite0"},
    "cells": {"method": "classical"},
    "split": {"folds": 2, "min_events": 1},
    "pretrain": {"epochs": 2, "model": {"hidden": 16, "attention": 8, "dim": 16}},
    "finetune": {"epochs": 2, "arms": ["wsi-pretrained-cells"]},
    "evaluate": {"primary": "os", "min_events": 5, "draws": 100, "baselines": [], "controls": {"kinds": []}},
}


def shared(*parts: str) -> Path:
    """A file of the shared real data; the test skips, with this reason, where it is missing."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real data {Path('shared/data').joinpath(*parts)} is not on this machine")
    return path


def script(name: str) -> ModuleType:
    """A script (``stage/rule``) as a module."""
    spec = importlib.util.spec_from_file_location(Path(name).name, ROOT / f"workflow/scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def snakemake(
    folder: Path, *arguments: str, config: dict | None = None, check: bool = True
) -> subprocess.CompletedProcess:
    """Run the workflow from the checkout with results in `folder`; config goes through a file, as a user's would."""
    folder.mkdir(parents=True, exist_ok=True)
    configfile = folder / "config.json"
    configfile.write_text(json.dumps({**(config or TINY), "results": str(folder / "results")}))
    command = [
        str(Path(sys.executable).with_name("snakemake")),
        "--cores",
        "2",
        "--directory",
        str(folder),
        "--snakefile",
        str(ROOT / "workflow/Snakefile"),
    ]
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config/config.yaml").write_text((ROOT / "config/config.yaml").read_text())
    # The target goes first: --configfile swallows what follows it.
    done = subprocess.run(
        [*command, *arguments, "--configfile", str(configfile)], capture_output=True, text=True, cwd=folder
    )
    if check and done.returncode:
        logs = (
            "\n".join(f"--- {p}\n{p.read_text()[-1500:]}" for p in (folder / "results/logs").rglob("*.log"))
            if (folder / "results/logs").exists()
            else ""
        )
        raise AssertionError(
            f"snakemake ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{logs[-6000:]}"
        )
    return done


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run of `TINY`; tests that use it share an xdist group, so that it is run once."""
    folder = tmp_path_factory.mktemp("tiny")
    snakemake(folder)
    return folder


@pytest.fixture(scope="session")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run of `SIX`; tests that use it share an xdist group."""
    folder = tmp_path_factory.mktemp("six")
    snakemake(folder, config=SIX)
    return folder


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    """A Slurm of a test's own."""
    with one_node(tmp_path / "slurm") as running:
        yield running


class Recorded(dict):
    """A cfg that remembers what was read."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.read = set()

    def __getitem__(self, key):
        self.read.add(key)
        return super().__getitem__(key)

    def items(self):
        """Iterating reads every key."""
        self.read |= set(self)
        return super().items()


def must_run() -> set[str]:
    """Node ids of must_run.txt that apply on this machine."""
    found, applies = set(), False
    for line in (ROOT / "tests/must_run.txt").read_text().splitlines():
        if line.startswith("["):
            applies = line == "[always]" or SHARED.exists()
        elif applies and line and not line.startswith("#"):
            found.add(line)
    return found


def _plain(nodeid: str) -> str:
    return nodeid.split("[")[0].split("@")[0]


def pytest_terminal_summary(terminalreporter, exitstatus, config) -> None:
    """Fail the session where a test of the must-run list was skipped or, in a whole run, not there."""
    skipped = {_plain(r.nodeid) for r in terminalreporter.stats.get("skipped", [])}
    ran = {
        _plain(r.nodeid)
        for kind in ("passed", "failed")
        for r in terminalreporter.stats.get(kind, [])
        if r.when == "call"
    }
    whole = config.args == config.getini("testpaths") and not config.option.keyword
    lost = sorted(must_run() & skipped) + sorted(must_run() - ran - skipped if whole else [])
    if lost:
        terminalreporter.section("must-run tests that did not run", red=True)
        terminalreporter.write_line("\n".join(lost))
        terminalreporter._session.exitstatus = 1
