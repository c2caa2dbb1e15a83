"""Cell-type-related features of a tile: how many nuclei of each class, how large, how mixed, how near.

A nucleus belongs to the tile that holds its centre, so that counts add up over tiles; distances and neighbours are
taken in a halo around the tile, so that they do not depend on where the grid was laid.
"""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from confuselt.cells.finders.classical import CLASSES

PSEUDO = 0.5  # added to every count before shares and ratios
NEAR_UM, FAR_UM, HALO_UM = 20.0, 80.0, 80.0
NEIGHBOURS = 5
PAIRS = (("small", "large"), ("spindle", "large"), ("small", "spindle"))
NAMES = (
    *(f"log_density_{c}" for c in CLASSES),
    "log_density",
    *(f"share_{c}" for c in CLASSES),
    *(f"log_ratio_{a}_{b}" for a, b in PAIRS),
    "entropy",
    "simpson",
    "dominance",
    *(f"large_area_{s}" for s in ("mean", "sd", "p90", "cv")),
    "small_area_mean",
    "spindle_area_mean",
    "nuclear_fraction",
    "large_fraction",
    "large_circularity",
    "large_eccentricity",
    "large_solidity",
    "spindle_eccentricity",
    "large_stain_mean",
    "large_stain_sd",
    "nearest_mean",
    "clark_evans",
    "large_to_small",
    "small_to_large",
    "large_near_small",
    "large_far_small",
    "mixing",
    "heterotypy",
    "morisita_horn",
    "tissue",
    "log_count",
)


def tile_features(nuclei: pd.DataFrame, x: float, y: float, side: float, tissue: float) -> np.ndarray:
    """Features of one tile.

    Parameters
    ----------
    nuclei : DataFrame
        Of the tile and its halo: ``x_um, y_um, class, area_um2, long_um, short_um, solidity, perimeter_um, stain``.
    x, y, side : float
        Tile in µm.
    tissue : float
        Share of the tile that is tissue.

    Returns
    -------
    (len(NAMES),) float32
        All finite: what a tile without nuclei cannot say is 0 (a distance: `HALO_UM`), and ``log_count`` tells it
        apart.
    """
    at = nuclei[["x_um", "y_um"]].to_numpy(float)
    inside = ((at >= (x, y)) & (at < (x + side, y + side))).all(1)
    own = nuclei[inside]
    kind = own["class"].to_numpy()
    area_mm2 = max(tissue, 0.05) * side**2 / 1e6
    count = np.array([(kind == c).sum() for c in CLASSES], float)
    n, k = count.sum(), len(CLASSES)
    share = (count + PSEUDO) / (n + k * PSEUDO)
    plus = dict(zip(CLASSES, count + PSEUDO, strict=True))
    by = {c: own[kind == c] for c in CLASSES}
    large = by["large"]
    circular = 4 * np.pi * large["area_um2"] / np.maximum(large["perimeter_um"], 1e-6) ** 2
    values = [
        *np.log1p(count / area_mm2),
        np.log1p(n / area_mm2),
        *share,
        *(np.log(plus[a] / plus[b]) for a, b in PAIRS),
        -(share * np.log(share)).sum() / np.log(k),
        1 - (share**2).sum(),
        share.max(),
        *_spread(large["area_um2"].to_numpy(float)),
        _mean(by["small"]["area_um2"]),
        _mean(by["spindle"]["area_um2"]),
        own["area_um2"].sum() / (area_mm2 * 1e6),
        large["area_um2"].sum() / (area_mm2 * 1e6),
        _mean(circular.clip(upper=1.2)),
        _mean(_eccentricity(large)),
        _mean(large["solidity"]),
        _mean(_eccentricity(by["spindle"])),
        _mean(large["stain"]),
        float(large["stain"].std(ddof=0)) if len(large) else 0.0,
        *_neighbourhood(nuclei["class"].to_numpy(), at, inside, share, area_mm2),
        _overlap(at[inside] - (x, y), kind, side),
        tissue,
        np.log1p(n),
    ]
    return np.asarray(values, np.float32)


def _mean(values: pd.Series) -> float:
    return float(values.mean()) if len(values) else 0.0


def _spread(values: np.ndarray) -> tuple[float, float, float, float]:
    """Mean, SD, 90th percentile, coefficient of variation."""
    if not len(values):
        return 0.0, 0.0, 0.0, 0.0
    return values.mean(), values.std(), np.percentile(values, 90), values.std() / values.mean()


def _eccentricity(nuclei: pd.DataFrame) -> pd.Series:
    return np.sqrt(1 - (nuclei["short_um"] / nuclei["long_um"]).clip(upper=1) ** 2)


def _neighbourhood(
    kind: np.ndarray, at: np.ndarray, inside: np.ndarray, share: np.ndarray, area_mm2: float
) -> tuple[float, ...]:
    """Nearest neighbours, distances between large and small nuclei, mixing of classes among neighbours."""
    if inside.sum() < 2 or len(at) < 3:
        return HALO_UM, 1.0, HALO_UM, HALO_UM, 0.0, 0.0, 0.0, 0.0
    distance, neighbour = cKDTree(at).query(at[inside], k=min(NEIGHBOURS + 1, len(at)))
    nearest = distance[:, 1].mean()
    clark_evans = nearest * 2 * np.sqrt(inside.sum() / (area_mm2 * 1e6))
    large, small = kind == "large", kind == "small"
    to_small, to_large = _to_nearest(at[inside & large], at[small]), _to_nearest(at[inside & small], at[large])
    edges_from, edges_to = np.repeat(kind[inside], neighbour.shape[1] - 1), kind[neighbour[:, 1:]].ravel()
    mixed = (
        ((edges_from == "large") & (edges_to == "small")) | ((edges_from == "small") & (edges_to == "large"))
    ).sum()
    of = dict(zip(CLASSES, share, strict=True))
    expected = 2 * of["large"] * of["small"] * len(edges_from)
    heterotypy = (edges_from != edges_to).mean() / max(1 - (share**2).sum(), 1e-6)
    return (
        nearest,
        clark_evans,
        to_small.mean() if len(to_small) else HALO_UM,
        to_large.mean() if len(to_large) else HALO_UM,
        (to_small <= NEAR_UM).mean() if len(to_small) else 0.0,
        (to_small < FAR_UM).mean() if len(to_small) else 0.0,
        np.log((mixed + PSEUDO) / (expected + PSEUDO)),
        heterotypy,
    )


def _to_nearest(from_: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Distance to the nearest of `to`, at most the halo (further ones may lie outside of what was read)."""
    if not len(from_) or not len(to):
        return np.full(len(from_), HALO_UM)
    return np.minimum(cKDTree(to).query(from_)[0], HALO_UM)


def _overlap(at: np.ndarray, kind: np.ndarray, side: float, cells: int = 4) -> float:
    """Morisita–Horn overlap of large and small nuclei on a 4 x 4 grid of the tile: 0 apart, 1 alike."""
    square = np.clip((at // (side / cells)).astype(int), 0, cells - 1)
    place = square[:, 0] * cells + square[:, 1]
    a, b = (np.bincount(place[kind == c], minlength=cells**2).astype(float) for c in ("large", "small"))
    if not a.sum() or not b.sum():
        return 0.0
    a, b = a / a.sum(), b / b.sum()
    return float(2 * (a * b).sum() / ((a**2).sum() + (b**2).sum()))
