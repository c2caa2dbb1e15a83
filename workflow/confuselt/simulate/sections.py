"""A cohort with known truth, at the level of slides and count files.

The latent vector of `simulate` decides what is drawn: its parts seen by both modalities and by the cells stream
set which nuclei there are, how large and how dense; the part of the tile stream sets the architecture; RNA follows
its own part and the subtype. A site has its colour and its library size.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from confuselt.rna.genes import PAM50_GENES
from confuselt.simulate.cohort import CLASSES, PARTS, draw_loadings, draw_outcomes, patient_ids, slide_sheet
from confuselt.simulate.histology import Section

ARTEFACTS = {"pen": 0.08, "fold": 0.10, "blur": 0.10}
FINE_SITES = 4  # every so manieth site scans at 0.25 µm per pixel, the others at 0.5
OTHER_GENES = 2_200


@dataclass(frozen=True)
class SlideCohort:
    """Tables of a cohort of slides, as a user would bring them, and the truth.

    Attributes
    ----------
    slides, clinical, truth : DataFrame
    counts : DataFrame
        Patients (index) x genes, whole numbers.
    sections : dict of str to (Section, int)
        What to draw on each slide, and its seed.
    """

    slides: pd.DataFrame
    clinical: pd.DataFrame
    truth: pd.DataFrame
    counts: pd.DataFrame
    sections: dict[str, tuple[Section, int]]


def simulate_sections(cfg: dict) -> SlideCohort:
    """Draw the tables of a cohort of slides.

    Parameters
    ----------
    cfg : dict
        ``simulate.*`` keys.
    """
    seed = cfg["simulate.seed"]
    # A generator per patient, site and slide: one more patient leaves the slides of the others as they are.
    own = [np.random.default_rng([seed, 12, i]) for i in range(cfg["simulate.patients"])]
    fixed = np.random.default_rng(
        [cfg["simulate.tile_features"], cfg["simulate.cell_features"], cfg["simulate.genes"], 13]
    )
    patients, n = patient_ids(cfg), cfg["simulate.patients"]
    latent = {part: np.stack([rng.standard_normal(size) for rng in own]) for part, size in PARTS.items()}
    site = _sites(own, cfg)
    rng = np.random.default_rng([seed, 13])
    outcome, truth = draw_outcomes(latent, cfg, draw_loadings(cfg, fixed), rng, least=int(0.75 * n / len(CLASSES)))
    slides = slide_sheet(cfg)
    at = {p: i for i, p in enumerate(patients)}
    sections = {}
    for slide, patient in zip(slides["slide_id"], slides["patient_id"], strict=True):
        i, number = at[patient], int(slide[-1])
        drawn_by = np.random.default_rng([seed, 15, i, number])
        sections[slide] = (
            _section({k: v[i] for k, v in latent.items()}, int(site[i]), cfg, drawn_by),
            int(drawn_by.integers(2**31)),
        )
    counts = _counts(patients, latent, outcome["pam50"], site, cfg, rng)
    clinical = pd.DataFrame({"patient_id": patients, "site": [f"S{s:02d}" for s in site], **outcome})
    latents = {f"latent_{p}_{k}": v[:, k] for p, v in latent.items() for k in range(v.shape[1])}
    return SlideCohort(slides, clinical, pd.DataFrame({"patient_id": patients, **latents, **truth}), counts, sections)


def _sites(own: list[np.random.Generator], cfg: dict) -> np.ndarray:
    """Site of each patient; sites are of unequal size, and the first patients see to it that each has one."""
    count = cfg["simulate.sites"]
    weight = np.random.default_rng([cfg["simulate.seed"], 16]).dirichlet(np.full(count, 2.0))
    return np.array([i if i < count else rng.choice(count, p=weight) for i, rng in enumerate(own)])


def _section(latent: dict[str, np.ndarray], site: int, cfg: dict, rng: np.random.Generator) -> Section:
    """What the latent vector of a patient looks like."""
    colour = np.exp(
        0.16
        * cfg["simulate.site_effect"]
        * np.random.default_rng([cfg["simulate.seed"], 14, site]).standard_normal((2, 3))
    )
    both, tile, cells = latent["both"], latent["tile"], latent["cells"]
    shares = np.log([0.50, 0.15, 0.20, 0.03, 0.12])
    shares = shares + np.array([0.25 * both[0], 0.8 * both[1], 0.6 * cells[0], 0.9 * cells[1], -0.5 * both[0]])
    mpp = 0.25 if site % FINE_SITES == 0 else 0.5
    width = round(cfg["simulate.slide_mm"] * 1000 / mpp)
    return Section(
        width=width,
        height=round(width * 0.75),
        mpp=mpp,
        tumour=float(np.clip(0.5 + 0.12 * tile[0], 0.15, 0.85)),
        lumen=float(np.clip(0.05 * np.exp(0.5 * tile[1]), 0.005, 0.15)),
        fat=float(np.clip(0.10 * np.exp(-0.4 * tile[0]), 0.01, 0.25)),
        density=float(6000 * np.exp(0.2 * both[2])),
        mix=tuple(np.exp(shares) / np.exp(shares).sum()),
        size=float(np.exp(0.16 * both[0])),
        grain=float(np.clip(0.5 + 0.25 * cells[1], 0, 1)),
        stain=tuple(tuple(row) for row in colour),
        artefacts=tuple(a for a, share in ARTEFACTS.items() if rng.random() < share),
    )


def gene_names() -> list[str]:
    """The PAM50 genes and names of nobody's genes."""
    return [*PAM50_GENES, *(f"SIM{k:05d}" for k in range(OTHER_GENES))]


def centroids() -> pd.DataFrame:
    """PAM50-like centroids of the simulator's own, genes x (classes and ``median``), log2 scale.

    They are the same for every cohort.
    """
    rng = np.random.default_rng(31)
    table = pd.DataFrame(
        rng.normal(0, 1.1, (len(PAM50_GENES), 5)),
        index=pd.Index(PAM50_GENES, name="gene"),
        columns=[*CLASSES, "Normal"],
    )
    base = np.exp(_base())
    table["median"] = np.log2(base / base.sum() * 1e6 + 1)[: len(PAM50_GENES)]
    return table


def _base() -> np.ndarray:
    """Log mean count of every gene."""
    rng = np.random.default_rng(32)
    return np.concatenate([rng.uniform(5.0, 7.0, len(PAM50_GENES)), rng.uniform(2.0, 8.0, OTHER_GENES)])


def _counts(
    patients: list[str], latent: dict, subtype: np.ndarray, site: np.ndarray, cfg: dict, rng: np.random.Generator
) -> pd.DataFrame:
    """Negative binomial counts: PAM50 genes follow the subtype, every gene the latent vector, library size the site."""
    n, names, reference = len(patients), gene_names(), centroids()
    loading = np.random.default_rng(33).standard_normal((PARTS["both"] + PARTS["rna"], len(names))) * 0.30
    log_mean = _base() + np.concatenate([latent["both"], latent["rna"]], 1) @ loading
    if cfg["simulate.effect"] > 0:
        log_mean[:, : len(PAM50_GENES)] += np.log(2) * reference[list(subtype)].to_numpy().T
    batch = cfg["simulate.site_effect"] * 0.3 * rng.standard_normal((site.max() + 1, len(names)))
    library = rng.normal(0, 0.25, n) + cfg["simulate.site_effect"] * 0.4 * rng.standard_normal(site.max() + 1)[site]
    dispersion = 0.15 + 1.0 / np.exp(_base())
    mean = np.exp(log_mean + batch[site] + library[:, None])
    counts = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, mean.shape))
    keep = rng.random(n) >= cfg["simulate.without_rna"]
    return pd.DataFrame(
        counts[keep], index=pd.Index(np.array(patients, object)[keep], name="patient_id"), columns=names
    )
