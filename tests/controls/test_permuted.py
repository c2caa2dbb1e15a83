"""Permuted outcomes stay together, and in their site where that is asked for."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from confuselt.acquire.schema import OUTCOMES
from confuselt.controls.permuted import outcome_columns, permute
from confuselt.tables import check_table, read_table, write_table

TASKS = {"tasks.survival": [{"name": "os"}], "tasks.labels": [{"name": "x"}]}


@pytest.mark.parametrize("within", [False, True])
def test_permutation_keeps_outcomes_together(within):
    rng = np.random.default_rng(0)
    n = 60
    table = pd.DataFrame(
        {
            "patient_id": [f"P{i}" for i in range(n)],
            "status": "ok",
            "reason": None,
            "site": rng.choice(list("abc"), n),
            "os_days": np.arange(n, dtype=float),
            "os_event": np.arange(n, dtype=float),
            "label_x": [str(i) for i in range(n)],
        }
    )
    table.loc[5, "status"] = "excluded"
    out = permute(table, outcome_columns(TASKS), within, (1, 1))
    assert (out["os_days"] == out["os_event"]).all() and (out["label_x"].astype(float) == out["os_days"]).all()
    assert sorted(out["os_days"]) == sorted(table["os_days"]) and not out["os_days"].equals(table["os_days"])
    assert out["site"].equals(table["site"]) and out.loc[5, "os_days"] == 5
    check_table(out, OUTCOMES)
    assert OUTCOMES.type_of("label_x_days") == "string"
    if within:
        origin = table["site"].to_numpy()[out["os_days"].astype(int)]
        assert (origin == table["site"]).all()


def test_outcomes_are_permuted_by_hand(tmp_path):
    n = 40
    facts = {
        "patient_id": [f"P{i}" for i in range(n)],
        "status": "ok",
        "reason": None,
        "site": "S",
        "os_days": np.arange(n, dtype=float),
        "os_event": 1.0,
    }
    write_table(pd.DataFrame(facts), tmp_path / "outcomes.parquet", OUTCOMES)
    (tmp_path / "config.yaml").write_text("{tasks: {survival: [{name: os}], labels: []}, evaluate: {primary: os}}")
    script = [
        sys.executable,
        str(ROOT / "workflow/scripts/acquire/permute_outcomes.py"),
        "--configfile",
        "config.yaml",
        "--outcomes",
        "outcomes.parquet",
    ]
    for draw, control in (("1", "permuted"), ("2", "permuted"), ("1", "permuted-within-site"), ("1", "mispaired")):
        given = ["--permuted", f"{control}-{draw}.parquet", "--control", control, "--draw", draw]
        done = subprocess.run([*script, *given], cwd=tmp_path, capture_output=True, text=True)
        assert bool(done.returncode) == (control == "mispaired"), done.stderr
    assert "control 'mispaired' permutes no outcomes; known: permuted, permuted-within-site" in done.stderr
    one, two = (read_table(tmp_path / f"permuted-{k}.parquet", OUTCOMES)["os_days"].tolist() for k in (1, 2))
    assert sorted(one) == sorted(two) == facts["os_days"].tolist() and one != two != facts["os_days"].tolist()
