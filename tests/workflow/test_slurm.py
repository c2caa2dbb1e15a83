"""Six patients from pixels to the report on a real one-node Slurm: the results are those of a local run."""

import re

import pytest
from conftest import SIX, snakemake
from contents import contents


@pytest.mark.full
@pytest.mark.xdist_group("six")
def test_six_patients_on_slurm_are_those_of_a_local_run(slurm, six, tmp_path):
    done = snakemake(tmp_path / "run", *slurm.arguments, config=SIX)
    text = done.stdout + done.stderr
    # Every job but the target rule went through Slurm.
    sent = re.findall(r"submitted with SLURM jobid \d+ \(log: \S+/slurm_logs/rule_(\w+)/", text)
    assert set(sent) >= {
        "simulate_slides",
        "cut_tiles",
        "embed_tiles",
        "find_cells",
        "pretrain_towers",
        "finetune_arm",
        "write_report",
    }
    ended = re.findall(r"JobState=(\w+)", (slurm.folder / "log/jobcomp.txt").read_text())
    assert ended == ["COMPLETED"] * len(sent) and f"{len(sent) + 1} of {len(sent) + 1} steps" in text
    assert contents(tmp_path / "run") == contents(six)
