"""A Slurm of a test's own."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "tests/workflow"


@dataclass(frozen=True)
class Slurm:
    """A one-node Slurm that runs.

    Attributes
    ----------
    folder : Path
        Its state and logs.
    arguments : list of str
        What Snakemake needs to use it.
    """

    folder: Path
    arguments: list[str]


@contextmanager
def one_node(folder):
    """A one-node Slurm on loopback; the test skips where it cannot be."""
    if not all(map(shutil.which, ("slurmctld", "slurmd", "munged"))):
        pytest.skip("slurm is not installed: apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("a Slurm of its own is started by root only")
    up = subprocess.run([HERE / "slurm_up.sh", folder], capture_output=True, text=True)
    # This cluster has no GPU, no accounts and no accounting: `squeue` says what has ended.
    no_gpu = [f"{rule}:gpu=0" for rule in ("embed_tiles", "pretrain_towers", "finetune_arm", "stream_slides")]
    plain = ["--default-resources", "slurm_account=none", "slurm_partition=main"]
    # A cluster of many users is asked every 40 s; this one is ours, and each step of the chain would wait as long.
    often = ["--slurm-init-seconds-before-status-checks=3", "--seconds-between-status-checks=3"]
    try:
        assert up.returncode == 0, (
            up.stdout + up.stderr + "".join(p.read_text()[-1000:] for p in folder.glob("log/*.log"))
        )
        yield Slurm(
            folder,
            [f"--profile={ROOT}/slurm", "--slurm-status-command=squeue", *often, "--set-resources", *no_gpu, *plain],
        )
    finally:
        subprocess.run([HERE / "slurm_down.sh", folder], check=True)
