"""Ink on a slide.

Ink is smooth where tissue has texture, and of a colour that the slide's own stain does not have, or as dense as its
dark parts. Which colours the stain has is measured on the slide; the brown of DAB or of melanin is textured.
"""

import cv2
import numpy as np

from confuselt.tile.stain import Seen, Stain, is_flat

# Red over green, and blue over green, of what may be stain: those of any H&E (in blue, of any DAB). Blue inks lie above
# in red, black and green ones in blue, red ones under in red.
LEAST_RED, MOST_RED, MOST_BLUE = 0.15, 1.1, {"H&E": 0.75, "blue": 0.75, "brown": 2.2}
# Scanners and dyes differ: limits are these factors wider than the middle half of the slide's own, if that is more.
WIDER = (0.7, 1.25)
# Ink of the stain's own colour (purple) has at least this share of the stain's level, and is smooth over more than a
# nucleus: tissue out of focus by 5 µm is smooth over 20 µm, over this in 0 to 3 % (by 10 µm, in a quarter at most).
DENSE, WIDE_UM = 0.8, 40.0
GAP_UM = 60.0  # a lumen
# A foreign colour is evidence in itself: twice the texture is allowed, which ink that covers tissue keeps of it.
COVERING = 2.0


def find_pen(seen: Seen, chosen: np.ndarray, stain: Stain, under: float, least: float, speck: float) -> np.ndarray:
    """Where ink is, (h, w) bool, at the resolution of `seen`.

    Parameters
    ----------
    seen : Seen
    chosen : (n,) int64
        Where tissue is stained, as flat indices: some pixels of it, ink over tissue among them.
    stain : Stain
    under : float
        Texture under which the slide is flat.
    least : float
        Density of tissue.
    speck : float
        Area of the smallest piece of ink, µm².
    """
    local, texture = seen.window
    there = np.flatnonzero(local > least)
    colours, denser = _ratios(seen, there), local / stain.level
    limits, ink = (LEAST_RED, MOST_RED, MOST_BLUE[stain.kind]), np.zeros(local.shape, bool)
    # Twice: the slide's own colours are those of what is not yet ink.
    for covering in (1.0, COVERING):
        foreign = np.zeros(local.shape, bool)
        foreign.ravel()[there] = _is_foreign(*colours, limits)
        ink = _pieces(foreign & is_flat(texture, covering * under, denser), seen.mpp, speck)
        if ink.any():
            # To its edge, and where it is transparent and lies on tissue, whose texture it leaves: its colour goes on.
            _, label = cv2.connectedComponents((foreign | ink).view(np.uint8), connectivity=8)
            ink = np.isin(label, np.unique(label[ink]))
        limits = _widened(limits, *_ratios(seen, chosen[~ink.ravel()[chosen]]))
    local, texture = seen.around(WIDE_UM)
    denser = local / stain.level
    dense = _pieces((denser > DENSE) & is_flat(texture, under, denser), seen.mpp, speck)
    return _with_rim(ink, seen.mpp, seen.mpp) | _with_rim(dense, WIDE_UM / 2, seen.mpp)


def _ratios(seen: Seen, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Red over green and blue over green, (n,) float32."""
    red, green, blue = (channel.ravel()[at] for channel in seen.density)
    green = np.maximum(green, 1e-3)
    return red / green, blue / green


def _is_foreign(red: np.ndarray, blue: np.ndarray, limits: tuple[float, float, float]) -> np.ndarray:
    return (red < limits[0]) | (red > limits[1]) | (blue > limits[2])


def _widened(limits: tuple[float, float, float], red: np.ndarray, blue: np.ndarray) -> tuple[float, float, float]:
    """Limits that hold the stain's own colours; (n,) ratios of stained tissue."""
    if not len(red):
        return limits
    low, high = np.percentile(red, [25, 75])
    most_blue = np.percentile(blue, 75)
    return min(limits[0], WIDER[0] * low), max(limits[1], WIDER[1] * high), max(limits[2], WIDER[1] * most_blue)


def _pieces(mask: np.ndarray, mpp: float, speck: float) -> np.ndarray:
    """Pieces of ink as windows leave them, (h, w) bool."""
    # What is two pixels wide is tissue, flat by chance.
    core = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).view(bool)
    # The window takes half its side from each edge: of the smallest square piece a quarter or less is left.
    return only_larger(core, 0.25 * speck / mpp**2) if core.any() else core


def _with_rim(ink: np.ndarray, rim_um: float, mpp: float) -> np.ndarray:
    side = 2 * int(np.ceil(rim_um / mpp)) + 1
    return cv2.dilate(ink.view(np.uint8), np.ones((side, side), np.uint8)).view(bool)


def only_larger(mask: np.ndarray, least: float) -> np.ndarray:
    """Connected parts of at least `least` pixels, (h, w) bool."""
    count, label = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    keep = np.bincount(label.ravel(), minlength=count) >= least
    keep[0] = False
    return keep.take(label)


def under_pen(tissue: np.ndarray, pen: np.ndarray, mpp: float) -> np.ndarray:
    """Where tissue is taken to lie under the pen, (h, w) bool: what lies nearest beside the ink is tissue.

    So ink on bare glass hides nothing, and a stroke across tissue hides as much as it is wide. Gaps in the tissue do
    not count, since one that meets the ink would stand for all that lies behind it.
    """
    if not pen.any() or pen.all():
        return np.zeros(pen.shape, bool)
    side = 2 * round(GAP_UM / mpp / 2) + 1
    # Ink has a rim that is neither ink nor tissue.
    wide = cv2.dilate(pen.view(np.uint8), np.ones((5, 5), np.uint8))
    closed = cv2.morphologyEx(tissue.view(np.uint8), cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    _, label = cv2.distanceTransformWithLabels(wide, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    beside = np.zeros(int(label.max()) + 1, bool)
    beside[label[wide == 0]] = closed[wide == 0] > 0
    return beside[label] & pen
