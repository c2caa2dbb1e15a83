"""What stands beside the numbers so that they can be believed, in the words of this run."""

import pandas as pd
from report.cohort_on_disk import Cohort, run_of

from confuselt.evaluate.schema import RETRIEVAL
from confuselt.report.sections.believed import safeguards


def test_shuffled_pairs_are_told_at_the_k_of_the_plan(tmp_path):
    run = run_of(tmp_path, Cohort())
    row = {"model": "mispaired", "draw": 1, "direction": "wsi-to-rna", "stratum": "all", "fold": -1, "status": "ok"}
    rows = [
        row | {"k": k, "recall": k / 60, "chance": k / 60, "low": k / 60 - 0.01, "high": k / 60 + 0.01}
        for k in (1, 5, 10, 50)
    ]
    run.tables["retrieval"] = pd.DataFrame(rows, columns=list(RETRIEVAL.columns))
    (tick,) = (t for t in safeguards(run) if t["title"] == "shuffled pairs")
    assert tick["said"] == "1 of 1 intervals hold chance, mean 0.17" and tick["state"] == "yes"


def test_one_site_cannot_be_kept_apart(tmp_path):
    run = run_of(tmp_path, Cohort())
    run.tables["folds"] = run.tables["folds"].assign(site="A1")
    (tick,) = (t for t in safeguards(run) if t["title"] == "sites kept apart")
    assert tick["said"] == "all patients are of one site" and tick["state"] == "open"
