"""The page of a cohort that trained models were applied to."""

from pathlib import Path

import matplotlib.pyplot as plt

from confuselt.report.predicted import build_predicted
from confuselt.run_step import Output, run_step

READS = ("experiment", "predict.arm")


def main(predictions: Path, page: Output, cfg: dict, cohort: str) -> None:
    """Render the page."""
    Path(page).write_text(build_predicted(predictions, cohort, cfg), encoding="utf-8")
    plt.close("all")


if __name__ == "__main__":
    run_step(main, globals())
