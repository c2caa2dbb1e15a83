"""One patient more, and a run that stops after an index and goes on: what is there is kept, nothing is stale."""

import shutil

import pytest
from conftest import SIX, snakemake
from contents import contents

SEVEN = {**SIX, "simulate": {**SIX["simulate"], "patients": 7}}
OF_A_SLIDE = ("acquire/simulated/slides/*.svs", "tile/*.png", "tile/SIM*.parquet", "embed/*/*.h5", "cells/*.h5", "cells/*.nuclei.parquet")


def times(folder, patterns):
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for pattern in patterns for p in folder.glob(f"results/{pattern}")}


@pytest.mark.full
@pytest.mark.xdist_group("six")
def test_a_seventh_patient_stopped_after_an_index_and_gone_on_with(six, tmp_path):
    run, slides = tmp_path / "run", [f"cohorts/six/{pattern}" for pattern in OF_A_SLIDE]
    learnt = ["experiments/six/*/**/*.pt", "experiments/six/evaluate/*.parquet", "cohorts/six/pack/*.h5"]
    shutil.copytree(six, run, copy_function=shutil.copy2)
    before, old = times(run, slides), times(run, learnt)
    assert len(before) == 6 * len(OF_A_SLIDE) and len(old) >= 8
    # Stop: the features of one stage are new, what hangs on them is not.
    snakemake(run, str(run / "results/cohorts/six/embed/efficientnet-lite0/index.parquet"), config=SEVEN)
    snakemake(run, config=SEVEN)
    after = times(run, slides)
    assert {k: after[k] for k in before} == before, "the slides that were there are kept as they are"
    assert len(after) == 7 * len(OF_A_SLIDE) and all("SIM-001-0006-" in k for k in set(after) - set(before))
    new = times(run, learnt)
    assert set(new) == set(old) and all(new[k] != old[k] for k in old), "what learns has learnt again"
    done = snakemake(run, "-n", config=SEVEN)
    assert "Nothing to be done" in done.stdout + done.stderr
    # As if there had been seven from the start.
    fresh = tmp_path / "fresh"
    snakemake(fresh, config=SEVEN)
    assert contents(run) == contents(fresh)
