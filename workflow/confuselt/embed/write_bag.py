"""Write one bag file, whoever made the features.

It is apart from the encoders, because torch costs a job of cells more than many of its slides.
"""

from pathlib import Path

import h5py
import numpy as np

from confuselt.stamp import stamp_text


def write_bag(path: Path, features: np.ndarray, coords: np.ndarray, recipe: dict) -> None:
    """One bag: ``features`` (n, d), ``coords`` (n, 2) int32, the recipe as attributes."""
    with h5py.File(path, "w") as file:
        file["features"], file["coords"] = features, coords
        file.attrs.update({**recipe, "stamp": stamp_text()})
