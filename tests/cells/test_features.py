"""Features of tiles against the same written out tile by tile, nucleus by nucleus."""

import math

import numpy as np
import pandas as pd
import pytest
from conftest import shared
from hypothesis import given, settings
from hypothesis import strategies as st

from confuselt.cells.columns import COLUMNS, HALO_UM, NAMES
from confuselt.cells.features import DISTANCES, MEASURED, Grid, tile_features
from confuselt.cells.group import grid_of, slide_features
from confuselt.cells.nuclei_file import read_nuclei
from confuselt.cells.owned import owned
from confuselt.cells.places import Extent
from confuselt.cells.roles import ROLES

NAN = float("nan")
HGSC = {
    "neoplastic": "tumour",
    "connective": "stroma",
    "inflammatory": "immune",
    "dead": "dead",
    "macrophage_cell": "immune",
    "macrophage_nucleus": "immune",
}


def mean(values):
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else NAN


def sd(values):
    known = [v for v in values if not math.isnan(v)]
    return float(np.std(known)) if len(known) > 1 else NAN


def naive(nuclei, corner, side, tissue, known, beside):
    """Features of one tile, as their formulas in `columns` say; `beside`: (nuclei, tissue) of the 3 x 3 around it."""
    rows = nuclei.to_dict("records")
    x0, y0 = corner
    own = [r for r in rows if 0 <= r["x_um"] - x0 < side and 0 <= r["y_um"] - y0 < side]
    area = max(tissue, 0.05) * side**2 / 1e6

    def counted(some, mm2):
        n = {role: sum(r["role"] == role for r in some) for role in ROLES}
        typed = sum(n[role] for role in known)
        return {
            **{f"log_density_{r}": math.log1p(n[r] / mm2) if r in known else NAN for r in ROLES},
            "log_density": math.log1p(len(some) / mm2),
            **{f"share_{r}": (n[r] + 0.5) / (typed + len(known) * 0.5) if r in known else NAN for r in ROLES},
        }

    f = counted(own, area)
    share = [f[f"share_{r}"] for r in known]
    n = {role: sum(r["role"] == role for r in own) for role in ROLES}
    for a, b in (("immune", "tumour"), ("stroma", "tumour"), ("immune", "stroma")):
        both = a in known and b in known
        f[f"log_ratio_{a}_{b}"] = math.log((n[a] + 0.5) / (n[b] + 0.5)) if both else NAN
    several = len(known) > 1
    f["entropy"] = -sum(s * math.log(s) for s in share) / math.log(len(known)) if several else NAN
    f["simpson"] = 1 - sum(s * s for s in share) if several else NAN
    f["dominance"] = max(share) if several else NAN
    of = {role: [r for r in own if r["role"] == role] for role in ROLES}
    p = [r["probability"] for r in own]
    f["confidence"] = mean(p)
    f["doubt"] = mean([-sum(q * math.log(max(q, 1e-12)) for q in (v, 1 - v)) for v in p])
    areas = [r["area_um2"] for r in of["tumour"]]
    whole = [v for v in areas if not math.isnan(v)]
    f["tumour_area_mean"], f["tumour_area_sd"] = mean(areas), sd(areas)
    f["tumour_area_p90"] = float(np.percentile(whole, 90)) if whole else NAN
    f["tumour_area_cv"] = sd(areas) / mean(areas)
    for role in ("immune", "stroma"):
        f[f"{role}_area_mean"] = mean([r["area_um2"] for r in of[role]])
    for name, some in (("nuclear", own), ("tumour", of["tumour"])):
        covered = [r["area_um2"] for r in some]
        f[f"{name}_fraction"] = sum(covered) / (area * 1e6) if name == "nuclear" or name in known else NAN

    def eccentricity(some):
        return mean([math.sqrt(1 - min(r["short_um"] / r["long_um"], 1) ** 2) for r in some])

    circular = [min(4 * math.pi * r["area_um2"] / r["perimeter_um"] ** 2, 1.2) for r in of["tumour"]]
    f["tumour_circularity"], f["tumour_eccentricity"] = mean(circular), eccentricity(of["tumour"])
    f["tumour_solidity"] = mean([r["solidity"] for r in of["tumour"]])
    f["stroma_eccentricity"] = eccentricity(of["stroma"])
    f["tumour_stain_mean"] = mean([r["stain"] for r in of["tumour"]])
    f["tumour_stain_sd"] = sd([r["stain"] for r in of["tumour"]])
    f["tumour_chromatin"] = mean([r["stain_sd"] for r in of["tumour"]])

    def distance(a, b):
        return math.hypot(a["x_um"] - b["x_um"], a["y_um"] - b["y_um"])

    def near(r):
        apart = sorted((distance(r, o), i) for i, o in enumerate(rows) if o is not r)
        return [(d, rows[i]) for d, i in apart[:5] if d <= HALO_UM]

    def nearest(r, role):
        return min([distance(r, o) for o in rows if o["role"] == role] + [HALO_UM])

    f["nearest_mean"] = mean([min([d for d, _ in near(r)] + [HALO_UM]) for r in own])
    f["clark_evans"] = f["nearest_mean"] * 2 * math.sqrt(len(own) / (area * 1e6))
    if "tumour" in known and "immune" in known:
        to_immune = [nearest(r, "immune") for r in of["tumour"]]
        f["tumour_to_immune"] = mean(to_immune)
        f["immune_to_tumour"] = mean([nearest(r, "tumour") for r in of["immune"]])
        f["tumour_near_immune"] = mean([float(d <= 20) for d in to_immune])
        f["tumour_far_immune"] = mean([float(d < 80) for d in to_immune])
        edges = [(r["role"], o["role"]) for r in own for _, o in near(r) if r["role"] in ROLES and o["role"] in ROLES]
        mixed = sum({a, b} == {"tumour", "immune"} for a, b in edges)
        expected = 2 * f["share_tumour"] * f["share_immune"] * len(edges)
        f["mixing"] = math.log((mixed + 0.5) / (expected + 0.5)) if edges else NAN
        unlike = sum(a != b for a, b in edges) / len(edges) if edges else NAN
        f["heterotypy"] = unlike / (1 - sum(s * s for s in share))
        squares = np.zeros((2, 4, 4))
        for k, role in enumerate(("tumour", "immune")):
            for r in of[role]:
                at = [min(int((r[c] - c0) // (side / 4)), 3) for c, c0 in (("x_um", x0), ("y_um", y0))]
                squares[k][tuple(at)] += 1
        if n["tumour"] and n["immune"]:
            a, b = (s / s.sum() for s in squares)
            f["morisita_horn"] = 2 * (a * b).sum() / ((a**2).sum() + (b**2).sum())
    f["tissue"], f["log_count"], f["sought"] = tissue, math.log1p(len(own)), 1.0
    return f | {f"around_{k}": v for k, v in counted(*beside).items()}


def wanted(nuclei, grid, known):
    found = []
    for corner, tissue in zip(grid.corners, grid.tissue, strict=True):
        apart = np.abs(grid.corners - corner) / grid.side
        close = ((apart < 0.02) | (np.abs(apart - 1) < 0.02)).all(1)
        some = [
            nuclei[(nuclei[["x_um", "y_um"]] >= c).all(axis=1) & (nuclei[["x_um", "y_um"]] < c + grid.side).all(axis=1)]
            for c in grid.corners[close]
        ]
        mm2 = (np.maximum(grid.tissue[close], 0.05) * grid.side**2 / 1e6).sum()
        near = (np.abs(nuclei[["x_um", "y_um"]] - corner - grid.side / 2) <= grid.side / 2 + HALO_UM + 1).all(axis=1)
        beside = (pd.concat(some).to_dict("records"), mm2)
        f = naive(nuclei[near], corner, grid.side, tissue, known, beside)
        found.append([f.get(name, NAN) for name in NAMES])
    return np.array(found)


def scattered(seed, n=400, width=350.0):
    rng = np.random.default_rng(seed)
    values = {
        "x_um": rng.uniform(-90, width, n),
        "y_um": rng.uniform(-90, width, n),
        "role": rng.choice(np.array([*ROLES, None], object), n),
        "probability": rng.uniform(0.3, 1, n),
        "area_um2": rng.uniform(10, 90, n),
        "long_um": rng.uniform(8, 14, n),
        "short_um": rng.uniform(4, 8, n),
        "solidity": rng.uniform(0.7, 1, n),
        "perimeter_um": rng.uniform(15, 40, n),
        "stain": rng.uniform(0.02, 0.1, n),
        "stain_sd": rng.uniform(0.01, 0.04, n),
    }
    return pd.DataFrame(values)


def grid(*corners, side=112.0, tissue=None, sought=None):
    n = len(corners)
    tissue = np.ones(n) if tissue is None else np.array(tissue, float)
    return Grid(
        np.array(corners, float).reshape(-1, 2), side, tissue, np.ones(n, bool) if sought is None else np.array(sought)
    )


@pytest.mark.parametrize("known", [ROLES, ("tumour", "immune"), ("immune", "stroma", "dead")])
@pytest.mark.parametrize("density", [400, 12])
def test_all_features_are_what_their_formulas_say(known, density):
    """Neighbours, gaps and a tile apart from all; few nuclei, so that tiles lack roles, and many."""
    some = scattered(3, density)
    some.loc[~some["role"].isin(known), "role"] = None
    tiles = grid((0, 0), (112, 0), (0, 112), (112, 112.5), (500, 500), tissue=[1, 0.5, 0.02, 0.7, 1])
    np.testing.assert_allclose(tile_features(some, tiles, known), wanted(some, tiles, known), rtol=2e-5, atol=2e-6)


def test_what_is_not_measured_is_not_known():
    points = scattered(4)[["x_um", "y_um", "role"]]
    found = dict(zip(NAMES, tile_features(points, grid((0, 0)), ROLES)[0], strict=True))
    unknown = {name for name, value in found.items() if np.isnan(value)}
    assert unknown == {c.name for c in COLUMNS if c.name in ("confidence", "doubt", "nuclear_fraction")} | {
        name for name in NAMES if "_area_" in name or name.startswith(("tumour_stain", "tumour_chrom"))
    } | {"tumour_fraction", "tumour_circularity", "tumour_eccentricity", "tumour_solidity", "stroma_eccentricity"}
    assert set(MEASURED).isdisjoint(points.columns)


def test_what_a_finder_cannot_tell_is_missing_and_not_zero():
    some = scattered(5)
    some["role"] = some["role"].where(some["role"].isin(["immune", "stroma"]))
    found = dict(zip(NAMES, tile_features(some, grid((0, 0)), ("immune", "stroma"))[0], strict=True))
    for name, value in found.items():
        assert np.isnan(value) == any(role in name for role in ("tumour", "epithelium", "dead", "other")) or name in (
            "mixing",
            "heterotypy",
            "morisita_horn",
        ), name
    assert np.isfinite([found["log_density"], found["share_immune"], found["entropy"], found["nearest_mean"]]).all()


def test_a_tile_where_nobody_looked_says_nothing():
    some, tiles = scattered(6), grid((0, 0), (112, 0), sought=[True, False], tissue=[1, 0.5])
    found = tile_features(some, tiles, ROLES)
    known = {NAMES[k] for k in np.flatnonzero(~np.isnan(found[1]))}
    assert known == {"tissue", "sought"}
    assert found[1, NAMES.index("tissue")] == 0.5 and found[:, NAMES.index("sought")].tolist() == [1, 0]
    alone = tile_features(some, grid((0, 0)), ROLES)
    near = [NAMES.index(name) for name in DISTANCES]
    assert np.isnan(found[0, near]).all(), "who is near is not known where nobody looked beside"
    rest = np.setdiff1d(np.arange(len(NAMES)), near)
    np.testing.assert_array_equal(found[0, rest], alone[0, rest])


def test_empty_tiles_and_tissue_without_nuclei_are_counted():
    found = tile_features(scattered(7, 0), grid((0, 0), (112, 0)), ROLES)
    f = dict(zip(NAMES, found[0], strict=True))
    assert f["log_count"] == 0 and f["log_density_tumour"] == 0 and f["share_tumour"] == pytest.approx(1 / 6)
    assert f["nuclear_fraction"] == 0 and np.isnan(f["tumour_area_mean"]) and np.isnan(f["nearest_mean"])
    assert tile_features(scattered(7), grid(), ROLES).shape == (0, len(NAMES))


def test_another_grid_changes_no_total(hgsc):
    """Real nuclei; of four grids, over all their tiles."""
    nuclei, extent = hgsc
    totals = []
    for shift in (0, 37, 100, 200):
        x, y = np.meshgrid(np.arange(shift - 224, extent.width, 224), np.arange(shift - 224, extent.height, 224))
        tiles = pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "tissue": 1.0})
        features = slide_features(nuclei, grid_of(tiles, 224, 0.5, np.ones(len(tiles), bool)), 0.5, HGSC)
        counts = np.expm1(features[:, [NAMES.index(f"log_density_{r}") for r in ("tumour", "immune", "stroma")]])
        totals.append(counts.sum(0) * (112**2 / 1e6))
    np.testing.assert_allclose(totals, np.broadcast_to(totals[0], (4, 3)), rtol=0.01)


@pytest.fixture(scope="module")
def hgsc():
    """Nuclei of a real slide, and its size."""
    extent = Extent(0.5, 47_001, 66_751)
    return read_nuclei(shared("nuclei_wsi", "hgsc_nuclei_wsi.parquet"), extent), extent


def test_real_nuclei_against_the_naive_reference(hgsc):
    """A neighbourhood of 5 x 5 tiles of a real slide, dense and with every role."""
    nuclei, _ = hgsc
    placed = nuclei.assign(x_um=nuclei["x"] * 0.5, y_um=nuclei["y"] * 0.5, role=nuclei["type"].map(HGSC))
    dense = placed.groupby([placed["x_um"] // 560, placed["y_um"] // 560]).size().idxmax()
    left, top = (560.0 * k for k in dense)
    tiles = grid(*((left + 112.0 * i, top + 112.0 * j) for i in range(5) for j in range(5)))
    known = ("tumour", "immune", "stroma", "dead")
    around = placed[placed["x_um"].between(left - 300, left + 860) & placed["y_um"].between(top - 300, top + 860)]
    np.testing.assert_allclose(
        tile_features(placed, tiles, known), wanted(around, tiles, known), rtol=1e-5, atol=1e-6, equal_nan=True
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-300, 300), st.floats(-300, 300)), max_size=40),
    st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=1, max_size=8),
    st.floats(10, 150),
)
def test_a_nucleus_lies_where_its_centre_lies(places, squares, side):
    """Tiles anywhere, overlapping or apart."""
    at, corners = np.array(places, float).reshape(-1, 2), np.array(squares, float) * 37.5
    tile, nucleus = owned(at, corners, side)
    inside = ((at[None] >= corners[:, None]) & (at[None] - corners[:, None] < side)).all(2)
    assert sorted(zip(tile.tolist(), nucleus.tolist(), strict=True)) == sorted(map(tuple, np.argwhere(inside).tolist()))
    assert (np.diff(tile) >= 0).all()
