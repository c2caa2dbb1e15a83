"""Bring the rows of one stream of a slide into the order of another, by the places that both state."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from confuselt.unusable import Unusable

FEWEST = 3  # places that a change of unit is believed from
# How far a place may lie off after a change of unit: of the least distance of two tiles, and no more than rounding
# explains.
NEAR = 0.25
# Of the places of the fuller stream: where a slide's file is broken, a tile may be lost for one of the two alone.
LEAST_SHARED = 0.9


@dataclass(frozen=True)
class Alignment:
    """How the rows of a stream are handed out.

    Attributes
    ----------
    order : (n,) int32 or None
        Row of the other stream for each row of this one; None: row by row, as they stand.
    factor : float
        Coordinates of the other stream are this many times those of this one (µm against pixels).
    by_number : bool
        A bag states no places, so that nothing but the row number joins the two.
    rows : (n,) int32 or None
        The rows of this stream that have one of the other, where `order` is of these alone; None: all.
    """

    order: np.ndarray | None
    factor: float = 1.0
    by_number: bool = False
    rows: np.ndarray | None = None


def align(tile: np.ndarray, cells: np.ndarray) -> Alignment:
    """Find the row of `cells` at the place of each row of `tile`.

    Real bags come column by column, row by row, or in the order in which a tool finished: the same number of rows says
    nothing about their order.

    Parameters
    ----------
    tile, cells : (n, 2), (m, 2) int32
        Top left of each instance.

    Raises
    ------
    Unusable
        The two are not the same places, whatever the unit, or places stand twice in another order.
    """
    if len(tile) != len(cells):
        if (within := _within(tile, cells)) is not None:
            return within
        raise Unusable(f"{len(cells)} rows of cells for {len(tile)} tiles; both must hold the same places")
    if np.array_equal(tile, cells):
        # Of one row there is no order to mistake.
        return Alignment(None, by_number=len(tile) > 1 and not _states_places(tile))
    if not (_states_places(tile) and _states_places(cells)):
        return Alignment(None, by_number=len(tile) > 1)
    twice = len(np.unique(tile, axis=0)) < len(tile)
    if twice:
        raise Unusable(
            "tiles stand twice at the same place, and cells in another order: which row is which cannot be told"
        )
    order, there = np.lexsort(tile.T), np.lexsort(cells.T)
    if np.array_equal(tile[order], cells[there]):
        found = np.empty(len(tile), np.int32)
        found[order] = there
        return Alignment(found)
    factor = _unit(tile, cells)
    if len(tile) >= FEWEST and factor > 0:
        distance, found = cKDTree(cells / factor).query(tile)
        rounding = 1 + 1.5 / factor  # of whole coordinates on both sides, cut or rounded
        if distance.max() <= min(rounding, NEAR * _gap(cKDTree(tile))) and len(np.unique(found)) == len(tile):
            return Alignment(found.astype(np.int32), factor)
    shift = _shift(tile[order], cells[there])
    if shift is not None:
        raise Unusable(
            f"cells lie {shift[0]:+d}, {shift[1]:+d} beside the tiles everywhere; "
            "state the same corner of a tile in both bags, if it is the same tile"
        )
    swapped = cells[:, ::-1]
    if np.array_equal(tile[order], swapped[np.lexsort(swapped.T)]):
        raise Unusable("the places of cells are those of the tiles with x and y swapped")
    shared = len({*map(tuple, tile.tolist())} & {*map(tuple, cells.tolist())})
    raise Unusable(
        f"{shared} of {len(tile)} tiles have a row of cells at their place (x, y), "
        "and no change of unit makes the others fit"
    )


def _within(tile: np.ndarray, cells: np.ndarray) -> Alignment | None:
    """Rows at the places of both, where one stream has nearly all places of the other and no further ones; else None.

    Were there others on both sides, one stream might lie a tile beside the other.
    """
    places = [set(map(tuple, c.tolist())) for c in (tile, cells)]
    both = places[0] & places[1]
    fewer, more = sorted((len(tile), len(cells)))
    if not (_states_places(tile) and _states_places(cells)) or [*map(len, places)] != [len(tile), len(cells)]:
        return None
    if fewer == more or len(both) != fewer or fewer < LEAST_SHARED * more:
        return None
    row_of = {place: row for row, place in enumerate(map(tuple, cells.tolist()))}
    rows = [row for row, place in enumerate(map(tuple, tile.tolist())) if place in both]
    order = [row_of[tuple(tile[row].tolist())] for row in rows]
    return Alignment(np.array(order, np.int32), rows=np.array(rows, np.int32))


def _states_places(coords: np.ndarray) -> bool:
    """Whether rows have places of their own; bags without coordinates hold zeros."""
    return bool(len(coords)) and (bool(coords[0].any()) if len(coords) == 1 else bool((coords != coords[0]).any()))


def _shift(tile: np.ndarray, cells: np.ndarray) -> np.ndarray | None:
    """The one offset between two sorted lists of places; None where there is none."""
    offsets = np.unique(cells - tile, axis=0)
    return offsets[0] if len(offsets) == 1 else None


def _unit(tile: np.ndarray, cells: np.ndarray) -> float:
    """The factor by which two equal sets of places differ: least squares over their sorted coordinates."""
    a, b = (np.sort(c.astype(np.float64), axis=0).ravel() for c in (tile, cells))
    return float(a @ b / (a @ a)) if (a @ a) > 0 else 0.0


def _gap(tree: cKDTree) -> float:
    """Distance of the two places that lie closest together."""
    return float(tree.query(tree.data, k=2)[0][:, 1].min())
