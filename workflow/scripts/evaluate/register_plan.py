"""Write the analysis plan and its hash before any model runs."""

from pathlib import Path

from confuselt.evaluate.plan import write_plan
from confuselt.run_step import Output, run_step

READS = (
    "tasks.survival",
    "tasks.labels",
    "split.folds",
    "split.repeats",
    "split.group",
    "finetune.arms",
    "evaluate.primary",
    "evaluate.plan",
    "evaluate.baselines",
    "evaluate.controls",
    "evaluate.draws",
    "evaluate.k",
    "evaluate.min_events",
    "evaluate.min_fold_events",
)


def main(plan: Output, cfg: dict) -> None:
    """The config keys that decide what is concluded, as one file."""
    write_plan(dict(cfg.items()), Path(plan))


if __name__ == "__main__":
    run_step(main, globals())
