"""Tissue and pen on a slide seen at low power.

Fixed rules on optical density against the slide's own glass: a threshold fitted per slide (Otsu)
moves with the share of tissue, and calls glass tissue where there is hardly any.
"""

import cv2
import numpy as np

MPP = 4.0  # µm per pixel of the mask
LEAST_DENSITY = 0.06  # mean optical density of tissue; glass scatters within 0.02
PEN_DENSITY = 0.20
HOLE_UM2, SPECK_UM2 = 2_000.0, 5_000.0


def optical_density(image: np.ndarray) -> np.ndarray:
    """Optical density against the slide's own glass, (h, w, 3) float32.

    Glass is the 95th percentile per channel, at least 200: a slide without glass keeps a sane reference.
    """
    glass = np.maximum(np.percentile(image.reshape(-1, 3), 95, axis=0), 200).astype(np.float32)
    values = np.arange(256, dtype=np.float32)[:, None]
    return cv2.LUT(image, np.maximum(-np.log10((values + 1) / (glass + 1)), 0)[None])


def find_tissue(image: np.ndarray, mpp: float) -> tuple[np.ndarray, np.ndarray]:
    """Tissue and pen.

    Parameters
    ----------
    image : (h, w, 3) uint8
        RGB at low power.
    mpp : float
        Its µm per pixel.

    Returns
    -------
    tissue, pen : (h, w) bool
        Tissue without pen; small holes filled, specks left out.

    Notes
    -----
    Haematoxylin and eosin absorb green most and blue little. Ink that absorbs red more than green (blue, green pens), or
    blue about as much as green (black), is none of them.
    """
    density = cv2.GaussianBlur(optical_density(image), (0, 0), max(0.3, 4.0 / mpp))
    red, green, blue = (density[..., c] for c in range(3))
    mean = density.mean(2)
    pen = (mean > PEN_DENSITY) & ((red > 1.1 * green) | (blue > 0.8 * green))
    pen = cv2.dilate(_only_larger(pen, SPECK_UM2 / mpp**2).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    tissue = (mean > LEAST_DENSITY) & ~pen
    tissue = ~_only_larger(~tissue, HOLE_UM2 / mpp**2)
    return _only_larger(tissue & ~pen, SPECK_UM2 / mpp**2), pen


def _only_larger(mask: np.ndarray, least: float) -> np.ndarray:
    """Connected parts of at least `least` pixels."""
    _, label, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = facts[:, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    return keep[label]
