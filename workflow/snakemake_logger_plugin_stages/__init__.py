"""Logger plugin of Snakemake (``--logger stages``).

It shows a bar per stage with the time left, and otherwise only what went wrong.
"""

import sys
import time
from logging import WARNING, LogRecord
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from tqdm import tqdm

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
STAGES = (
    "simulate",
    "acquire",
    "tile",
    "embed",
    "cells",
    "rna",
    "split",
    "pack",
    "pretrain",
    "finetune",
    "evaluate",
    "predict",
)
LAST = 12  # lines of a failed job's log that are shown
BAR = "{desc:<9}{bar:32} {n_fmt:>3} of {total_fmt} jobs{postfix}"


def stage_of(rule: str) -> str | None:
    """Stage of a rule: the folder of its script; None of a rule that only names targets."""
    return next((path.parent.name for path in SCRIPTS.glob(f"*/{rule}.py")), None)


class Stages:
    """Progress of each stage: bars on a terminal, a line per finished stage elsewhere.

    Parameters
    ----------
    jobs : dict of str to int
        Rule to the number of its jobs.
    """

    def __init__(self, jobs: dict[str, int]) -> None:
        self.total: dict[str, int] = {}
        for rule, count in jobs.items():
            if stage := stage_of(rule):
                self.total[stage] = self.total.get(stage, 0) + count
        self.done, self.running, self.busy, self.since = (dict.fromkeys(self.total, 0) for _ in range(4))
        shown = sorted(self.total, key=STAGES.index) if sys.stderr.isatty() else []
        self.bars = {
            s: tqdm(desc=s, total=self.total[s], position=i, bar_format=BAR, file=sys.stderr)
            for i, s in enumerate(shown)
        }

    def start(self, stage: str) -> None:
        """A job starts.

        A stage's clock runs while it has a job: the plan, first of all jobs, does not start the clock of the report.
        """
        if not self.running[stage]:
            self.since[stage] = time.monotonic()
        self.running[stage] += 1

    def stop(self, stage: str, well: bool) -> None:
        """A job is done, or failed."""
        now = time.monotonic()
        self.busy[stage] += now - self.since[stage]
        self.since[stage] = now
        self.running[stage] -= 1
        self.done[stage] += well
        done, left = self.done[stage], self.total[stage] - self.done[stage]
        if stage in self.bars:
            so_far = tqdm.format_interval(self.busy[stage])
            rest = f", {tqdm.format_interval(self.busy[stage] / done * left)} left" if done and left else ""
            self.bars[stage].set_postfix_str(so_far + rest, refresh=False)
            self.bars[stage].update(well)
            self.bars[stage].refresh()
        elif not left:
            print(f"{stage}: {done} jobs in {self.busy[stage]:.0f} s", file=sys.stderr)

    def close(self) -> None:
        """Leave the bars as they are."""
        for bar in self.bars.values():
            bar.close()


class LogHandler(LogHandlerBase):
    """What Snakemake's events come to on the terminal."""

    writes_to_stream, writes_to_file, needs_rulegraph = True, False, False
    # A filter and a format of Snakemake's own would put its words back.
    has_filter, has_formatter = True, True

    def __post_init__(self) -> None:
        self.stages = Stages({})
        self.stage_of_job: dict[int, str | None] = {}
        self.failed: set[int] = set()

    def emit(self, record: LogRecord) -> None:
        """Show progress, warnings, and for a job that failed its rule, its log and how that ends."""
        try:
            self._show(record)
        except Exception:  # a fault of the display is no fault of the run
            self.handleError(record)

    def _show(self, record: LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self.stages.close()
            self.stages = Stages({rule: n for rule, n in record.stats.items() if rule != "total"})
        elif event == LogEvent.JOB_INFO:
            stage = self.stage_of_job[record.jobid] = stage_of(record.rule_name)
            if stage in self.stages.total:
                self.stages.start(stage)
        elif event == LogEvent.JOB_FINISHED:
            self._stop(record.job_id, well=True)
        elif event == LogEvent.JOB_ERROR:
            if record.jobid not in self.failed:  # Snakemake says it again at the end
                self.failed.add(record.jobid)
                self._stop(record.jobid, well=False)
                self._say("\n".join(told(record.rule_name, record.log)))
        elif (
            record.levelno >= WARNING and "CalledProcessError" not in record.getMessage()
        ):  # of a job that failed: its log says more
            self._say(record.getMessage())

    def _stop(self, job: int, well: bool) -> None:
        stage = self.stage_of_job.get(job)
        if stage in self.stages.total:
            self.stages.stop(stage, well)

    def _say(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)

    def close(self) -> None:
        """Snakemake is done."""
        self.stages.close()
        super().close()


def told(rule: str, logs: list[str]) -> list[str]:
    """Lines about a job that failed."""
    lines = [f"{rule} failed" + (f"; its log: {', '.join(logs)}" if logs else "")]
    for path in map(Path, logs):
        if path.is_file():
            lines += [f"    {line}" for line in path.read_text(errors="replace").splitlines()[-LAST:]]
    return lines
