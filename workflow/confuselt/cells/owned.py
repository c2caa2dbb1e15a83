"""Which nuclei lie in which tiles."""

import numpy as np

SOME = 4_096  # tiles at a time


def owned(at: np.ndarray, corners: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a tile and a nucleus whose centre it holds, tile after tile.

    A centre on the border belongs to the tile to the right of it and below. Nuclei are sorted into squares of a tile's
    size once, of which a tile covers four: time is linear in nuclei and tiles, and tiles may overlap.

    Parameters
    ----------
    at : (m, 2) float
        Centres of nuclei.
    corners : (n, 2) float
        Left and top of tiles, in the same unit.
    side : float
        Of a tile.

    Returns
    -------
    tile, nucleus : (pairs,) int64
    """
    if not len(at) or not len(corners):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    origin = np.minimum(at.min(0), corners.min(0))
    square, first = (np.floor((places - origin) / side).astype(np.int64) for places in (at, corners))
    wide = max(square[:, 1].max(), first[:, 1].max()) + 2
    order = np.argsort(square[:, 0] * wide + square[:, 1], kind="stable")
    keys = (square[:, 0] * wide + square[:, 1])[order]
    covered = (first[:, 0] * wide + first[:, 1])[:, None] + np.array([0, 1, wide, wide + 1])
    found = []
    for begin in range(0, len(corners), SOME):
        wanted = covered[begin : begin + SOME]
        start, stop = (np.searchsorted(keys, wanted.ravel(), end) for end in ("left", "right"))
        length = stop - start
        tile = np.repeat(np.arange(begin, begin + len(wanted)), length.reshape(-1, 4).sum(1))
        nucleus = order[np.arange(length.sum()) + np.repeat(start - np.cumsum(length) + length, length)]
        offset = at[nucleus] - corners[tile]
        inside = ((offset >= 0) & (offset < side)).all(1)
        found.append((tile[inside], nucleus[inside]))
    tiles, nuclei = zip(*found, strict=True)
    return np.concatenate(tiles), np.concatenate(nuclei)
