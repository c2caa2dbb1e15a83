"""One draw of each study runs through the whole chain.

A table says "held" only of all that was asked, and a key is of all that decides.
"""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks/studies"))
import demo
import full
import run
from cheap_tables import APART, false_table, nulls, power_table


@pytest.mark.full
@pytest.mark.parametrize("name", ["demo", "features", "null", "alarm", "coverage", "false-yes", "power"])
def test_one_draw(name):
    done = subprocess.run(
        [sys.executable, "benchmarks/studies/run.py", name, "--draws", "1", "--no-table"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def contrast(question, task, verdict="cannot tell", difference=0.0):
    return {
        "question": question,
        "task": task,
        "verdict": verdict,
        "difference": difference,
        "low": -0.1,
        "high": 0.1,
        "p": 0.5,
        "detectable": 0.1,
    }


def draws_of_nulls(**change):
    levels = run.NULLS
    return [
        {"level": n, "seed": 301, "contrasts": [contrast(q, t) | change.get(q, {}) for q, t in nulls(n)]}
        for n in levels
        for _ in range(2)
    ]


@pytest.mark.parametrize("table", [false_table, full.alarm_table])
def test_a_claim_is_held_only_where_every_null_was_judged(table):
    assert table(draws_of_nulls())[1]
    assert not table(draws_of_nulls(modality={"verdict": "yes"}))[1]
    assert not table([])[1]
    draws = draws_of_nulls()
    draws[0]["contrasts"] = draws[0]["contrasts"][1:]
    lines, held = table(draws)
    assert not held and len(lines) == len(table(draws_of_nulls())[0]), "what is missing has its line too"
    assert ("cells", "retrieval") in nulls("cells redundant") and ("cells", "retrieval") not in nulls("effect 0")


def test_power_is_told_by_draws_that_are_not_tested():
    def draws(apart):
        level = "os, effect 1"
        tested = [
            {"level": level, "contrasts": [contrast("modality", "os", difference=0.1) | {"p": 0.001, "low": 0.01}]}
            for _ in range(4)
        ]
        return [
            *tested,
            *({"level": level + APART, "contrasts": [contrast("modality", "os", difference=d)]} for d in apart),
        ]

    assert power_table(draws([0.15] * 4))[1]
    assert not power_table(draws([0.0] * 4))[1], "nothing was to be expected, everything was found"
    assert not power_table(draws([]))[1] and not power_table([])[1]


def test_draws_of_the_full_chain_are_made_anew_when_a_default_changes(monkeypatch):
    study = run.STUDIES["null"]
    _, seed, config = study.draws[0]
    before = run.key_of(study, config, seed)
    assert before == run.key_of(study, config, seed)
    real = run.Config
    monkeypatch.setattr(
        run,
        "Config",
        SimpleNamespace(model_validate=lambda given: real.model_validate({**given, "finetune": {"epochs": 1}})),
    )
    assert run.key_of(study, config, seed) != before


def drawn(**change):
    """A draw of the demo in which all is as promised."""

    def rows(control, *names, value=0.7):
        found = [{"name": n, "colour": "both", "value": value, "low": 0.6, "high": 0.8, "chance": 0.5} for n in names]
        return [*found, {"name": control, "colour": "control", "value": 0.5, "low": 0.4, "high": 0.6, "chance": 0.5}]

    panels = [
        {"name": task, "rows": rows("outcomes permuted", "slides", "RNA", "both")} for task in ("os", "pfi", "pam50")
    ]
    panels.append({"name": "retrieval", "rows": rows("pairs shuffled", "slide → RNA", "RNA → slide", value=1.0)})
    said = {"question": "modality", "task": "os", "verdict": "yes", "difference": 0.1, "p_holm": 0.01}
    return {"seed": 1, "primary": "os", "panels": panels, "contrasts": [said], "against": []} | change


def test_the_demo_promises_what_holds_in_four_of_five_draws():
    assert all(demo.claims(drawn()))
    weak = drawn()
    weak["panels"][2]["rows"][0]["low"] = 0.49
    weak["panels"][3]["rows"][0]["value"] = 0.9
    weak["panels"][1]["rows"][-1]["low"] = 0.51
    assert demo.claims(weak) == [False, False, True, True, False]
    assert demo.claims(drawn(contrasts=[], panels=[])) == [False, False, False, False, False]
    assert not demo.claims(drawn(against=["os: 'no' for a second modality, which must help"]))[3]
    assert demo.table_of([drawn()] * 4 + [weak])[1] and not demo.table_of([drawn()] * 3 + [weak] * 2)[1]
