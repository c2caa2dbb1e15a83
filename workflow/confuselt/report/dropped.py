"""What the run without PAM50's genes left out."""

import json
from pathlib import Path

import h5py


def dropped_genes(reduced: list[Path]) -> list[dict[str, int]]:
    """Per fold of the run without PAM50's genes: how many were ``named``, ``followers`` of these, and ``left``."""
    found = []
    for path in reduced:
        with h5py.File(path) as file:
            found.append(json.loads(file["uns/dropped"].asstr()[()]))
    return found
