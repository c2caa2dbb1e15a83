"""One training store per cohort: all streams, contiguous."""

from pathlib import Path

from confuselt.pack.store import pack
from confuselt.run_step import Output, run_step

READS = ()


def main(
    tile_index: Path,
    cells_index: Path,
    store: Output,
    tile_features: Path | None = None,
    cells_features: Path | None = None,
) -> None:
    """Join the streams row by row."""
    sources = {"tile": (tile_index, tile_features), "cells": (cells_index, cells_features)}
    pack(sources, store)


if __name__ == "__main__":
    run_step(main, globals())
