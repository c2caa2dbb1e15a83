"""The page of two experiments side by side."""

from pathlib import Path

import matplotlib.pyplot as plt

from confuselt.report.compared import build_compared
from confuselt.run_step import Output, run_step


def main(experiments: Path, first: str, second: str, page: Output) -> None:
    """Render the page from what `evaluate` wrote of both."""
    Path(page).write_text(build_compared(experiments, first, second), encoding="utf-8")
    plt.close("all")


if __name__ == "__main__":
    run_step(main, globals())
