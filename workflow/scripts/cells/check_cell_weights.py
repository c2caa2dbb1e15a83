"""Load the finder's weights and try them, before any slide is read."""

import logging
from pathlib import Path

from confuselt.cells.checked import facts_of, try_finder
from confuselt.cells.finder import Machine
from confuselt.cells.load import load_finder
from confuselt.cells.schema import CELL_WEIGHTS
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

log = logging.getLogger(__name__)
READS = ("cells.method", "cells.card", "cells.sha256")
BACKENDS = ("confuselt.cells.finders.{cells.card.finder}",)


def main(file: Path, weights: Output, cfg: dict, device: str = "auto") -> None:
    """Write what the file of weights is; an error where it is another one than was stated, or does not fit the card."""
    finder = load_finder(cfg["cells.method"], cfg["cells.card"], str(file), Machine(device))
    if cfg["cells.sha256"] not in (None, finder.weights):
        raise ValueError(f"{file}: sha256 is {finder.weights}, cells.sha256 says {cfg['cells.sha256']}")
    try_finder(finder)
    log.info("%s: types %s, sha256 %s", finder.name, ", ".join(finder.card.types), finder.weights)
    write_table(facts_of(finder, file), weights, CELL_WEIGHTS)


if __name__ == "__main__":
    run_step(main, globals())
