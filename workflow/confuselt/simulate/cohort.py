"""A cohort with known truth, at the level of features.

Every patient has a latent vector in four parts: seen by both modalities, by the tile stream only, by the cells stream
only, by RNA only. Hazard and subtype depend on all four parts alike (times `effect`), so a second modality and the
cells stream each have something to add. Sites have batch shifts that carry no outcome.

Nulls beside ``effect: 0``: ``modalities: redundant`` (slides and RNA show the same vector, each with its own
measurement noise: of 400 patients linear fits recover .90 and .98 of it), ``cells: redundant`` (the cells stream is the
tile stream in other coordinates) and ``shared: irrelevant`` (what both show, and contrastive learning finds, carries no
outcome).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

PARTS = {"both": 3, "tile": 2, "cells": 2, "rna": 3}
CLASSES = ("Basal", "Her2", "LumA", "LumB")
CLASS_SHARES = (0.2, 0.18, 0.36, 0.26)
INFORMATIVE = 0.4  # share of a slide's instances that show the latent vector; the rest is stroma and noise


@dataclass(frozen=True)
class Cohort:
    """Tables of a simulated cohort, as a user would bring them, and the truth.

    Attributes
    ----------
    tile, cells, rna, clinical, truth : DataFrame
    """

    tile: pd.DataFrame
    cells: pd.DataFrame
    rna: pd.DataFrame
    clinical: pd.DataFrame
    truth: pd.DataFrame


def simulate_features(cfg: dict) -> Cohort:
    """Draw a cohort.

    Parameters
    ----------
    cfg : dict
        ``simulate.*`` keys.

    Notes
    -----
    Loadings depend on the widths only, not on the seed: two cohorts with other seeds come from the
    same population, so that models of one can be applied to the other.
    """
    rng = np.random.default_rng([cfg["simulate.seed"], 11])
    fixed = np.random.default_rng(
        [cfg["simulate.tile_features"], cfg["simulate.cell_features"], cfg["simulate.genes"], 13]
    )
    n = cfg["simulate.patients"]
    patients = patient_ids(cfg)
    latent = {part: rng.standard_normal((n, size)) for part, size in PARTS.items()}
    if (
        cfg["simulate.modalities"] == "redundant"
    ):  # drawn and dropped: the shared part, sites and slides are those of the other cohort
        latent = {part: values * (part == "both") for part, values in latent.items()}
    site = draw_sites(n, cfg["simulate.sites"], rng)
    loadings = draw_loadings(cfg, fixed)
    loadings |= {name: outcome_weights(loadings[name], cfg) for name in ("hazard", "classes")}
    outcome, truth = draw_outcomes(latent, cfg, loadings, rng)
    slides = draw_slides(patients, cfg, rng)
    tile, cells = _streams(slides, patients, latent, site, loadings, cfg, rng)
    rna = _counts(patients, latent, site, loadings, cfg, rng)
    clinical = pd.DataFrame({"patient_id": patients, "site": [f"S{s:02d}" for s in site], **outcome})
    truth = pd.DataFrame(
        {
            "patient_id": patients,
            **{f"latent_{p}_{k}": v[:, k] for p, v in latent.items() for k in range(v.shape[1])},
            **truth,
        }
    )
    return Cohort(tile, cells, rna, clinical, truth)


def patient_ids(cfg: dict) -> list[str]:
    """Ids of the simulated patients; another seed has others."""
    return [f"SIM-{cfg['simulate.seed']:03d}-{i:04d}" for i in range(cfg["simulate.patients"])]


def slide_sheet(cfg: dict) -> pd.DataFrame:
    """``slide_id, patient_id, file`` of a cohort of slides.

    They come from the config alone, so that the workflow knows its slides before any is drawn.
    """
    patients = patient_ids(cfg)
    drawn = draw_slides(patients, cfg, np.random.default_rng([cfg["simulate.seed"], 23]))
    rows = [{"slide_id": slide, "patient_id": patients[i], "file": f"slides/{slide}.svs"} for i, slide in drawn]
    return pd.DataFrame(rows, columns=["slide_id", "patient_id", "file"])


def draw_sites(n: int, sites: int, rng: np.random.Generator) -> np.ndarray:
    """Site of each patient; sites are of unequal size and each has a patient."""
    weight = rng.dirichlet(np.full(sites, 2.0))
    site = rng.choice(sites, n, p=weight)
    site[:sites] = np.arange(sites)[:n]
    return rng.permutation(site)


def draw_loadings(cfg: dict, rng: np.random.Generator) -> dict[str, np.ndarray]:
    size = sum(PARTS.values())
    return {
        "tile": rng.standard_normal((PARTS["both"] + PARTS["tile"], cfg["simulate.tile_features"])) * 0.7,
        "cells": rng.standard_normal((PARTS["both"] + PARTS["cells"], cfg["simulate.cell_features"])) * 0.7,
        "rna": rng.standard_normal((PARTS["both"] + PARTS["rna"], cfg["simulate.genes"])) * 0.35,
        "base": rng.uniform(3.0, 8.0, cfg["simulate.genes"]),
        "hazard": _unit(rng.standard_normal(size)),
        "classes": np.stack([_unit(rng.standard_normal(size)) for _ in CLASSES], 1),
        # One draw, of which each stream takes as much as it is wide.
        "stroma": rng.standard_normal(max(cfg["simulate.tile_features"], cfg["simulate.cell_features"])),
    }


def _unit(vector: np.ndarray) -> np.ndarray:
    """Equal weight on every part, so that none can be done without."""
    start, parts = 0, []
    for size in PARTS.values():
        part = vector[start : start + size]
        parts.append(part / np.linalg.norm(part))
        start += size
    return np.concatenate(parts) / np.sqrt(len(PARTS))


def outcome_weights(loading: np.ndarray, cfg: dict) -> np.ndarray:
    """Weights of the latent vector (size,) or (size, classes) on an outcome, under the nulls that concern it.

    Where only the shared part informs, it does so with the strength of all four.
    """
    shared = (np.arange(len(loading)) < PARTS["both"]).reshape(-1, *[1] * (loading.ndim - 1))
    if cfg["simulate.modalities"] == "redundant":
        return np.where(shared, loading * np.sqrt(len(PARTS)), 0.0)
    return np.where(shared, 0.0, loading) if cfg["simulate.shared"] == "irrelevant" else loading


def draw_outcomes(
    latent: dict[str, np.ndarray], cfg: dict, loadings: dict[str, np.ndarray], rng: np.random.Generator, least: int = 0
) -> tuple[dict, dict]:
    """Weibull times with a log hazard linear in the latent vector and age; uniform censoring; subtype by noisy scores.

    At least `least` patients of each class: the scores of rare classes are raised until it is so.
    """
    whole, effect = np.concatenate(list(latent.values()), 1), cfg["simulate.effect"]
    n = len(whole)
    age = np.clip(rng.normal(58, 13, n), 26, 90).round()
    log_hazard = effect * (1.5 * whole @ loadings["hazard"] + 0.02 * (age - 58))
    outcome, truth = (
        {"age": age, "stage": rng.choice(["Stage I", "Stage II", "Stage III"], n, p=[0.25, 0.5, 0.25])},
        {"log_hazard": log_hazard},
    )
    frailty = rng.standard_normal(n) * 0.2
    for endpoint, scale in (("os", 2500.0), ("pfi", 1800.0)):
        time = scale * (-np.log(rng.random(n)) / np.exp(log_hazard + frailty)) ** (1 / 1.3)
        follow_up = _censoring(time, cfg["simulate.events"], rng)
        days = np.maximum(np.minimum(time, follow_up), 1).round()
        outcome |= {f"{endpoint}_days": days, f"{endpoint}_event": (time <= follow_up).astype(int)}
        truth[f"{endpoint}_true_days"] = time
    scores = effect * 4.0 * whole @ loadings["classes"] + np.log(CLASS_SHARES) + rng.gumbel(size=(n, len(CLASSES)))
    while (rare := np.bincount(scores.argmax(1), minlength=len(CLASSES)) < least).any():
        scores += 0.1 * rare
    outcome["pam50"] = np.array(CLASSES)[scores.argmax(1)]
    return outcome, truth


def _censoring(time: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Uniform follow-up whose upper end gives the wanted share of events (bisection on one draw)."""
    draw, low, high = rng.random(len(time)), 1.0, 1e6
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if (time <= draw * middle).mean() < share else (low, middle)
    return draw * high


def draw_slides(patients: list[str], cfg: dict, rng: np.random.Generator) -> list[tuple[int, str]]:
    """(patient position, slide id); some patients have none, some two."""
    slides = []
    for i, patient in enumerate(patients):
        draw = rng.random()
        if draw < cfg["simulate.without_slide"]:
            continue
        slides.append((i, f"{patient}-DX1"))
        if draw > 1 - cfg["simulate.second_slide"]:
            slides.append((i, f"{patient}-DX2"))
    return slides


def _streams(
    slides: list[tuple[int, str]],
    patients: list[str],
    latent: dict,
    site: np.ndarray,
    loadings: dict,
    cfg: dict,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bags of both streams: informative instances show the latent vector, the others stroma."""
    mean, shift = cfg["simulate.tiles"], cfg["simulate.site_effect"]
    sizes = np.ones(len(slides), int) if mean == 1 else np.maximum(2, rng.poisson(mean, len(slides)))
    owner = np.repeat([i for i, _ in slides], sizes)
    rows = len(owner)
    informative = np.ones(rows, bool) if mean == 1 else rng.random(rows) < INFORMATIVE
    ids = {
        "patient_id": np.array(patients, object)[owner],
        "slide_id": np.repeat(np.array([s for _, s in slides], object), sizes),
        "x": np.concatenate([np.arange(s) % 8 for s in sizes]) * 512,
        "y": np.concatenate([np.arange(s) // 8 for s in sizes]) * 512,
    }
    tables = []
    for stream, width in (("tile", cfg["simulate.tile_features"]), ("cells", cfg["simulate.cell_features"])):
        signal = np.concatenate([latent["both"], latent[stream]], 1) @ loadings[stream]
        batch = shift * rng.standard_normal((site.max() + 1, width))
        stroma = loadings["stroma"][:width] * 1.5
        values = (
            np.where(informative[:, None], signal[owner], stroma)
            + batch[site[owner]]
            + rng.standard_normal((rows, width))
        )
        if stream == "cells" and cfg["simulate.cells"] == "redundant":
            values = tables[0].filter(like="tile_").to_numpy() @ _projection(cfg)
        names = [f"{stream}_{k:03d}" for k in range(width)]
        tables.append(pd.DataFrame({**ids, **{name: values[:, k].astype(np.float32) for k, name in enumerate(names)}}))
    return tables[0], tables[1]


def _projection(cfg: dict) -> np.ndarray:
    """Fixed random map of tile features to as many columns as the cells stream has, of about their variance."""
    shape = (cfg["simulate.tile_features"], cfg["simulate.cell_features"])
    return np.random.default_rng([*shape, 19]).standard_normal(shape) / np.sqrt(shape[0])


def _counts(
    patients: list[str], latent: dict, site: np.ndarray, loadings: dict, cfg: dict, rng: np.random.Generator
) -> pd.DataFrame:
    """Negative binomial counts with gene dispersions, library sizes and site shifts."""
    n, genes = len(patients), cfg["simulate.genes"]
    signal = np.concatenate([latent["both"], latent["rna"]], 1) @ loadings["rna"]
    batch = cfg["simulate.site_effect"] * 0.3 * rng.standard_normal((site.max() + 1, genes))
    library = rng.normal(0, 0.25, n) + cfg["simulate.site_effect"] * 0.3 * rng.standard_normal(site.max() + 1)[site]
    mean = np.exp(loadings["base"] + signal + batch[site] + library[:, None])
    dispersion = 0.15 + 1.0 / np.exp(loadings["base"])
    counts = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, (n, genes)))
    keep = rng.random(n) >= cfg["simulate.without_rna"]
    table = pd.DataFrame(counts[keep], columns=[f"GENE{k:04d}" for k in range(genes)])
    table.insert(0, "patient_id", np.array(patients, object)[keep])
    return table
