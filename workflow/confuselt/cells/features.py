"""Cell-type-related features of tiles: how many nuclei of each role, how large, how mixed, how near; see `columns`.

A nucleus belongs to the tile that holds its centre, so that counts add up over tiles; distances and neighbours are
taken in a halo around the tile, so that they do not depend on where the grid was laid. What cannot be said of a tile is
NaN, never 0: what a finder does not tell, the mean area of nuclei that a tile does not hold. A model sees it as the
middle of the training fold (`model.scaler`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from confuselt.cells.columns import FAR_UM, HALO_UM, NAMES, NEAR_UM, NEIGHBOURS, PSEUDO, RATIOS, SQUARES
from confuselt.cells.owned import owned
from confuselt.cells.roles import ROLES

TUMOUR, IMMUNE, STROMA = (ROLES.index(r) for r in ("tumour", "immune", "stroma"))
# What hangs on nuclei beside a tile.
DISTANCES = ("nearest_mean", "clark_evans", "tumour_to_immune", "immune_to_tumour", "tumour_near_immune")
DISTANCES += ("tumour_far_immune", "mixing", "heterotypy")
SOME = 100_000  # nuclei whose neighbours are sought at a time
LEAST_TISSUE = 0.05  # of a tile, that densities stay finite
MEASURED = ("probability", "area_um2", "long_um", "short_um", "solidity", "perimeter_um", "stain", "stain_sd")


@dataclass(frozen=True)
class Grid:
    """Tiles of a slide.

    Attributes
    ----------
    corners : (n, 2) float
        Left and top of each, µm.
    side : float
        µm.
    tissue : (n,) float
        Share of each that is tissue.
    sought : (n,) bool
        Where nuclei were sought.
    """

    corners: np.ndarray
    side: float
    tissue: np.ndarray
    sought: np.ndarray


def tile_features(nuclei: pd.DataFrame, grid: Grid, known: tuple[str, ...]) -> np.ndarray:
    """Features of the tiles of a slide.

    Parameters
    ----------
    nuclei : DataFrame
        Of the slide: ``x_um, y_um``, ``role`` (of `ROLES`; None: of no known type), and of `MEASURED` what is known.
    grid : Grid
    known : tuple of str
        Roles that the finder can tell.

    Returns
    -------
    (n, len(NAMES)) float32
        NaN where it cannot be said. Nothing that is further from a tile than `HALO_UM` has a say, but for its eight
        neighbours (``around_``).
    """
    own = _Owned.of(nuclei, grid)
    tissue = np.maximum(grid.tissue, LEAST_TISSUE) * grid.side**2 / 1e6
    counts = np.stack([own.count(own.role == k) for k in range(len(ROLES))], 1)
    every = own.count(own.all)
    told = np.isin(ROLES, known)
    share = _shares(counts, told)
    values = {
        **_counted("", counts, every, tissue, told),
        **_mixture(counts, share, told),
        **_shapes(own, tissue, told),
        **_distances(own, share, every, tissue, told),
        "morisita_horn": _overlap(own, grid) if told[[TUMOUR, IMMUNE]].all() else np.nan,
        "log_count": np.log1p(every),
        **_around(grid, counts, every, tissue, told),
    }
    found = np.full((len(grid.corners), len(NAMES)), np.nan, np.float32)
    for name, column in values.items():
        found[:, NAMES.index(name)] = column
    # Who is near is not known where nobody looked beside the tile.
    found[np.ix_(_beside_unsought(grid), [NAMES.index(name) for name in DISTANCES])] = np.nan
    found[~grid.sought] = np.nan
    found[:, NAMES.index("tissue")], found[:, NAMES.index("sought")] = grid.tissue, grid.sought
    return found


@dataclass(frozen=True)
class _Owned:
    """The nuclei of each tile: those whose centre it holds.

    Attributes
    ----------
    nuclei : DataFrame
    at : (m, 2) float
        Places of all nuclei, µm.
    every : (m,) int
        Their roles, as numbers; -1: none known.
    tile, nucleus : (p,) int
        Pairs of a tile and a nucleus of it.
    role : (p,) int
        Of the nucleus.
    tiles : int
    """

    nuclei: pd.DataFrame
    at: np.ndarray
    every: np.ndarray
    tile: np.ndarray
    nucleus: np.ndarray
    role: np.ndarray
    tiles: int

    @classmethod
    def of(cls, nuclei: pd.DataFrame, grid: Grid) -> "_Owned":
        at = nuclei[["x_um", "y_um"]].to_numpy(float).reshape(-1, 2)
        every = pd.Categorical(nuclei["role"], categories=ROLES).codes
        tile, nucleus = owned(at, grid.corners, grid.side)
        return cls(nuclei, at, every, tile, nucleus, every[nucleus], len(grid.corners))

    @property
    def all(self) -> np.ndarray:
        """Every pair."""
        return np.ones(len(self.tile), bool)

    def __getitem__(self, column: str) -> np.ndarray:
        """A measure of the nucleus of each pair; NaN where it is not known."""
        if column not in self.nuclei:
            return np.full(len(self.nucleus), np.nan)
        return self.nuclei[column].to_numpy(float)[self.nucleus]

    def sum(self, values: np.ndarray, of: np.ndarray) -> np.ndarray:
        """Sum per tile, (tiles,), of the pairs that are meant."""
        return np.bincount(self.tile[of], values[of], self.tiles)

    def count(self, of: np.ndarray) -> np.ndarray:
        return np.bincount(self.tile[of], minlength=self.tiles).astype(float)

    def mean(self, values: np.ndarray, of: np.ndarray) -> np.ndarray:
        """Mean per tile of what is known; NaN where nothing is."""
        of = of & ~np.isnan(values)
        return _ratio(self.sum(values, of), self.count(of))

    def sd(self, values: np.ndarray, of: np.ndarray) -> np.ndarray:
        """SD per tile of what is known; NaN where fewer than two are."""
        mean = self.mean(values, of)
        several = self.count(of & ~np.isnan(values)) > 1
        return np.where(several, np.sqrt(self.mean((values - mean[self.tile]) ** 2, of)), np.nan)

    def percentile(self, values: np.ndarray, of: np.ndarray, share: float) -> np.ndarray:
        """As numpy's, between the two values that it lies between; NaN where there is none."""
        of = of & ~np.isnan(values)
        tile, found = self.tile[of], np.append(values[of], np.nan)
        ordered = found[np.append(np.lexsort((values[of], tile)), len(tile))]
        count = np.bincount(tile, minlength=self.tiles)
        place = np.cumsum(count) - count + share * np.maximum(count - 1, 0)
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, np.cumsum(count) - 1)
        value = ordered[below] + (place - below) * (ordered[above] - ordered[below])
        return np.where(count > 0, value, np.nan)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A over b; NaN where b is 0."""
    return np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0)


def _shares(counts: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Smoothed share of each role among those that can be told, (n, roles); NaN for the others."""
    typed = counts[:, told].sum(1, keepdims=True)
    return np.where(told, (counts + PSEUDO) / (typed + told.sum() * PSEUDO), np.nan)


def _counted(
    before: str, counts: np.ndarray, every: np.ndarray, tissue: np.ndarray, told: np.ndarray
) -> dict[str, np.ndarray]:
    """Densities and shares."""
    density = np.where(told, np.log1p(counts / tissue[:, None]), np.nan)
    shares = _shares(counts, told)
    return {
        **{f"{before}log_density_{r}": density[:, k] for k, r in enumerate(ROLES)},
        f"{before}log_density": np.log1p(every / tissue),
        **{f"{before}share_{r}": shares[:, k] for k, r in enumerate(ROLES)},
    }


def _mixture(counts: np.ndarray, share: np.ndarray, told: np.ndarray) -> dict[str, np.ndarray | float]:
    """Ratios of two roles, and how many roles there are."""
    found: dict[str, np.ndarray | float] = {}
    for a, b in RATIOS:
        i, j = ROLES.index(a), ROLES.index(b)
        both = told[i] and told[j]
        found[f"log_ratio_{a}_{b}"] = np.log((counts[:, i] + PSEUDO) / (counts[:, j] + PSEUDO)) if both else np.nan
    if told.sum() < 2:
        return found
    some = share[:, told]
    return found | {
        "entropy": -(some * np.log(some)).sum(1) / np.log(told.sum()),
        "simpson": 1 - (some**2).sum(1),
        "dominance": some.max(1),
    }


def _shapes(own: _Owned, tissue: np.ndarray, told: np.ndarray) -> dict[str, np.ndarray]:
    """Sizes, shapes, stain and certainty of nuclei."""
    tumour, immune, stroma = (own.role == k for k in (TUMOUR, IMMUNE, STROMA))
    area, stain, p = own["area_um2"], own["stain"], own["probability"]
    circular = np.minimum(4 * np.pi * area / np.maximum(own["perimeter_um"], 1e-6) ** 2, 1.2)
    eccentric = np.sqrt(1 - np.minimum(own["short_um"] / own["long_um"], 1) ** 2)
    doubt = -sum(q * np.log(np.maximum(q, 1e-12)) for q in (p, 1 - p))
    mean, sd = own.mean(area, tumour), own.sd(area, tumour)

    def covered(of: np.ndarray) -> np.ndarray:
        some = of & ~np.isnan(area)
        return np.where(own.count(some) == own.count(of), own.sum(area, some) / (tissue * 1e6), np.nan)

    return {
        "confidence": own.mean(p, own.all),
        "doubt": own.mean(doubt, own.all),
        "tumour_area_mean": mean,
        "tumour_area_sd": sd,
        "tumour_area_p90": own.percentile(area, tumour, 0.9),
        "tumour_area_cv": sd / mean,
        "immune_area_mean": own.mean(area, immune),
        "stroma_area_mean": own.mean(area, stroma),
        "nuclear_fraction": covered(own.all),
        "tumour_fraction": covered(tumour) if told[TUMOUR] else np.nan,
        "tumour_circularity": own.mean(circular, tumour),
        "tumour_eccentricity": own.mean(eccentric, tumour),
        "tumour_solidity": own.mean(own["solidity"], tumour),
        "stroma_eccentricity": own.mean(eccentric, stroma),
        "tumour_stain_mean": own.mean(stain, tumour),
        "tumour_stain_sd": own.sd(stain, tumour),
        "tumour_chromatin": own.mean(own["stain_sd"], tumour),
    }


def _distances(
    own: _Owned, share: np.ndarray, every: np.ndarray, tissue: np.ndarray, told: np.ndarray
) -> dict[str, np.ndarray]:
    """Nearest neighbours, distances between tumour and immune nuclei, mixing of roles among neighbours."""
    near = _neighbours(own)
    nearest = own.mean(near.distance, own.all)
    found = {"nearest_mean": nearest, "clark_evans": nearest * 2 * np.sqrt(every / (tissue * 1e6))}
    if not told[[TUMOUR, IMMUNE]].all():
        return found
    tumour, immune = own.role == TUMOUR, own.role == IMMUNE
    to_immune, to_tumour = (_to_nearest(own.at, own.every == k, own.nucleus) for k in (IMMUNE, TUMOUR))
    edges, mixed, unlike = (own.sum(n, own.all) for n in (near.edges, near.mixed, near.unlike))
    expected = 2 * share[:, TUMOUR] * share[:, IMMUNE] * edges
    mixing = np.log((mixed + PSEUDO) / (expected + PSEUDO))
    unlike = _ratio(unlike, edges) / np.maximum(1 - (share[:, told] ** 2).sum(1), 1e-6)
    return found | {
        "tumour_to_immune": own.mean(to_immune, tumour),
        "immune_to_tumour": own.mean(to_tumour, immune),
        "tumour_near_immune": own.mean((to_immune <= NEAR_UM).astype(float), tumour),
        "tumour_far_immune": own.mean((to_immune < FAR_UM).astype(float), tumour),
        "mixing": np.where(edges > 0, mixing, np.nan),
        "heterotypy": unlike,
    }


@dataclass(frozen=True)
class _Near:
    """What is near the nucleus of each pair, (p,).

    Attributes
    ----------
    distance : float
        To the nearest nucleus, at most `HALO_UM`.
    edges, mixed, unlike : int
        Of its nearest nuclei within the halo, both of a known role: how many, how many make a pair of tumour and immune
        with it, how many are of another role.
    """

    distance: np.ndarray
    edges: np.ndarray
    mixed: np.ndarray
    unlike: np.ndarray


def _neighbours(own: _Owned) -> _Near:
    found = _Near(np.full(len(own.nucleus), HALO_UM), *(np.zeros(len(own.nucleus), np.int64) for _ in range(3)))
    tree, roles = (cKDTree(own.at) if len(own.at) else None), np.append(own.every, -1)
    for begin in range(0, len(own.nucleus), SOME):
        some = slice(begin, begin + SOME)
        of = own.nucleus[some]
        distance, neighbour = tree.query(own.at[of], k=NEIGHBOURS + 1, distance_upper_bound=HALO_UM)
        edge, here, there = distance[:, 1:] <= HALO_UM, roles[of][:, None], roles[neighbour[:, 1:]]
        edge &= (here >= 0) & (there >= 0)  # of no known role, nobody can say
        both = (np.minimum(here, there) == TUMOUR) & (np.maximum(here, there) == IMMUNE)
        found.distance[some] = np.minimum(distance[:, 1], HALO_UM)
        found.edges[some], found.mixed[some] = edge.sum(1), (edge & both).sum(1)
        found.unlike[some] = (edge & (here != there)).sum(1)
    return found


def _to_nearest(at: np.ndarray, to: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Distance of some nuclei to the nearest of those meant, at most `HALO_UM`, (k,)."""
    if not to.any() or not len(of):
        return np.full(len(of), HALO_UM)
    return np.minimum(cKDTree(at[to]).query(at[of], distance_upper_bound=HALO_UM)[0], HALO_UM)


def _overlap(own: _Owned, grid: Grid) -> np.ndarray:
    """Morisita–Horn overlap of tumour and immune nuclei on squares of the tile: 0 apart, 1 alike; NaN without one."""
    within = own.at[own.nucleus] - grid.corners[own.tile]
    square = np.clip((within // (grid.side / SQUARES)).astype(int), 0, SQUARES - 1)
    place = own.tile * SQUARES**2 + square[:, 0] * SQUARES + square[:, 1]
    a, b = (
        np.bincount(place[own.role == k], minlength=own.tiles * SQUARES**2).reshape(-1, SQUARES**2).astype(float)
        for k in (TUMOUR, IMMUNE)
    )
    both = (a.sum(1) > 0) & (b.sum(1) > 0)
    a, b = (v / np.maximum(v.sum(1, keepdims=True), 1) for v in (a, b))
    return np.where(both, _ratio(2 * (a * b).sum(1), (a**2).sum(1) + (b**2).sum(1)), np.nan)


def _beside(grid: Grid) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each of the nine places on and around a tile, one side away: which tiles have a tile there, and which one."""
    if not len(grid.corners):
        return
    tree = cKDTree(grid.corners)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            far, beside = tree.query(grid.corners + np.array([dx, dy]) * grid.side)
            there = far < 0.02 * grid.side  # whole pixels make no exact µm
            yield there, beside[there]


def _beside_unsought(grid: Grid) -> np.ndarray:
    """Tiles beside which there is one in which nuclei were not sought, (n,) bool."""
    found = np.zeros(len(grid.corners), bool)
    for there, beside in _beside(grid) if not grid.sought.all() else ():
        found[there] |= ~grid.sought[beside]
    return found


def _around(
    grid: Grid, counts: np.ndarray, every: np.ndarray, tissue: np.ndarray, told: np.ndarray
) -> dict[str, np.ndarray]:
    """Densities and shares of a tile and of those beside it, one side away, where nuclei were sought."""
    sums = np.concatenate([counts, every[:, None], tissue[:, None]], 1) * grid.sought[:, None]
    total = np.zeros_like(sums)
    for there, beside in _beside(grid):
        total[there] += sums[beside]
    return _counted("around_", total[:, :-2], total[:, -2], np.maximum(total[:, -1], 1e-9), told)
