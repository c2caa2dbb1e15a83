"""How large a training store is; read while the workflow is planned, without torch."""

from pathlib import Path

import h5py


def store_size(path: Path) -> tuple[int, int]:
    """Instances of a store, and features of an instance over all streams."""
    with h5py.File(path) as file:
        shapes = [file[stream]["features"].shape for stream in ("tile", "cells") if stream in file]
    return max(rows for rows, _ in shapes), sum(width for _, width in shapes)
