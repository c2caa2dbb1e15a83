"""One simulated haematoxylin-and-eosin section with everything on it known.

Stains are drawn as optical densities (Beer-Lambert), so that stain deconvolution has something true to find. Lengths
are in µm until the picture is drawn.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
import pandas as pd

# Optical density of a unit of stain per colour channel (Ruifrok & Johnston 2001).
HAEMATOXYLIN, EOSIN = np.array([0.65, 0.70, 0.29]), np.array([0.07, 0.99, 0.11])
# Semi-axes in µm (mean long, mean short), relative SD, haematoxylin, per type of nucleus.
NUCLEI = {
    "neoplastic": (4.8, 3.9, 0.20, 0.75),
    "inflammatory": (2.9, 2.7, 0.08, 1.15),
    "connective": (5.6, 1.7, 0.16, 0.85),
    "dead": (2.2, 1.7, 0.25, 1.60),
    "epithelial": (3.7, 2.9, 0.10, 0.70),
}
TYPES = tuple(NUCLEI)


@dataclass(frozen=True)
class Section:
    """What is on a slide.

    Attributes
    ----------
    width, height : int
        Level-0 pixels.
    mpp : float
        µm per level-0 pixel.
    tumour, lumen, fat : float
        Share of the tissue that is tumour nest, gland lumen, fat.
    density : float
        Nuclei per mm² of tumour nest; stroma holds 40 % of that.
    mix : (5,) float
        Shares of the types in `TYPES` over tumour nest and stroma together.
    size : float
        Factor on the size of neoplastic nuclei.
    grain : float
        Strength of chromatin texture, 0 to 1.
    stain : (2, 3) float
        Factors on the densities of haematoxylin and eosin per channel: the colour of a site.
    artefacts : tuple of str
        Any of ``pen``, ``fold``, ``blur``.
    """

    width: int
    height: int
    mpp: float
    tumour: float = 0.5
    lumen: float = 0.06
    fat: float = 0.12
    density: float = 6000.0
    mix: tuple[float, ...] = (0.5, 0.15, 0.2, 0.03, 0.12)
    size: float = 1.0
    grain: float = 0.5
    stain: tuple[tuple[float, ...], ...] = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    artefacts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """A drawn section.

    Attributes
    ----------
    image : (height, width, 3) uint8
        Level 0, RGB.
    tissue : (height, width) bool
        Stained tissue: fat, lumina and glass do not count.
    artefact : (height, width) bool
        Pen, fold or out-of-focus part.
    nuclei : DataFrame
        ``x, y`` (level-0 px), ``type``, ``area_um2``, ``long_um``, ``short_um``; only nuclei whose centre is drawn.
    """

    image: np.ndarray
    tissue: np.ndarray
    artefact: np.ndarray
    nuclei: pd.DataFrame = field(repr=False)


def noise_field(
    height: int, width: int, scale: float, rng: np.random.Generator, stretch: float = 1.0, angle: float = 0.0
) -> np.ndarray:
    """Smooth standard normal field (height, width) float32.

    Its features have `scale` px and are `stretch` times as long along `angle`.
    """
    if stretch == 1.0:
        found = cv2.resize(
            rng.standard_normal((int(height / scale) + 3, int(width / scale) + 3)).astype(np.float32),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        )
    else:
        side = int(np.hypot(height, width)) + 2
        coarse = rng.standard_normal((int(side / scale) + 3, int(side / scale / stretch) + 3)).astype(np.float32)
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), -np.degrees(angle), 1)
        turned = cv2.warpAffine(
            cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC),
            turn,
            (side, side),
            borderMode=cv2.BORDER_REFLECT,
        )
        top, left = (side - height) // 2, (side - width) // 2
        found = turned[top : top + height, left : left + width]
    return (found - found.mean()) / (found.std() + 1e-6)


def draw(section: Section, rng: np.random.Generator) -> Drawn:
    """Draw a section.

    Parameters
    ----------
    section : Section
    rng : Generator

    Returns
    -------
    Drawn
    """
    h, w, mpp = section.height, section.width, section.mpp
    whole = _outline(h, w, rng)
    nests, lumen, fat = _regions(section, whole, rng)
    tissue = whole & ~lumen
    angle = rng.uniform(0, np.pi)
    fibre = noise_field(h, w, 3 / mpp, rng, stretch=12.0, angle=angle)
    eosin = np.where(nests, 0.19, np.clip(0.24 + 0.09 * fibre, 0.05, 0.6)).astype(np.float32)
    eosin = np.where(fat, _fat_walls(h, w, mpp, rng) * 0.3, eosin) * tissue
    haematoxylin = (0.06 + 0.07 * nests) * (tissue & ~fat)
    nuclei = _place(section, nests, tissue & ~fat & ~nests, angle, rng)
    haematoxylin, eosin = _draw_nuclei(haematoxylin.astype(np.float32), eosin.astype(np.float32), nuclei, section, rng)
    artefact = np.zeros((h, w), bool)
    if "fold" in section.artefacts:
        band = _band(h, w, rng, 30 / mpp) & whole
        haematoxylin[band] = haematoxylin[band] * 1.8 + 0.15
        eosin[band] = eosin[band] * 1.9 + 0.2
        artefact |= band
    stain = np.asarray(section.stain, np.float32)
    density = haematoxylin[..., None] * (HAEMATOXYLIN * stain[0]).astype(np.float32) + eosin[..., None] * (
        EOSIN * stain[1]
    ).astype(np.float32)
    density = cv2.GaussianBlur(density, (0, 0), 0.35 / mpp)
    if "blur" in section.artefacts:
        soft = _patch(h, w, rng) & whole
        density = np.where(soft[..., None], cv2.GaussianBlur(density, (0, 0), 5.0 / mpp), density)
        artefact |= soft
    image = 243.0 * np.exp(-np.log(10) * density) + rng.normal(0, 1.6, (h, w, 1)).astype(np.float32)
    if "pen" in section.artefacts:
        stroke = _band(h, w, rng, 60 / mpp)
        image[stroke] = np.array([(40, 70, 160), (30, 110, 60), (35, 35, 40)][rng.integers(3)]) + 0.15 * image[stroke]
        artefact |= stroke
    kept = nuclei.drop(columns=["angle", "stain"]).reset_index(drop=True)
    return Drawn(np.clip(image, 0, 255).astype(np.uint8), tissue & ~fat, artefact, kept)


def _outline(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    """One ragged piece of tissue that leaves a rim of glass."""
    y, x = np.mgrid[:h, :w].astype(np.float32)
    radius = np.hypot((x - w / 2) / (0.44 * w), (y - h / 2) / (0.44 * h))
    return radius + 0.07 * noise_field(h, w, min(h, w) / 6, rng) < 0.95


def _regions(
    section: Section, whole: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tumour nests, lumina (inside nests) and fat (outside them)."""
    h, w, mpp = section.height, section.width, section.mpp
    field_ = noise_field(h, w, 70 / mpp, rng)
    nests = whole & (field_ > np.quantile(field_[whole], 1 - section.tumour))
    holes = noise_field(h, w, 26 / mpp, rng) - 2.0 * ~nests
    lumen = whole & (holes > np.quantile(holes[whole], 1 - section.lumen))
    pad = noise_field(h, w, 120 / mpp, rng) - 3.0 * nests
    fat = whole & ~nests & ~lumen & (pad > np.quantile(pad[whole], 1 - section.fat))
    return nests & ~lumen, lumen, fat


def _fat_walls(h: int, w: int, mpp: float, rng: np.random.Generator) -> np.ndarray:
    """Thin walls between fat cells of about 50 µm: where two nearest centres are equally far."""
    step = 50 / mpp
    centres = np.array(
        [(i, j) for i in np.arange(-step, h + step, step) for j in np.arange(-step, w + step, step)], np.float32
    )
    centres += rng.uniform(-0.35, 0.35, centres.shape).astype(np.float32) * step
    seeds = np.full((h, w), 255, np.uint8)
    inside = (centres[:, 0] >= 0) & (centres[:, 0] < h) & (centres[:, 1] >= 0) & (centres[:, 1] < w)
    seeds[centres[inside, 0].astype(int), centres[inside, 1].astype(int)] = 0
    _, label = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    edge = cv2.morphologyEx(label.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    return cv2.GaussianBlur(edge.astype(np.float32), (0, 0), 1.0 / mpp) * 2


def _place(
    section: Section, nests: np.ndarray, stroma: np.ndarray, angle: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Centres, types and shapes.

    They lie on a jittered grid thinned by region, so that some nuclei touch and few lie on one another.
    """
    mpp, mix = section.mpp, np.asarray(section.mix, float) / np.sum(section.mix)
    spacing = np.sqrt(1e6 / section.density) / mpp
    grid = np.stack(
        np.meshgrid(np.arange(0, section.height, spacing), np.arange(0, section.width, spacing), indexing="ij"), -1
    ).reshape(-1, 2)
    at = grid + rng.uniform(-0.45, 0.45, grid.shape) * spacing
    row, column = at[:, 0].astype(int), at[:, 1].astype(int)
    inside = (row >= 0) & (row < section.height) & (column >= 0) & (column < section.width)
    at, row, column = at[inside], row[inside], column[inside]
    in_nest, in_stroma = nests[row, column], stroma[row, column]
    keep = in_nest | (in_stroma & (rng.random(len(at)) < 0.4))
    at, in_nest = at[keep], in_nest[keep]
    # Neoplastic and epithelial nuclei live in nests, connective ones in stroma, the others in both.
    home = np.array([[1, 0.35, 0.02, 1, 1], [0.02, 1, 1, 0.6, 0.05]])
    shares = mix * home[(~in_nest).astype(int)]
    kind = (rng.random((len(at), 1)) > np.cumsum(shares / shares.sum(1, keepdims=True), 1)).sum(1).clip(max=4)
    table = np.array([NUCLEI[t] for t in TYPES])[kind]
    factor = np.where(kind == 0, section.size, 1.0) * np.exp(rng.standard_normal(len(at)) * table[:, 2])
    long, short = table[:, 0] * factor, table[:, 1] * factor * np.exp(rng.standard_normal(len(at)) * 0.06)
    long, short = np.maximum(long, short), np.minimum(long, short)
    return pd.DataFrame(
        {
            "x": at[:, 1],
            "y": at[:, 0],
            "type": np.array(TYPES)[kind],
            "area_um2": np.pi * long * short,
            "long_um": long,
            "short_um": short,
            # Fibroblasts lie along the fibres.
            "angle": np.where(kind == 2, angle + rng.normal(0, 0.25, len(at)), rng.uniform(0, np.pi, len(at))),
            "stain": table[:, 3] * np.exp(rng.standard_normal(len(at)) * 0.12),
        }
    )


def _draw_nuclei(
    haematoxylin: np.ndarray, eosin: np.ndarray, nuclei: pd.DataFrame, section: Section, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Add nuclei to the stain maps; chromatin is grained, the rim a little darker."""
    layer = np.zeros_like(haematoxylin)
    shift = 4  # cv2 draws at 1/16 px
    for n in nuclei.itertuples():
        centre = (round(n.x * 2**shift), round(n.y * 2**shift))
        for part, strength in ((1.0, 1.12), (0.82, 1.0)):
            axes = (
                max(1, round(part * n.long_um / section.mpp * 2**shift)),
                max(1, round(part * n.short_um / section.mpp * 2**shift)),
            )
            cv2.ellipse(
                layer, centre, axes, np.degrees(n.angle), 0, 360, float(n.stain * strength), -1, cv2.LINE_8, shift
            )
    grain = noise_field(*layer.shape, 1.2 / section.mpp, rng)
    inside = layer > 0
    layer *= np.clip(1 + 0.30 * section.grain * grain, 0.4, 1.8)
    return np.where(inside, layer, haematoxylin), np.where(inside, eosin * 0.5, eosin)


def _band(h: int, w: int, rng: np.random.Generator, thickness: float) -> np.ndarray:
    """A wavy stroke from one side to another."""
    mask = np.zeros((h, w), np.uint8)
    x = np.linspace(-0.1, 1.1, 24)
    y = rng.uniform(0.15, 0.85) + np.cumsum(rng.normal(0, 0.03, 24))
    points = np.column_stack([x * w, y * h]) if rng.random() < 0.5 else np.column_stack([y * w, x * h])
    cv2.polylines(mask, [points.astype(np.int32)], False, 1, max(2, round(thickness)))
    return mask > 0


def _patch(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    """An oval part of the slide."""
    mask = np.zeros((h, w), np.uint8)
    centre = (int(rng.uniform(0.3, 0.7) * w), int(rng.uniform(0.3, 0.7) * h))
    cv2.ellipse(mask, centre, (w // 5, h // 6), rng.uniform(0, 180), 0, 360, 1, -1)
    return mask > 0
