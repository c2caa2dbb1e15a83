"""A finder's weights: tried once, before any slide is read, and the same in every job after that."""

from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.cells.finder import Finder
from confuselt.cells.schema import CELL_WEIGHTS
from confuselt.tables import read_table


def try_finder(finder: Finder) -> None:
    """Run it on glass and on noise; ValueError where it does not give nuclei of its card's types."""
    side = finder.step * -(-(64 + 2 * finder.lost) // finder.step) + finder.odd
    pictures = np.full((2, side, side, 3), 240, np.uint8)
    pictures[1] = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    found = list(finder.find([(np.arange(2), pictures)], list(pictures), finder.card.mpp))
    if [number for number, _ in found] != [0, 1]:
        raise ValueError(f"finder {finder.name}: of two pictures it answered {[number for number, _ in found]}")
    for _, table in found:
        unknown = set(table["type"].dropna()) - finder.card.types.keys()
        if unknown:
            raise ValueError(f"finder {finder.name}: types {sorted(unknown)} are not in its card")


def facts_of(finder: Finder, file: Path) -> pd.DataFrame:
    """Row of `CELL_WEIGHTS`."""
    return pd.DataFrame(
        {
            "finder": [finder.name],
            "weights": finder.weights,
            "card": finder.card.identity,
            "bytes": file.stat().st_size,
            "types": ", ".join(finder.card.types),
        }
    )


def check_same(recipe: dict, table: Path | None) -> None:
    """ValueError where the weights are not those that were tried: `table` holds `CELL_WEIGHTS`, or is None."""
    if table is None:
        return
    tried = read_table(table, CELL_WEIGHTS).iloc[0]["weights"]
    if not tried.startswith(recipe["weights"]):
        raise ValueError(
            f"finder {recipe['name']}: the file of weights is {recipe['weights']}, tried was {tried[:16]}; "
            "it changed while the run went on: start the run again"
        )
