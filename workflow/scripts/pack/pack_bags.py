"""One training store per cohort: all streams, contiguous."""

from pathlib import Path

from confuselt.pack.store import pack
from confuselt.run_step import Output, run_step

READS = ("embed.trained_on", "cells.trained_on")


def main(tile_index: Path, tile_features: Path, cells_index: Path, cells_features: Path, store: Output, cfg: dict) -> None:
    """Join the streams row by row."""
    sources = {"tile": (tile_index, tile_features), "cells": (cells_index, cells_features)}
    pack(sources, {"tile": cfg["embed.trained_on"], "cells": cfg["cells.trained_on"]}, store)


if __name__ == "__main__":
    run_step(main, globals())
