"""Sizes and shapes of nuclei from their outlines, all at once."""

import numpy as np
import pandas as pd
import shapely

from confuselt.unusable import Unusable

SOME = 20_000  # outlines
MOST_LOST = 0.1  # of the nuclei of a file
MOST_PARTS = 8  # of a nucleus: more are nuclei of a type, or a tissue


class Outlines:
    """Closed outlines of nuclei, one after the other.

    Parameters
    ----------
    points : (v, 2) float
        Corners, in order; the last need not repeat the first.
    starts : (n + 1,) int
        Where each outline begins.
    """

    def __init__(self, points: np.ndarray, starts: np.ndarray) -> None:
        self.points, self.starts = np.asarray(points, float).reshape(-1, 2), np.asarray(starts, np.int64)

    @property
    def whole(self) -> np.ndarray:
        """Which have three corners or more, all of them numbers, and an area around their centroid, (n,) bool.

        Where an outline crosses itself and its parts cancel each other, the centroid flies off.
        """
        corners = np.diff(self.starts)
        known = np.isfinite(self.points).all(1)
        found = (corners >= 3) & (self._sums(known.astype(float)) == corners)
        if found.any():
            some = self.take(found)
            area, *centre = some._moments()[:3]
            low, high = (f.reduceat(some.points, some.starts[:-1]) for f in (np.minimum, np.maximum))
            centre, slack = np.stack(centre, 1), 1e-6
            found[found] = (area != 0) & ((centre >= low - slack) & (centre <= high + slack)).all(1)
        return found

    def some(self, first: int, last: int) -> "Outlines":
        """Those from one to before another."""
        starts = self.starts[first : last + 1]
        return Outlines(self.points[starts[0] : starts[-1]], starts - starts[0])

    def take(self, which: np.ndarray) -> "Outlines":
        """Some of them, by (n,) bool."""
        length = np.diff(self.starts)
        return Outlines(self.points[np.repeat(which, length)], np.concatenate([[0], np.cumsum(length[which])]))

    def measures(self, mpp: float) -> pd.DataFrame:
        """A row per outline; all must be `whole`.

        Axes are those of the ellipse with the same second moments, as scikit-image has them.

        Parameters
        ----------
        mpp : float
            µm per unit of the corners.

        Returns
        -------
        DataFrame
            ``x, y`` (centroid), ``area_um2, long_um, short_um, solidity, perimeter_um``.
        """
        area, x, y, xx, yy, xy = self._moments()
        middle, apart = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
        owner = np.repeat(np.arange(len(area)), np.diff(self.starts))
        rings = shapely.linearrings(self.points, indices=owner)
        hull, around = shapely.area(shapely.convex_hull(rings)), shapely.length(rings)
        return pd.DataFrame(
            {
                "x": x,
                "y": y,
                "area_um2": np.abs(area) * mpp**2,
                "long_um": 4 * np.sqrt(middle + apart) * mpp,
                "short_um": 4 * np.sqrt(np.maximum(middle - apart, 0)) * mpp,
                "solidity": np.minimum(np.abs(area) / hull, 1.0),
                "perimeter_um": around * mpp,
            }
        )

    def _moments(self) -> tuple[np.ndarray, ...]:
        """Signed area, centroid and central second moments of each, (n,), by Green's theorem."""
        length = np.diff(self.starts)
        origin = np.repeat(self.points[self.starts[:-1]], length, 0)  # near 0, where sums of squares are exact
        here = self.points - origin
        following = np.arange(1, len(here) + 1)
        following[self.starts[1:] - 1] = self.starts[:-1]
        (x0, y0), (x1, y1) = here.T, here[following].T
        cross = x0 * y1 - x1 * y0
        area = self._sums(cross) / 2
        safe = np.where(area == 0, 1, area)
        x, y = (self._sums((a + b) * cross) / (6 * safe) for a, b in ((x0, x1), (y0, y1)))
        xx, yy = (self._sums((a * a + a * b + b * b) * cross) / (12 * safe) for a, b in ((x0, x1), (y0, y1)))
        xy = self._sums((x0 * y1 + 2 * x0 * y0 + 2 * x1 * y1 + x1 * y0) * cross) / (24 * safe)
        first = self.points[self.starts[:-1]]
        return area, x + first[:, 0], y + first[:, 1], xx - x * x, yy - y * y, xy - x * y

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Sum over the corners of each outline, (n,)."""
        # An empty one would take the value that follows it.
        empty = np.diff(self.starts) == 0
        return np.where(empty, 0.0, np.add.reduceat(np.append(values, 0.0), self.starts[:-1]))


def measured(
    outlines: Outlines, types: list | np.ndarray, probability: list | np.ndarray, mpp: float, where: str
) -> pd.DataFrame:
    """A row per nucleus; of an outline that is none ``x`` and ``y`` are NaN.

    Raises
    ------
    Unusable
        Some are points, others outlines, and neither are few.
    """
    count = len(outlines.starts) - 1
    if not count:
        return pd.DataFrame({"x": [], "y": [], "type": pd.Series(dtype=object), "probability": []})
    corners = np.diff(outlines.starts)
    points, drawn = corners == 1, corners > 1
    if min(points.sum(), drawn.sum()) > MOST_LOST * count:
        raise Unusable(f"{where}: {int(points.sum())} nuclei are points, {int(drawn.sum())} outlines; one kind each")
    if points.sum() > drawn.sum():
        table = pd.DataFrame(outlines.take(points).points, columns=["x", "y"], index=np.flatnonzero(points))
    else:
        table = pd.concat(
            # A shape in memory is much larger than its corners.
            [_measured(outlines.some(first, min(first + SOME, count)), first, mpp) for first in range(0, count, SOME)]
        )
    return table.reindex(range(count)).assign(
        type=pd.Series(types, dtype=object), probability=np.array(probability, float)
    )


def _measured(outlines: Outlines, first: int, mpp: float) -> pd.DataFrame:
    """Measures of those that are whole, by their number; the first of them is `first`."""
    whole = outlines.whole
    return outlines.take(whole).measures(mpp).set_index(first + np.flatnonzero(whole))
