"""The training core needs torch, numpy, h5py, scipy and pandas alone: what a GPU machine has."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = ("learn.loop", "learn.store", "learn.means", "pretrain.train", "finetune.train", "finetune.run_arm")
ABSENT = ("pyarrow", "anndata", "scanpy", "sklearn", "lifelines", "snakemake", "pydantic", "matplotlib", "tqdm", "cv2")
BLOCKED = """
import sys
for name in {absent!r}:
    sys.modules[name] = None
for name in {core!r}:
    __import__("confuselt." + name)
"""


def imported(absent):
    return subprocess.run(
        [sys.executable, "-c", BLOCKED.format(absent=absent, core=CORE)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
    )


def test_the_training_core_imports_without_the_rest():
    done = imported(ABSENT)
    assert done.returncode == 0, done.stderr


def test_the_block_blocks():
    assert "h5py" in imported((*ABSENT, "h5py")).stderr
