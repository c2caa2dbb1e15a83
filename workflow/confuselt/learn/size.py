"""How large a training store is; read while the workflow is planned, without torch."""

from pathlib import Path


def store_size(path: Path) -> tuple[int, int]:
    """Instances of a store, and features of an instance over all streams."""
    import h5py  # only here: every job plans the workflow, and most have no store to look at

    with h5py.File(path) as file:
        shapes = [file[stream]["features"].shape for stream in ("tile", "cells", "deep") if stream in file]
    return max(rows for rows, _ in shapes), sum(width for _, width in shapes)
