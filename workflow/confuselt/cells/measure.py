"""Size and shape of all nuclei of a picture at once, as scikit-image measures them one by one."""

import cv2
import numpy as np
import pandas as pd

# Weight of a border pixel by its border neighbours (Benkrid & Crookes), as in skimage.measure.perimeter.
_WEIGHT = np.zeros(50)
_WEIGHT[[5, 7, 15, 17, 25, 27]] = 1
_WEIGHT[[21, 33]] = np.sqrt(2)
_WEIGHT[[13, 23]] = (1 + np.sqrt(2)) / 2


def measure(label: np.ndarray, stain: np.ndarray) -> pd.DataFrame:
    """A row per nucleus, in pixels.

    Parameters
    ----------
    label : (h, w) int32
        0 for none, then every number up to the largest or some of them.
    stain : (h, w) float32

    Returns
    -------
    DataFrame
        ``label, x, y, area, long, short, solidity, perimeter, stain, stain_sd``, by label; definitions of
        `skimage.measure.regionprops`.
    """
    row, column = np.nonzero(label)
    own = label[row, column]
    most = int(label.max()) + 1
    area = np.bincount(own, minlength=most).astype(float)
    known = np.flatnonzero(area)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(own, values, most) / np.maximum(area, 1)

    x, y = mean(column), mean(row)
    dx, dy = column - x[own], row - y[own]
    xx, yy, xy = mean(dx * dx), mean(dy * dy), mean(dx * dy)
    dark = stain[row, column].astype(float)
    mean_dark = mean(dark)
    middle, apart = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    return pd.DataFrame(
        {
            "label": known,
            "x": x[known],
            "y": y[known],
            "area": area[known],
            "long": 4 * np.sqrt(middle + apart)[known],
            "short": 4 * np.sqrt(np.maximum(middle - apart, 0))[known],
            "solidity": area[known] / _hull_areas(row, column, own, known),
            "perimeter": _perimeters(label, most)[known],
            "stain": mean_dark[known],
            "stain_sd": np.sqrt(mean((dark - mean_dark[own]) ** 2))[known],
        }
    )


def in_um(found: pd.DataFrame, mpp: float) -> pd.DataFrame:
    """What `measure` has found, with sizes in µm as `NUCLEI` names them; places stay pixels, rows their order."""
    return pd.DataFrame(
        {
            "x": found["x"],
            "y": found["y"],
            "area_um2": found["area"] * mpp**2,
            "long_um": found["long"] * mpp,
            "short_um": np.maximum(found["short"] * mpp, mpp),
            "solidity": found["solidity"],
            "perimeter_um": found["perimeter"] * mpp,
            "stain": found["stain"],
            "stain_sd": found["stain_sd"],
        }
    )


def _hull_areas(row: np.ndarray, column: np.ndarray, own: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Pixels whose middle lies in the convex hull of a nucleus, (nuclei,); the hull is that of its pixels' sides."""
    if not len(own):
        return np.zeros(0)
    order = np.lexsort((column, row, own))
    row, column, own = row[order], column[order], own[order]
    begins = np.flatnonzero(np.append(True, (np.diff(own) != 0) | (np.diff(row) != 0)))
    ends = np.append(begins[1:], len(own)) - 1
    # Of each row of a nucleus its first and last pixel, in half pixels, so that sides are whole numbers.
    left, right, at, owner = 2 * column[begins], 2 * column[ends], 2 * row[begins], own[begins]
    points = [(left - 1, at), (right + 1, at), *((x, at + dy) for x in (left, right) for dy in (-1, 1))]
    corners = np.stack([np.stack(p, 1) for p in points], 1).astype(np.int32)
    first = np.searchsorted(owner, known)
    last = np.append(first[1:], len(owner))
    return np.array([_inside(corners[a:b].reshape(-1, 2)) for a, b in zip(first, last, strict=True)], float)


def _inside(corners: np.ndarray) -> int:
    """Even points on even rows in the hull of some corners, its border included."""
    hull = cv2.convexHull(corners)[:, 0].astype(float)
    ends = sorted((int(hull[:, 1].argmin()), int(hull[:, 1].argmax())))
    rows = np.arange(hull[ends, 1].min() + 1, hull[ends, 1].max(), 2)
    # Down one side of it, and down the other.
    chains = hull[ends[0] : ends[1] + 1], np.concatenate([hull[ends[1] :], hull[: ends[0] + 1]])
    sides = []
    for chain in chains:
        x, y = (chain if chain[0, 1] < chain[-1, 1] else chain[::-1]).T
        sides.append(np.interp(rows, y, x) / 2)
    left, right = np.minimum(*sides), np.maximum(*sides)
    return int((np.floor(right + 1e-9) - np.ceil(left - 1e-9) + 1).sum())


def _perimeters(label: np.ndarray, most: int) -> np.ndarray:
    """Length of each nucleus' border, (most,), as skimage.measure.perimeter has it."""
    padded = np.pad(label, 2).ravel()
    wide = label.shape[1] + 4
    inside = np.flatnonzero(padded)
    own = padded[inside]
    straight = (-wide, -1, 1, wide)
    edge = np.zeros(len(padded), bool)
    edge[inside] = np.any([padded[inside + step] != own for step in straight], axis=0)
    at = np.flatnonzero(edge)
    own, code = padded[at], np.ones(len(at), np.int64)
    for step in (*straight, -wide - 1, -wide + 1, wide - 1, wide + 1):
        code += np.where(edge[at + step] & (padded[at + step] == own), 2 if step in straight else 10, 0)
    return np.bincount(own, _WEIGHT[code], most)
