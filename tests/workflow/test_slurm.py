"""Six patients from pixels to the report on a real one-node Slurm: the results are those of a local run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, SIX, snakemake
from contents import contents

HERE = Path(__file__).parent
# This cluster has no GPU, no accounts and no accounting: `squeue` says what has ended.
ON_THE_COMMAND_LINE = [
    "--slurm-status-command=squeue",
    "--set-resources",
    *(f"{rule}:gpu=0" for rule in ("embed_tiles", "pretrain_towers", "finetune_arm")),
    "--default-resources",
    "slurm_account=none",
    "slurm_partition=main",
]


@pytest.fixture
def slurm(tmp_path):
    """A one-node Slurm on loopback for one test."""
    folder = tmp_path / "slurm"
    up = subprocess.run([HERE / "slurm_up.sh", folder], capture_output=True, text=True)
    try:
        assert up.returncode == 0, up.stdout + up.stderr + "".join(p.read_text()[-1000:] for p in folder.glob("log/*.log"))
        yield folder
    finally:
        subprocess.run([HERE / "slurm_down.sh", folder], check=True)


# Said here, so that the local run is not made in vain.
@pytest.mark.skipif(not all(map(shutil.which, ("slurmctld", "slurmd", "munged"))), reason="slurm is not installed: apt-get install slurm-wlm munge")
@pytest.mark.skipif(os.geteuid() != 0, reason="a Slurm of its own is started by root only")
@pytest.mark.full
@pytest.mark.xdist_group("six")
def test_six_patients_on_slurm_are_those_of_a_local_run(six, slurm, tmp_path):
    done = snakemake(tmp_path / "run", f"--profile={ROOT}/slurm", *ON_THE_COMMAND_LINE, config=SIX)
    text = done.stdout + done.stderr
    # Every job but the target rule went through Slurm.
    sent = re.findall(r"submitted with SLURM jobid \d+ \(log: \S+/slurm_logs/rule_(\w+)/", text)
    assert set(sent) >= {"simulate_slides", "cut_tiles", "embed_tiles", "find_cells", "pretrain_towers", "finetune_arm", "write_report"}
    ended = re.findall(r"JobState=(\w+)", (slurm / "log/jobcomp.txt").read_text())
    assert ended == ["COMPLETED"] * len(sent) and f"{len(sent) + 1} of {len(sent) + 1} steps" in text
    assert contents(tmp_path / "run") == contents(six)
