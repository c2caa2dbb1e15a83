"""Folds of one job: each is kept when it is whole and reused only while nothing changed.

It is given up only when the outputs are in place.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from confuselt.resume import make_folds
from confuselt.run_step import Output, Parts, execute

SCRIPT = ROOT / "workflow/scripts/split/make_folds.py"


def test_a_job_goes_on_after_its_last_whole_fold(tmp_path):
    source, parts = tmp_path / "in.json", tmp_path / "parts"
    source.write_text('{"a": 1}')
    parts.mkdir()
    outputs = [[tmp_path / f"{f}.txt" for f in range(2)], [tmp_path / f"{f}.csv" for f in range(2)]]
    made = []

    def fold(k, text, table):
        made.append(k)
        text.write_text(f"text {k} {source.read_text()}")
        if k == 1 and len(made) == 2:
            raise RuntimeError("killed between two files")
        table.write_text(f"table {k}")

    def run(cfg):
        make_folds(fold, outputs, lambda k: [source], cfg, parts)

    with pytest.raises(RuntimeError):
        run({"x": 1})
    assert not outputs[0][0].exists(), "nothing lies under a final name before all folds are done"
    run({"x": 1})
    assert made == [0, 1, 1] and [p.read_text() for p in outputs[1]] == ["table 0", "table 1"]
    source.write_text('{"a": 2}')
    run({"x": 1})
    run({"x": 2})
    assert made[3:] == [0, 1, 0, 1] and outputs[0][1].read_text() == 'text 1 {"a": 2}'


def test_the_folds_are_there_until_every_output_has_its_name(tmp_path, monkeypatch):
    """A kill between the renames finds the folds again."""

    def main(first: Output, rest: list[Output], parts: Parts) -> None:
        (parts / "f0").touch()
        for path in (first, *rest):
            path.touch()

    names = {"first": tmp_path / "r0.pt", "rest": [tmp_path / "a.txt", tmp_path / "b.txt"]}
    real, moved = Path.replace, []

    def replace(path, target):
        assert (tmp_path / ".r0.parts/f0").exists()
        moved.append(target)
        if target.name == "b.txt" and len(moved) == 3:
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        execute(main, names, SCRIPT)
    assert (tmp_path / ".r0.parts/f0").exists()
    execute(main, names, SCRIPT)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "b.txt", "r0.pt"]


@pytest.mark.parametrize("script", ["pretrain/pretrain_towers", "rna/normalise_rna", "finetune/finetune_arm"])
def test_by_hand_outputs_are_lists_and_parts_are_no_argument(script):
    done = subprocess.run(
        [sys.executable, str(ROOT / f"workflow/scripts/{script}.py"), "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "--repeat" in done.stdout and "--parts" not in done.stdout, done.stderr
