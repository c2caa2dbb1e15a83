"""kill -9 at random moments of a fold, then the same command: bit for bit what an unbroken run gives."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from confuselt.content import content_hash

SCRIPT, ROOT = Path(__file__).with_name("one_fold.py"), Path(__file__).resolve().parents[2]
KILLS = 20


def start(folder):
    """The process, when it has begun to learn."""
    path = os.pathsep.join(str(ROOT / name) for name in ("workflow", "tests"))
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "learning\n"
    return process


def states(folder):
    """When each state was kept last: the process learns once one of them changes."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.state")}


@pytest.mark.full
def test_killed_at_twenty_moments_the_same_command_ends_the_same(tmp_path):
    process, began = start(tmp_path / "whole"), time.monotonic()
    assert process.wait() == 0
    whole = time.monotonic() - began
    rng = random.Random(5)
    for _ in range(KILLS):
        process, before = start(tmp_path / "broken"), states(tmp_path / "broken")
        while states(tmp_path / "broken") == before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.1 * whole))
        process.kill()
        process.wait()
    assert start(tmp_path / "broken").wait() == 0
    assert content_hash(tmp_path / "broken/done.pt") == content_hash(tmp_path / "whole/done.pt")
