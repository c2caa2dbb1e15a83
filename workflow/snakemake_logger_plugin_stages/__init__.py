"""Logger plugin of Snakemake (``--logger stages``): a bar per stage with the time left, and otherwise only what went wrong."""

import sys
import time
from logging import WARNING, LogRecord
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from tqdm import tqdm

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
STAGES = ("acquire", "tile", "embed", "cells", "rna", "split", "pack", "pretrain", "finetune", "evaluate", "predict")
LAST = 12  # lines of a failed job's log that are shown
BAR = "{desc:<9}{bar:32} {n_fmt:>3} of {total_fmt} jobs  {elapsed}, {remaining} left"


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
        self.left: dict[str, int] = {}
        for rule, count in jobs.items():
            if stage := stage_of(rule):
                self.left[stage] = self.left.get(stage, 0) + count
        self.total, self.since = dict(self.left), {}
        shown = sorted(self.left, key=STAGES.index) if sys.stderr.isatty() else []
        self.bars = {s: tqdm(desc=s, total=self.left[s], position=i, bar_format=BAR, smoothing=0, file=sys.stderr) for i, s in enumerate(shown)}

    def start(self, stage: str) -> None:
        """A job starts: the clock of a stage runs from its first one on."""
        if stage not in self.since:
            self.since[stage] = time.monotonic()
            if stage in self.bars:
                self.bars[stage].reset()

    def finish(self, stage: str) -> None:
        """A job is done."""
        self.left[stage] -= 1
        if stage in self.bars:
            self.bars[stage].update()
        elif not self.left[stage]:
            print(f"{stage}: {self.total[stage]} jobs in {time.monotonic() - self.since[stage]:.0f} s", file=sys.stderr)

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
            if stage in self.stages.left:
                self.stages.start(stage)
        elif event == LogEvent.JOB_FINISHED:
            stage = self.stage_of_job.get(record.job_id)
            if stage in self.stages.left:
                self.stages.finish(stage)
        elif event == LogEvent.JOB_ERROR:
            if record.jobid not in self.failed:
                self.failed.add(record.jobid)
                self._say("\n".join(told(record.rule_name, record.log)))
        elif record.levelno >= WARNING and "CalledProcessError" not in record.getMessage():  # of a job that failed: its log says more
            self._say(record.getMessage())

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
