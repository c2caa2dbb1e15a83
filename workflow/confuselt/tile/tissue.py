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
# Filler: what a scanner writes, or OpenSlide's alpha becomes, where nothing was scanned. JPEG blurs its edge, little of
# its inside.
WHITE, BLACK = (247, 253), (24, 8)
STRAIGHT_PX, STRAIGHT_SHARE = 13, 0.6  # odd: an opening with an even kernel is shifted
STAIN = 0.9  # green over the mean of red and blue; glass lies above, whatever its cast


def find_filler(image: np.ndarray) -> np.ndarray:
    """Where the slide has no pixels, (h, w) bool: white or black areas with straight edges along the picture's axes.

    Glass that is as white (overexposed) ends at tissue, which has no straight edges.
    """
    filler = np.zeros(image.shape[:2], bool)
    darkest, brightest = image.min(2), image.max(2)
    for near, exact in ((darkest >= WHITE[0], darkest >= WHITE[1]), (brightest <= BLACK[0], brightest <= BLACK[1])):
        area = cv2.morphologyEx(near.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
        count, label = cv2.connectedComponents(area, connectivity=4)
        pure = np.bincount(label[exact], minlength=count) >= 0.5 * np.bincount(label.ravel(), minlength=count)
        every, straight = np.zeros(count), np.zeros(count)
        for areas, labels in ((area, label), (area.T, label.T)):
            edge = (areas[:, 1:] != areas[:, :-1]).astype(np.uint8)
            owner = labels[:, 1:] + labels[:, :-1]  # the one of the two that is not 0
            run = cv2.morphologyEx(edge, cv2.MORPH_OPEN, np.ones((STRAIGHT_PX, 1), np.uint8))
            every += np.bincount(owner[edge > 0], minlength=count)
            straight += np.bincount(owner[run > 0], minlength=count)
        filler |= (pure & (every > 0) & (straight >= STRAIGHT_SHARE * every))[label] & (area > 0)
    # Pixels of its edge are half filler.
    return cv2.dilate(filler.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def glass_colour(image: np.ndarray, filler: np.ndarray) -> np.ndarray:
    """Colour of the slide's glass, (3,) float32.

    The 95th percentile per channel of what is no filler. Where that is stained the slide has hardly any glass: higher
    percentiles, then white filler (beside which tissue alone lies), then a neutral colour as bright as the brightest
    channel, at least 200.
    """
    shown = image[~filler]
    levels = np.percentile(shown if len(shown) else image.reshape(-1, 3), [95, 98, 99.5], axis=0)
    for red, green, blue in levels:
        if green >= STAIN * np.sqrt(red * blue):
            return np.array([red, green, blue], np.float32)
    return np.full(3, 255 if (image[filler] >= WHITE[1]).all(1).any() else max(levels[-1].max(), 200), np.float32)


def optical_density(image: np.ndarray) -> np.ndarray:
    """Optical density against the slide's own glass, (h, w, 3) float32; 0 where the slide has no pixels."""
    filler = find_filler(image)
    values = np.arange(256, dtype=np.float32)[:, None]
    density = cv2.LUT(image, np.maximum(-np.log10((values + 1) / (glass_colour(image, filler) + 1)), 0)[None])
    density[filler] = 0
    return density


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
    Haematoxylin and eosin absorb green most and blue little. Ink that absorbs red more than green (blue, green pens),
    or blue about as much as green (black), is none of them.
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
