"""What a finished run tells on the terminal: the three answers, where the report is, and what to do next.

``python -m confuselt.report.told results/experiments/NAME``
"""

import argparse
from pathlib import Path

import pandas as pd

from confuselt.evaluate.plan import read_plan
from confuselt.report.answers import answers, too_small


def told(experiment: Path) -> list[str]:
    """Lines for the terminal.

    Parameters
    ----------
    experiment : Path
        ``results/experiments/NAME`` of a finished run.
    """
    evaluate = experiment / "evaluate"
    comparisons, plan = pd.read_parquet(evaluate / "comparisons.parquet"), read_plan(evaluate / "plan.json")["plan"]
    lines = [f"{a['question']:<55} {a['verdict']} (on {plan['evaluate.primary']})" for a in answers(comparisons, plan)]
    return [*lines, *too_small(comparisons), f"report: {evaluate / 'report.html'}"]


def main() -> None:
    """Print what a run found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", type=Path)
    print("\n".join(told(parser.parse_args().experiment)))


if __name__ == "__main__":
    main()
