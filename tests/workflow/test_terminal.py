"""What people see on the terminal.

Stages and failures while it runs, the answers at its end, one line when there is nothing to do.
"""

import fcntl
import logging
import os
import pty
import struct
import subprocess
import sys
import termios
import time

import pytest
from conftest import ROOT
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_stages import LogHandler, Stages, stage_of

from confuselt import progress
from confuselt.config.learning import Plan
from confuselt.evaluate.comparisons import comparisons_table
from confuselt.evaluate.plan import write_plan
from confuselt.report.told import told


def events(folder):
    """A run of two embedding jobs and a training job, which fails."""
    (folder / "train.log").write_text("\n".join(f"line {i}" for i in range(40)) + "\nValueError: no gene is left")
    yield (
        logging.INFO,
        "Job stats: ...",
        {"event": LogEvent.RUN_INFO, "stats": {"embed_tiles": 2, "finetune_arm": 1, "all": 1, "total": 4}},
    )
    for job in (1, 2):
        yield logging.INFO, "rule embed_tiles", {"event": LogEvent.JOB_INFO, "jobid": job, "rule_name": "embed_tiles"}
        yield logging.INFO, "done", {"event": LogEvent.JOB_FINISHED, "job_id": job}
    yield logging.INFO, "rule finetune_arm", {"event": LogEvent.JOB_INFO, "jobid": 3, "rule_name": "finetune_arm"}
    for _ in range(2):  # Snakemake says it again at the end
        yield (
            logging.ERROR,
            "Error in rule",
            {"event": LogEvent.JOB_ERROR, "jobid": 3, "rule_name": "finetune_arm", "log": [str(folder / "train.log")]},
        )
    yield logging.ERROR, "RuleException: CalledProcessError in file x", {"event": LogEvent.ERROR}
    yield logging.INFO, "Select jobs to execute...", {}
    yield logging.WARNING, "clinical.csv: 3 of 40 files are absent", {}


def show(folder):
    handler = LogHandler(None, None)
    for level, text, extra in events(folder):
        record = logging.LogRecord("snakemake", level, "", 0, text, None, None)
        record.__dict__.update(extra)
        handler.emit(record)
    handler.close()


def test_without_a_terminal_a_line_per_stage_and_what_went_wrong(tmp_path, capsys):
    show(tmp_path)
    said = capsys.readouterr().err.splitlines()
    assert (
        said[0].startswith("embed: 2 jobs in ") and said[1] == f"finetune_arm failed; its log: {tmp_path / 'train.log'}"
    )
    assert said[2].strip() == "line 29" and said[13].strip() == "ValueError: no gene is left"
    assert said[14:] == ["clinical.csv: 3 of 40 files are absent"], (
        "a failure is told once, and Snakemake's talk not at all"
    )


def test_on_a_terminal_a_bar_per_stage_with_time_left(tmp_path):
    code = (
        f"import sys; sys.path[:0] = {[str(ROOT / 'tests/workflow'), str(ROOT / 'tests'), str(ROOT / 'workflow')]!r}\n"
    )
    code += f"from pathlib import Path\nfrom test_terminal import show\nshow(Path({str(tmp_path)!r}))"
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    done = subprocess.run([sys.executable, "-c", code], stderr=other)
    os.close(other)
    shown = os.read(main, 1_000_000).decode()
    assert done.returncode == 0
    assert (
        "embed" in shown
        and "2 of 2 jobs" in shown
        and "0 of 1 jobs" in shown
        and " left" in shown
        and "finetune_arm failed" in shown
    )


def test_a_stage_s_clock_runs_while_it_has_a_job(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stages = Stages({"register_plan": 1, "write_report": 1})
    for wait, begin in ((0, True), (2, False), (500, True), (30, False)):
        now[0] += wait
        stages.start("evaluate") if begin else stages.stop("evaluate", well=True)
    assert capsys.readouterr().err == "evaluate: 2 jobs in 32 s\n"


def test_a_job_s_own_progress_goes_to_its_log(monkeypatch, capsys):
    """Bars of jobs would run over those of the stages."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress, "_bars", True)
    list(progress.progress(range(3), "slides"))
    assert "slides: 100%" in capsys.readouterr().err
    progress.no_bars()
    list(progress.progress(range(3), "slides"))
    assert capsys.readouterr().err == ""


def test_every_rule_with_a_script_has_its_stage():
    assert stage_of("embed_tiles") == "embed" and stage_of("predict_cohort") == "predict" and stage_of("all") is None


def finished(experiment, few=False):
    """Tables of a run from which the answers are read."""
    (experiment / "evaluate").mkdir(parents=True)
    write_plan({"evaluate.primary": "os", "evaluate.plan": Plan().model_dump()}, experiment / "evaluate/plan.json")
    status = (
        {"status": "not available", "reason": "described, not compared: 7 events, 50 needed (evaluate.min_events)"}
        if few
        else {"status": "ok"}
    )
    row = {
        "family": "primary",
        "arm_a": "a",
        "arm_b": "b",
        "task": "os",
        "metric": "harrell_c",
        "difference": 0.1,
        "low": 0.01,
        "high": 0.2,
        "n": 90,
        "events": 7,
    }
    rows = [
        {**row, "question": q, "verdict": v, **status}
        for q, v in (("modality", "yes"), ("pretraining", "no"), ("cells", "cannot tell"))
    ]
    (experiment / "evaluate/report.html").touch()
    comparisons_table([{"detectable": 0.3, "events_needed": 700.0, **r} for r in rows]).to_parquet(
        experiment / "evaluate/comparisons.parquet"
    )


@pytest.mark.parametrize("few", [False, True])
def test_the_answers_are_those_of_the_report(tmp_path, few):
    finished(tmp_path, few)
    lines = told(tmp_path)
    wanted = ["not compared"] * 3 if few else ["yes", "no", "cannot tell"]
    assert [line.endswith(f" {w} (on os)") for line, w in zip(lines, wanted, strict=False)] == [True] * 3
    assert (
        lines[-1] == f"report: {tmp_path / 'evaluate/report.html'}"
        and any("Too few events" in line for line in lines) == few
    )


def make_demo(folder, dry_run, *arguments):
    """`make demo` with a Snakemake that says `dry_run` to -n and does nothing else; what was said, and the calls."""
    tools = folder / "bin"
    tools.mkdir()
    scripts = {
        "snakemake": f'echo "$@" >> calls; case "$*" in *-n) echo "{dry_run}";; esac',
        "python": f'exec {sys.executable} "$@"',
    }
    for name, text in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    (folder / "Makefile").write_text((ROOT / "Makefile").read_text())
    command = ["make", "-o", "env", "demo", f"BIN={tools}", f"RUN=PATH={tools}:$$PATH", *arguments]
    # As from a shell: the tests themselves may be run by a make, which hands on what it was told.
    own = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.splitlines(), (folder / "calls").read_text().splitlines()


def test_a_second_demo_is_one_line(tmp_path):
    finished(tmp_path / "results/experiments/demo")
    said, calls = make_demo(tmp_path, "Nothing to be done (all requested files are present and up to date).")
    assert said == ["Nothing to be done: report results/experiments/demo/evaluate/report.html"]
    assert len(calls) == 1 and calls[0].endswith("config/demo.yaml -n")


@pytest.mark.parametrize("arguments", [[], ["VERBOSE=1"]])
def test_a_demo_ends_in_the_answers_the_report_and_two_next_commands(tmp_path, arguments):
    finished(tmp_path / "results/experiments/demo")
    said, calls = make_demo(tmp_path, "Job stats", *arguments)
    assert [line.split()[-3] for line in said[:3]] == ["yes", "no", "tell"]
    assert (
        said[3] == "report: results/experiments/demo/evaluate/report.html"
        and said[-2].startswith("next: ")
        and said[-1].strip().startswith("your own cohort")
    )
    assert calls[1].endswith("config/demo.yaml" if arguments else "--logger stages")
