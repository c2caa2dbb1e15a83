"""Tissue and pen on a slide seen at low power, and how strongly and with what the slide is stained.

Fixed rules on optical density against the slide's own glass, as shares of the slide's own stain: half as much dye, or a
brighter lamp, gives the same tissue. A threshold fitted per slide (Otsu) moves with the share of tissue, and calls
glass tissue where there is hardly any.
"""

import cv2
import numpy as np

from confuselt.tile.pen import find_pen, only_larger
from confuselt.tile.stain import Seen, Stain, flat_under, measure

MPP = 4.0  # µm per pixel of the mask
# Mean optical density. On two real scans 99 % of the glass lies under 0.007, and what lies above 0.02 is dust.
LEAST_DENSITY = 0.02
MOST_DENSITY = 0.06  # noisy glass never asks for more
SCATTER = 4.0  # SD of glass
SAMPLE = 10_000  # pixels are enough for a percentile
BAND = 32  # rows of half the picture
# Of the level, to count as tissue. On drawn slides the IoU is .95 or more from .2 to .3; pale stroma has .5.
TISSUE_SHARE = 0.25
HOLE_UM2, SPECK_UM2 = 500.0, 5_000.0  # a fat cell has 2,000, and is none of the tissue
# Filler: what a scanner writes, or OpenSlide's alpha becomes, where nothing was scanned. JPEG blurs its edge, little of
# its inside.
WHITE, BLACK = (247, 253), (24, 8)
STRAIGHT_PX, STRAIGHT_SHARE = 13, 0.6  # odd: an opening with an even kernel is shifted
GREEN = 0.9  # green over the mean of red and blue; glass lies above, whatever its cast


def find_filler(image: np.ndarray) -> np.ndarray:
    """Where the slide has no pixels, (h, w) bool: white or black areas with straight edges along the picture's axes.

    Glass that is as white (overexposed) ends at tissue, which has no straight edges.
    """
    channels = cv2.split(image)
    darkest = cv2.min(cv2.min(channels[0], channels[1]), channels[2])
    brightest = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    filler = _straight(cv2.inRange(darkest, WHITE[0], 255), cv2.inRange(darkest, WHITE[1], 255))
    filler |= _straight(cv2.inRange(brightest, 0, BLACK[0]), cv2.inRange(brightest, 0, BLACK[1]))
    # Pixels of its edge are half filler.
    return cv2.dilate(filler, np.ones((5, 5), np.uint8)).view(bool) if filler.any() else filler.view(bool)


def _straight(near: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Parts of `near` that are `exact` for the most part and have straight edges, (h, w) uint8 of 0 and 1."""
    if not cv2.countNonZero(exact):
        return np.zeros(near.shape, np.uint8)
    area = cv2.morphologyEx(near, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    if not area.any():
        return area
    count, label = cv2.connectedComponents(area, connectivity=4)
    every, straight = np.zeros(count), np.zeros(count)
    for areas, labels in ((area, label), (area.T, label.T)):
        edge = cv2.absdiff(areas[:, 1:], areas[:, :-1])
        if not edge.any():
            continue
        run = cv2.morphologyEx(edge, cv2.MORPH_OPEN, np.ones((STRAIGHT_PX, 1), np.uint8))
        column, row = cv2.findNonZero(edge)[:, 0].T
        owner = labels[row, column + 1] + labels[row, column]  # the one of the two that is not 0
        every += np.bincount(owner, minlength=count)
        straight += np.bincount(owner, run[row, column] > 0, minlength=count)
    found = np.zeros(area.shape, np.uint8)
    for i in np.flatnonzero((every > 0) & (straight >= STRAIGHT_SHARE * every)):
        part = label == i
        if np.count_nonzero(exact[part]) >= 0.5 * np.count_nonzero(part):
            found |= part.view(np.uint8)
    return found


def glass_colour(image: np.ndarray, filler: np.ndarray) -> np.ndarray:
    """Colour of the slide's glass, (3,) float32.

    The 95th percentile per channel of what is no filler. Where that is stained the slide has hardly any glass: higher
    percentiles, then white filler (beside which tissue alone lies), then a neutral colour as bright as the brightest
    channel, at least 200.
    """
    some, shown = np.ascontiguousarray(image[::3, ::3]), (~filler[::3, ::3]).astype(np.uint8)
    if not shown.any():
        shown[:] = 1
    counts = [np.cumsum(cv2.calcHist([some], [c], shown, [256], [0, 256])) for c in range(3)]
    for percentile in (95, 98, 99.5):
        red, green, blue = (float(np.searchsorted(c, percentile / 100 * c[-1])) for c in counts)
        if green >= GREEN * np.sqrt(red * blue):
            return np.array([red, green, blue], np.float32)
    white = (image[filler] >= WHITE[1]).all(1).any()
    return np.full(3, 255 if white else max(red, green, blue, 200), np.float32)


def see(image: np.ndarray, glass: np.ndarray, mpp: float) -> Seen:
    """Optical densities of a picture, (2 h, 2 w, 3) uint8, against the glass; under 0 where brighter than it."""
    height, width = (side // 2 for side in image.shape[:2])
    tables = [np.log10((level + 1) / (np.arange(256) + 1)).astype(np.float32) for level in glass]
    fine = np.empty(image.shape[:2], np.float32)
    red, green, blue, mean, square = halves = [np.empty((height, width), np.float32) for _ in range(5)]
    # Band by band: what is between the picture and the results stays in the processor's cache.
    for top in range(0, height, BAND):
        rows, both = slice(top, top + BAND), slice(2 * top, 2 * (top + BAND))
        band = fine[both]
        parts = [cv2.LUT(channel, table) for channel, table in zip(cv2.split(image[both]), tables, strict=True)]
        cv2.addWeighted(cv2.add(parts[0], parts[1]), 1 / 3, parts[2], 1 / 3, 0, dst=band)
        small = cv2.split(cv2.resize(image[both], (width, len(band) // 2), interpolation=cv2.INTER_AREA))
        for channel, table, half in zip(small, tables, halves, strict=False):
            cv2.LUT(channel, table, dst=half[rows])
        for whole, half in ((band, mean), (cv2.multiply(band, band), square)):
            cv2.resize(whole, (width, len(band) // 2), dst=half[rows], interpolation=cv2.INTER_AREA)
    return Seen([red, green, blue], fine, mean, square, 2 * mpp)


def look(image: np.ndarray, mpp: float) -> tuple[np.ndarray, np.ndarray, Stain]:
    """Tissue, pen and stain.

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
    stain : Stain

    Notes
    -----
    A slide without colour has no pen: nothing but smoothness would tell, and dense tissue out of focus is as smooth.
    """
    height, width = image.shape[:2]
    # Halves are means of four pixels each, which costs a tenth where none is left over.
    image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    filler = find_filler(image)
    glass = glass_colour(image, filler)
    if filler.any():
        image = cv2.copyTo(np.full_like(image, np.round(glass)), filler.view(np.uint8), image.copy())
    seen = see(image, glass, mpp)
    least = _above_glass(seen.mean[::2, ::2], filler[::4, ::4])
    chosen, under = _stained(seen, least)
    pen = np.zeros(seen.mean.shape, bool)
    if not len(chosen):
        return *(np.zeros((height, width), bool) for _ in range(2)), Stain(glass, 0.0, "none")
    stained = [channel.ravel()[chosen] for channel in seen.density]
    stain = measure(stained, glass)
    if stain.kind != "grey":
        pen = find_pen(seen, chosen, stain, under, max(least, TISSUE_SHARE * stain.level), SPECK_UM2)
        clean = ~pen.ravel()[chosen]
        if 0 < clean.sum() < len(clean):  # ink over tissue has counted as stain
            stain = measure([channel[clean] for channel in stained], glass)
    least = max(least, TISSUE_SHARE * stain.level)
    tissue, pen = (m[:height, :width] for m in _to_size(seen, pen, least))
    return tissue, pen, stain


def _to_size(seen: Seen, pen: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Tissue and pen at the size of the picture, (h, w) bool, small holes filled and specks left out.

    What those are is decided at half the size; the outline of tissue follows the density at the whole.
    """
    kept = ~only_larger((seen.mean <= least) | pen, HOLE_UM2 / seen.mpp**2)
    kept = only_larger(kept & ~pen, SPECK_UM2 / seen.mpp**2).view(np.uint8)
    inside, near = (f(kept, np.ones((3, 3), np.uint8)) for f in (cv2.erode, cv2.dilate))
    # 0 no tissue, 1 tissue where the density says so, 2 tissue, 3 pen.
    areas = near + inside
    areas[pen] = 3
    areas = cv2.resize(areas, seen.fine.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return (areas == 2) | ((areas == 1) & (seen.fine > least)), areas == 3


def _above_glass(mean: np.ndarray, filler: np.ndarray) -> float:
    """Density that the slide's glass does not reach by its noise.

    Its most frequent density and `SCATTER` times its SD, from what is brighter than that: the darker side has tissue.
    """
    glass = mean[(np.abs(mean) < MOST_DENSITY) & ~filler]
    if len(glass) < 100:
        return LEAST_DENSITY
    counts, edges = np.histogram(glass, bins=60, range=(-MOST_DENSITY, MOST_DENSITY))
    low, high = edges[counts.argmax() : counts.argmax() + 2]
    most = np.median(glass[(glass >= low) & (glass <= high)])
    below = glass[glass <= most] - most
    return float(np.clip(most + SCATTER * np.sqrt((below**2).mean()), LEAST_DENSITY, MOST_DENSITY))


def _stained(seen: Seen, least: float) -> tuple[np.ndarray, float]:
    """Where tissue is stained, flat indices (n,), and the texture under which this slide is flat.

    What is denser than glass and textured. What is flat, and the rim around it, is ink or out of focus; where nothing
    else is on the slide, it counts.
    """
    local, texture = seen.window
    there = local > least
    under = flat_under(texture.ravel()[_spread(there)])
    smooth = texture < under
    patches = cv2.morphologyEx((there & smooth).view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    textured = there & ~smooth & (cv2.dilate(patches, np.ones((5, 5), np.uint8)) == 0)
    return _spread(textured if textured.sum() >= SPECK_UM2 / seen.mpp**2 else there), under


def _spread(mask: np.ndarray) -> np.ndarray:
    """Flat indices of at most twice `SAMPLE` pixels of a mask, spread over all of it."""
    at = np.flatnonzero(mask)
    return at[:: max(1, len(at) // SAMPLE)]
