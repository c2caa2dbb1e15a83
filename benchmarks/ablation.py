"""Does an option win on inner data? Two experiments on one cohort, arm by arm, without a look at a test patient.

``python benchmarks/ablation.py CONFIGFILE RESULTS FIRST SECOND`` prints the rows of ``benchmarks/ABLATION.md``: for
every task the inner loss of the arms that both experiments trained (partial likelihood per event, cross-entropy per
patient, mean over folds and arms) and how many arms the second improves. An option stays only if it wins here.
``EXPERIMENT:ARM`` for both sets two arms of one experiment, or of two, against each other.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from confuselt.config.validate import validate
from confuselt.evaluate.inner import inner_losses
from confuselt.finetune.targets import read_targets
from confuselt.learn.checkpoint import load_checkpoint


def inner_of(experiment: Path) -> dict[str, dict[tuple[int, int], dict]]:
    """Arm to (repeat, fold) to its predictions of the fold's inner patients."""
    found: dict[str, dict[tuple[int, int], dict]] = {}
    for path in sorted(experiment.glob("finetune/*/r*.pt")):
        content = load_checkpoint(path)
        for fold, facts in enumerate(content["folds"] if content["status"] == "ok" else []):
            if "inner_predictions" in facts:
                key = int(path.stem[1:]), fold
                found.setdefault(content["arm"], {})[key] = facts["inner_predictions"]
    return found


def chosen(results: Path, name: str) -> dict[str, dict[tuple[int, int], dict]]:
    """`inner_of` an experiment; of ``EXPERIMENT:ARM`` that arm alone, so that it stands against any other."""
    experiment, _, arm = name.partition(":")
    found = inner_of(results / "experiments" / experiment)
    return {"": found[arm]} if arm else found


def main(configfile: Path, results: Path, first: str, second: str) -> None:
    """Print a row per task."""
    config = validate(yaml.safe_load(configfile.read_text()))
    tasks = {f"tasks.{kind}": listed for kind, listed in config.tasks.model_dump().items()}
    outcomes = pd.read_parquet(results / "cohorts" / config.cohort / "acquire/outcomes.parquet")
    targets = read_targets(outcomes, tasks)
    one, two = (chosen(results, name) for name in (first, second))
    arms = sorted(one.keys() & two.keys())
    for task in (*targets.survival, *targets.labels):
        pairs = []
        for arm in arms:
            losses = inner_losses((first, second), task, {first: one[arm], second: two[arm]}, targets)
            if losses:
                pairs.append((losses[first], losses[second]))
        before, after = np.array(pairs).T
        print(f"| {task} | {before.mean():.4f} | {after.mean():.4f} | {(after < before).sum()} of {len(pairs)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
