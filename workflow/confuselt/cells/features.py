"""Cell-type-related features of a tile: how many nuclei of each class, how large, how mixed, how near.

A nucleus belongs to the tile that holds its centre, so that counts add up over tiles; distances and neighbours are
taken in a halo around the tile, so that they do not depend on where the grid was laid.
"""

from dataclasses import dataclass

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


def tile_features(nuclei: pd.DataFrame, corners: np.ndarray, side: float, tissue: np.ndarray) -> np.ndarray:
    """Features of the tiles of a slide.

    Parameters
    ----------
    nuclei : DataFrame
        Of all tiles: ``x_um, y_um, class, area_um2, long_um, short_um, solidity, perimeter_um, stain``.
    corners : (n, 2) float
        Left and top of each tile, µm.
    side : float
        Of a tile, µm.
    tissue : (n,) float
        Share of each tile that is tissue.

    Returns
    -------
    (n, len(NAMES)) float32
        All finite: what a tile without nuclei cannot say is 0 (a distance: `HALO_UM`), and ``log_count`` tells it
        apart. Nothing that is further from a tile than `HALO_UM` has a say.
    """
    own = _Owned.of(nuclei, corners, side)
    area_mm2 = np.maximum(tissue, 0.05) * side**2 / 1e6
    count = np.stack([own.count(own.kind == c) for c in CLASSES], 1)
    n, k = count.sum(1), len(CLASSES)
    share = (count + PSEUDO) / (n + k * PSEUDO)[:, None]
    column = {c: i for i, c in enumerate(CLASSES)}
    large, small, spindle = (own.kind == c for c in ("large", "small", "spindle"))
    area, circular = own["area_um2"], 4 * np.pi * own["area_um2"] / np.maximum(own["perimeter_um"], 1e-6) ** 2
    eccentric = np.sqrt(1 - np.minimum(own["short_um"] / own["long_um"], 1) ** 2)
    of_large = own.mean(area, large), own.sd(area, large)
    values = [
        *np.log1p(count / area_mm2[:, None]).T,
        np.log1p(n / area_mm2),
        *share.T,
        *(np.log((count[:, column[a]] + PSEUDO) / (count[:, column[b]] + PSEUDO)) for a, b in PAIRS),
        -(share * np.log(share)).sum(1) / np.log(k),
        1 - (share**2).sum(1),
        share.max(1),
        *of_large,
        own.percentile(area, large, 0.9),
        _ratio(of_large[1], of_large[0]),
        own.mean(area, small),
        own.mean(area, spindle),
        own.sum(area, own.kind != "") / (area_mm2 * 1e6),
        own.sum(area, large) / (area_mm2 * 1e6),
        own.mean(np.minimum(circular, 1.2), large),
        own.mean(eccentric, large),
        own.mean(own["solidity"], large),
        own.mean(eccentric, spindle),
        own.mean(own["stain"], large),
        own.sd(own["stain"], large),
        *_neighbourhood(own, share, area_mm2),
        _overlap(own, corners, side),
        tissue,
        np.log1p(n),
    ]
    return np.stack(values, 1).astype(np.float32)


@dataclass(frozen=True)
class _Owned:
    """The nuclei of each tile: those whose centre it holds.

    Attributes
    ----------
    nuclei : DataFrame
    at : (m, 2) float
        Places of all nuclei, µm.
    tile, nucleus : (p,) int
        Pairs of a tile and a nucleus of it.
    kind : (p,) str
        Class of the nucleus.
    tiles : int
    """

    nuclei: pd.DataFrame
    at: np.ndarray
    tile: np.ndarray
    nucleus: np.ndarray
    kind: np.ndarray
    tiles: int

    @classmethod
    def of(cls, nuclei: pd.DataFrame, corners: np.ndarray, side: float) -> "_Owned":
        at, corners = nuclei[["x_um", "y_um"]].to_numpy(float).reshape(-1, 2), np.asarray(corners, float)
        near = (
            cKDTree(at).query_ball_point(corners + side / 2, 0.51 * side, p=np.inf) if len(at) else [[]] * len(corners)
        )
        tile = np.repeat(np.arange(len(corners)), [len(some) for some in near])
        nucleus = np.concatenate([np.sort(some) for some in near]).astype(int) if len(tile) else np.zeros(0, int)
        inside = ((at[nucleus] >= corners[tile]) & (at[nucleus] < corners[tile] + side)).all(1)
        tile, nucleus = tile[inside], nucleus[inside]
        return cls(nuclei, at, tile, nucleus, nuclei["class"].to_numpy(str)[nucleus], len(corners))

    def __getitem__(self, column: str) -> np.ndarray:
        return self.nuclei[column].to_numpy(float)[self.nucleus]

    def sum(self, values: np.ndarray, of: np.ndarray) -> np.ndarray:
        """Sum per tile, (tiles,), of the pairs that are meant."""
        return np.bincount(self.tile[of], values[of], self.tiles)

    def count(self, of: np.ndarray) -> np.ndarray:
        return np.bincount(self.tile[of], minlength=self.tiles).astype(float)

    def mean(self, values: np.ndarray, of: np.ndarray) -> np.ndarray:
        """Mean per tile; 0 where there is none."""
        return _ratio(self.sum(values, of), self.count(of))

    def sd(self, values: np.ndarray, of: np.ndarray) -> np.ndarray:
        return np.sqrt(self.mean((values - self.mean(values, of)[self.tile]) ** 2, of))

    def percentile(self, values: np.ndarray, of: np.ndarray, share: float) -> np.ndarray:
        """As numpy's, between the two values that it lies between; 0 where there is none."""
        tile, found = self.tile[of], np.append(values[of], 0.0)
        ordered = found[np.append(np.lexsort((values[of], tile)), len(tile))]
        count = np.bincount(tile, minlength=self.tiles)
        place = np.cumsum(count) - count + share * np.maximum(count - 1, 0)
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, len(tile))
        value = ordered[below] + (place - below) * (ordered[above] - ordered[below])
        return np.where(count > 0, value, 0.0)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A over b; 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(len(a)), where=b > 0)


def _neighbourhood(own: _Owned, share: np.ndarray, area_mm2: np.ndarray) -> tuple[np.ndarray, ...]:
    """Nearest neighbours, distances between large and small nuclei, mixing of classes among neighbours.

    Of a tile with fewer than two nuclei: what it would be with none.
    """
    every = own.nuclei["class"].to_numpy(str)
    all_of = np.ones(len(own.tile), bool)
    large, small = own.kind == "large", own.kind == "small"
    to_small, to_large = (_to_nearest(own.at, every == c)[own.nucleus] for c in ("small", "large"))
    distance, neighbour = _neighbours(own.at)
    distance, neighbour = distance[own.nucleus], neighbour[own.nucleus]
    edge = distance <= HALO_UM
    here, there = own.kind[:, None], np.append(every, "")[neighbour]
    mixed = edge & (((here == "large") & (there == "small")) | ((here == "small") & (there == "large")))
    edges = own.sum(edge.sum(1).astype(float), all_of)
    column = {c: i for i, c in enumerate(CLASSES)}
    expected = 2 * share[:, column["large"]] * share[:, column["small"]] * edges
    differ = _ratio(own.sum((edge & (here != there)).sum(1).astype(float), all_of), edges)
    nearest = own.mean(np.minimum(distance[:, 0], HALO_UM), all_of)
    n, n_large, n_small = own.count(all_of), own.count(large), own.count(small)
    found = (
        (nearest, HALO_UM),
        (nearest * 2 * np.sqrt(n / (area_mm2 * 1e6)), 1.0),
        (np.where(n_large > 0, own.mean(to_small, large), HALO_UM), HALO_UM),
        (np.where(n_small > 0, own.mean(to_large, small), HALO_UM), HALO_UM),
        (own.mean((to_small <= NEAR_UM).astype(float), large), 0.0),
        (own.mean((to_small < FAR_UM).astype(float), large), 0.0),
        (np.log((own.sum(mixed.sum(1).astype(float), all_of) + PSEUDO) / (expected + PSEUDO)), 0.0),
        (differ / np.maximum(1 - (share**2).sum(1), 1e-6), 0.0),
    )
    return tuple(np.where(n < 2, alone, values) for values, alone in found)


def _neighbours(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance and number of the nearest nuclei of each, (m, NEIGHBOURS); infinite and m where there are fewer."""
    if not len(at):
        return np.zeros((0, NEIGHBOURS)), np.zeros((0, NEIGHBOURS), int)
    distance, neighbour = cKDTree(at).query(at, k=NEIGHBOURS + 1)
    return distance[:, 1:], neighbour[:, 1:]


def _to_nearest(at: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Distance of every nucleus to the nearest of those meant, at most `HALO_UM`, (m,)."""
    if not to.any():
        return np.full(len(at), HALO_UM)
    return np.minimum(cKDTree(at[to]).query(at)[0], HALO_UM)


def _overlap(own: _Owned, corners: np.ndarray, side: float, cells: int = 4) -> np.ndarray:
    """Morisita–Horn overlap of large and small nuclei on a 4 x 4 grid of the tile: 0 apart, 1 alike."""
    within = own.at[own.nucleus] - np.asarray(corners, float)[own.tile]
    square = np.clip((within // (side / cells)).astype(int), 0, cells - 1)
    place = own.tile * cells**2 + square[:, 0] * cells + square[:, 1]
    a, b = (
        np.bincount(place[own.kind == c], minlength=own.tiles * cells**2).reshape(own.tiles, -1).astype(float)
        for c in ("large", "small")
    )
    a, b = (v / np.maximum(v.sum(1, keepdims=True), 1) for v in (a, b))
    return _ratio(2 * (a * b).sum(1), (a**2).sum(1) + (b**2).sum(1))
