"""Read one bag file: features and coordinates of a slide."""

import json
from pathlib import Path

import h5py
import numpy as np

from confuselt.sheets.read import row_number
from confuselt.unusable import Unusable

SUFFIXES = frozenset({".h5", ".hdf5"})
MOST_LOST = 0.1  # of a slide's tiles
# What tools state of a bag, by the names that they use for it: of a file, of its features, of its coordinates.
STATED = {
    "encoder": ("encoder", "extractor", "model_name"),
    "magnification": ("target_magnification",),
    "tile_px": ("patch_size", "tile_size_px"),
    "tile_um": ("tile_size_um",),
    "overlap": ("overlap",),
}


def check_features(features: np.ndarray, where: str) -> None:
    """Raise Unusable for NaN, infinite or no rows.

    Parameters
    ----------
    features : (n, d) float array
    where : str
        File and slide, for the message.
    """
    if features.ndim != 2 or 0 in features.shape:
        raise Unusable(f"{where}: features of shape {features.shape}, wanted rows x columns")
    bad = ~np.isfinite(features)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise Unusable(
            f"{where}: {int(bad.sum())} values are NaN or infinite, first in row {row_number(int(row))}, "
            f"feature {row_number(int(column))}"
        )


def check_coords(coords: np.ndarray, rows: int, where: str) -> np.ndarray:
    """Coordinates as (rows, 2) int32; Unusable where they are no such thing.

    Parameters
    ----------
    coords : array
        As stored; columns after the second are ignored.
    rows : int
        Rows of features.
    where : str
        File, dataset and slide, for the message.
    """
    if coords.ndim != 2 or coords.shape[1] < 2:
        raise Unusable(f"{where} of shape {coords.shape}, wanted ({rows}, 2)")
    if len(coords) != rows:
        raise Unusable(f"{where}: {len(coords)} coordinates for {rows} rows of features")
    if not np.issubdtype(coords.dtype, np.number):
        raise Unusable(f"{where} are {coords.dtype}, not numbers")
    bad = ~(np.abs(coords[:, :2].astype(np.float64)) <= np.iinfo(np.int32).max).all(1)
    if bad.any():
        raise Unusable(f"{where}: row {row_number(int(bad.argmax()))} is NaN or does not fit int32")
    whole = np.rint(coords[:, :2]).astype(np.int32)
    if not np.array_equal(whole, coords[:, :2]) and len(np.unique(whole, axis=0)) < len(
        np.unique(coords[:, :2], axis=0)
    ):
        raise Unusable(f"{where}: places lie less than 1 apart; give them in pixels or µm, not as shares or mm")
    return whole


def check_tiles(features: np.ndarray, coords: np.ndarray, where: str) -> np.ndarray:
    """Which rows of a bag of embeddings are tiles of their own, (n,) bool.

    Not those that are zero throughout, which a tool leaves where it embedded nothing, and not a second time the same
    tile.

    Raises
    ------
    Unusable
        One place has several embeddings, or more than a tenth of the rows are zero.
    """
    there = features.any(1)
    if (~there).mean() > MOST_LOST:
        raise Unusable(f"{where}: {int((~there).sum())} of {len(there)} rows are zero throughout: tiles not embedded")
    if not coords.any():  # no places
        return there
    _, first, place = np.unique(coords, axis=0, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[place.ravel()] != np.arange(len(coords)))
    same = (features[again] == features[first[place.ravel()[again]]]).all(1)
    if not same.all():
        x, y = coords[again[~same][0]]
        raise Unusable(
            f"{where}: {int((~same).sum())} places have several embeddings, first ({x}, {y}): are slides mixed in one "
            "file, or copies with changed colours?"
        )
    there[again] = False
    return there


def read_bag(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features and coordinates of one bag file.

    Reads this project's files and those of CLAM, TRIDENT and STAMP: ``features`` or ``feats``, of shape (n, d) or
    (1, n, d), and ``coords`` (n, 2); a vector (d,) of the whole slide is a bag of one row, without a place. Rows that
    STAMP marks ``augmented`` are copies of others with changed colours, and are left out.

    Returns
    -------
    features : (n, d) float32
    coords : (n, 2) int32
        Zeros where the file has none.

    Raises
    ------
    Unusable
        The file cannot be opened or holds no features, a dataset has another shape or type, or a finite
        value does not fit float32.
    """
    try:
        with h5py.File(path) as file:
            name = next((k for k in ("features", "feats") if k in file), None)
            if name is None:
                raise Unusable(f"{path}: no dataset 'features' (found {sorted(file)})")
            raw = _dataset(file, name, path)
            coords = _dataset(file, "coords", path) if "coords" in file else None
            copies = _dataset(file, "augmented", path) if "augmented" in file else None
    except (OSError, KeyError) as error:  # KeyError: a link that leads nowhere
        raise Unusable(f"{path}: cannot be read as HDF5 ({error})") from error
    if raw.ndim == 1 and len(raw) > 1 and (coords is None or len(coords) != len(raw)):
        raw, coords = raw[None], None
    if raw.ndim != 2:
        raise Unusable(f"{path}: dataset '{name}' of shape {raw.shape}, wanted rows x columns")
    if not np.issubdtype(raw.dtype, np.number) or np.iscomplexobj(raw):
        wish = "; bfloat16 is to be stored as float16 or float32" if raw.dtype.kind == "V" else ""
        raise Unusable(f"{path}: dataset '{name}' is {raw.dtype}, not real numbers{wish}")
    if _are_bits(raw):
        raise Unusable(
            f"{path}: dataset '{name}' is {raw.dtype} from {raw.min()} to {raw.max()}: the bits of bfloat16, taken for "
            "whole numbers; store it as float16 or float32"
        )
    with np.errstate(over="ignore"):
        features = raw.astype(np.float32)
    if (np.isfinite(raw) & ~np.isfinite(features)).any():
        raise Unusable(f"{path}: a finite value does not fit float32")
    places = (
        np.zeros((len(features), 2), np.int32)
        if coords is None
        else check_coords(coords, len(features), f"{path}: dataset 'coords'")
    )
    if copies is None:
        return features, places
    if copies.shape != (len(features),):
        raise Unusable(f"{path}: dataset 'augmented' of shape {copies.shape} for {len(features)} rows of features")
    own = ~copies.astype(bool)
    return features[own], places[own]


def _are_bits(raw: np.ndarray) -> bool:
    """Whether 16-bit whole numbers are bfloat16 in truth: as such most lie between 1e-6 and 1e4, as numbers far off."""
    if raw.dtype.kind not in "iu" or raw.dtype.itemsize != 2 or not raw.size:
        return False
    seen = np.abs((raw.astype(np.uint32) << 16).view(np.float32))[raw != 0]
    likely = (seen > 1e-6) & (seen < 1e4)
    return bool(len(seen) and likely.mean() > 0.99 and np.median(np.abs(raw[raw != 0].astype(int))) > 4096)


def stated_recipe(path: Path) -> dict[str, str]:
    """What a bag says of how it was made: the keys of `STATED` that it has, as text."""
    with h5py.File(path) as file:
        places = [file, *(file[name] for name in ("features", "feats", "coords") if name in file)]
        said = {key: value for place in places for key, value in place.attrs.items()}
    found = {}
    for key, names in STATED.items():
        value = next((said[name] for name in names if name in said), None)
        if value is not None:
            found[key] = value.decode() if isinstance(value, bytes) else str(value)
    return found


def stated_cohorts(path: Path) -> list[str]:
    """Cohorts that the model behind a bag saw, where the file states them.

    Attribute ``trained_on``: a JSON list, as this project writes it, or names with commas between.
    """
    with h5py.File(path) as file:
        stated = file.attrs.get("trained_on", "")
    stated = stated.decode() if isinstance(stated, bytes) else str(stated)
    found = json.loads(stated) if stated.startswith("[") else stated.split(",")
    return [name.strip() for name in found if name.strip()]


def _dataset(file: h5py.File, name: str, path: Path) -> np.ndarray:
    """Values of a dataset, without the leading axis of length 1 that some tools write."""
    if not isinstance(file[name], h5py.Dataset):
        raise Unusable(f"{path}: '{name}' is a group (with {sorted(file[name])}), wanted a dataset")
    values = np.asarray(file[name][()])
    return values[0] if values.ndim == 3 and len(values) == 1 else values
