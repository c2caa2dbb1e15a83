"""Nuclei by stain deconvolution and watershed, classed by fixed rules of size and shape.

Nothing is fitted on the cohort, and the classes are named by shape: what a pathologist would call
them needs a trained model (HoVer-Net).
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from confuselt.cells.card import Card
from confuselt.cells.finder import Batches, Machine
from confuselt.cells.measure import in_um, measure
from confuselt.cells.processes import mapped, processes
from confuselt.cells.stain import haematoxylin

# Named by shape. The rules are tried in this order; lengths of normal breast tissue, in µm.
CLASSES = ("large", "small", "spindle", "dense", "medium")
LEAST_UM2, MOST_UM2 = 6.0, 250.0
SMALL_UM2, LARGE_UM2, DENSE_UM2 = 32.0, 58.0, 22.0
SPINDLE_RATIO = 2.2
DENSE_STAIN = 1.5  # times the median haematoxylin of the nuclei of the picture
# Haematoxylin (of skimage's HED) over the local background. On ten crops of NuCLS, centres within 3 µm: F1 .84
# (precision .91, recall .79); .020 gives .81, .035 .79.
LEAST_STAIN = 0.028
# The same as a share of the slide's own level: on the same crops F1 .83 to .84 from .25 to .35, whether each crop is
# taken for a slide or all are. Never under what noise and JPEG draw where there is no haematoxylin.
STAIN_SHARE, FAINTEST = 0.31, 0.004
LEVEL_PERCENTILE = 99


@dataclass(frozen=True)
class Nuclei:
    """Nuclei of a picture.

    Attributes
    ----------
    table : DataFrame
        ``x, y`` (px of the picture), ``type`` (of `CLASSES`), ``area_um2, long_um, short_um, solidity, perimeter_um,
        stain, stain_sd``.
    label : (h, w) int32
        Nucleus of each pixel, 0 for none, in the order of the table.
    """

    table: pd.DataFrame
    label: np.ndarray


def haematoxylin_level(tiles: list[np.ndarray], mpp: float) -> float:
    """How strongly a slide's nuclei are stained, for `find_nuclei`.

    Parameters
    ----------
    tiles : list of (h, w, 3) uint8
        Some tiles with tissue, spread over the slide; 16 are enough.
    mpp : float

    Returns
    -------
    float
        Median over the tiles of what the darkest hundredth of their pixels have: nuclei, however few there are.
    """
    return float(np.median([np.percentile(_raised(tile, mpp)[1], LEVEL_PERCENTILE) for tile in tiles]))


@dataclass(frozen=True)
class Classical:
    """See `finder.Finder`: for each slide the threshold is that of a slide as strongly stained."""

    name: str
    card: Card
    pool: ProcessPoolExecutor | None = None
    workers: int = 0
    weights: str = ""
    lost: int = 0
    step: int = 1
    odd: int = 0

    def find(self, batches: Batches, samples: list[np.ndarray], mpp: float) -> Iterator[tuple[int, pd.DataFrame]]:
        """See `finder.Finder.find`."""
        pairs = (pair for at, some in batches for pair in zip(at.tolist(), some, strict=True))
        pictures = ((number, picture.copy()) for number, picture in pairs)
        level = haematoxylin_level(samples, self.card.mpp)
        yield from mapped(partial(_table, mpp=mpp, level=level), pictures, self.pool, self.workers)


def _table(picture: np.ndarray, mpp: float, level: float) -> pd.DataFrame:
    return find_nuclei(picture, mpp, level).table


def load(name: str, card: Card, weights: Path | None, machine: Machine) -> Classical:
    """See `finder.load_finder`: there is nothing to load."""
    return Classical(name, card, processes(machine.workers), machine.workers)


def find_nuclei(image: np.ndarray, mpp: float, stain_level: float | None = None) -> Nuclei:
    """Segment nuclei.

    Parameters
    ----------
    image : (h, w, 3) uint8
        RGB, at about 0.5 µm per pixel or finer.
    mpp : float
    stain_level : float, optional
        The slide's `haematoxylin_level`, that slides stained weakly and strongly show the same nuclei. Without it the
        threshold is that of a slide of usual stain.

    Returns
    -------
    Nuclei

    Notes
    -----
    Haematoxylin by the fixed stain vectors of Ruifrok & Johnston (2001); foreground where it rises over the local
    background by a share of the slide's own level; touching nuclei are parted by a watershed on the distance transform.
    """
    stain, raised = _raised(image, mpp)
    least = LEAST_STAIN if stain_level is None else max(FAINTEST, STAIN_SHARE * stain_level)
    mask = cv2.morphologyEx((raised > least).astype(np.uint8), cv2.MORPH_OPEN, _disk(0.75 / mpp))
    mask = ndimage.binary_fill_holes(mask)
    distance = cv2.GaussianBlur(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), (0, 0), 0.5 / mpp)
    peaks = peak_local_max(
        distance, min_distance=max(2, round(1.8 / mpp)), labels=mask.astype(int), exclude_border=False
    )
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    label = watershed(-distance, seeds, mask=mask).astype(np.int32)
    return _measure(label, stain, mpp)


def _raised(image: np.ndarray, mpp: float) -> tuple[np.ndarray, np.ndarray]:
    """Haematoxylin, and how far it rises over the local background, (h, w) float32."""
    stain = cv2.GaussianBlur(haematoxylin(image), (0, 0), 0.5 / mpp)
    background = cv2.erode(
        cv2.GaussianBlur(stain, (0, 0), 3.0 / mpp), np.ones((3, 3), np.uint8), iterations=max(1, round(6.0 / mpp))
    )
    return stain, stain - cv2.GaussianBlur(background, (0, 0), 6.0 / mpp)


def _disk(radius: float) -> np.ndarray:
    size = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def _measure(label: np.ndarray, stain: np.ndarray, mpp: float) -> Nuclei:
    found = measure(label, stain)
    table = in_um(found, mpp)
    keep = table["area_um2"].between(LEAST_UM2, MOST_UM2)
    renamed = np.zeros(label.max() + 1, np.int32)
    renamed[found.loc[keep, "label"]] = np.arange(1, keep.sum() + 1)
    table = table[keep].reset_index(drop=True)
    table.insert(2, "type", classify(table))
    return Nuclei(table, renamed[label])


def classify(table: pd.DataFrame) -> np.ndarray:
    """Class of each nucleus by size, elongation and stain, (n,) str."""
    if table.empty:
        return np.array([], object)
    ratio, area = table["long_um"] / table["short_um"], table["area_um2"]
    dense = (area < DENSE_UM2) & (table["stain"] > DENSE_STAIN * table["stain"].median())
    rules = [dense, ratio > SPINDLE_RATIO, area >= LARGE_UM2, area < SMALL_UM2]
    return np.select(rules, ["dense", "spindle", "large", "small"], "medium").astype(object)


def outlined(image: np.ndarray, nuclei: Nuclei) -> np.ndarray:
    """The picture with nuclei outlined by class, RGB uint8."""
    colours = {
        "large": (220, 40, 40),
        "small": (30, 90, 220),
        "spindle": (20, 150, 60),
        "dense": (0, 0, 0),
        "medium": (240, 160, 0),
    }
    edge = nuclei.label != cv2.erode(nuclei.label.astype(np.float32), np.ones((3, 3), np.uint8))
    picture, of = image.copy(), np.array([(0, 0, 0), *(colours[c] for c in nuclei.table["type"])], np.uint8)
    drawn = edge & (nuclei.label > 0)
    picture[drawn] = of[nuclei.label[drawn]]
    return picture
