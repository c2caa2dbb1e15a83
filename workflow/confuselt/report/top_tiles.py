"""Tiles that an arm looks at most and least, as pictures, and its attention on a few slides."""

import base64
import logging
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from confuselt.evaluate.attention import Looked, attention, parts
from confuselt.evaluate.schema import ATTENTION, TILES
from confuselt.progress import progress
from confuselt.slides.slide import Slide, Wanted
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)

SHOWN = 8  # tiles at either end
OF_SLIDE = 2  # at most, so that no slide fills a row
SIDE = 120  # pixels of a picture
WHOLE = 4  # slides whose attention is kept: those where it varies most


def choose_tiles(found: Looked) -> pd.DataFrame:
    """The tiles at both ends of attention.

    Parameters
    ----------
    found : dict
        Of one part, as `attention` returns it.

    Returns
    -------
    DataFrame
        ``slide_id, x, y, times`` (of what a mean would give) and ``rank``: 1 is looked at most, -1 least. A tile is at
        one end alone, and a slide has `OF_SLIDE` tiles at most at either.
    """
    rows = pd.concat(
        [
            pd.DataFrame({"slide_id": slide, "x": coords[:, 0], "y": coords[:, 1], "times": weights})
            for slide, (coords, weights) in found.items()
            if len(coords) > 1  # alone, a tile gets all attention
        ]
        or [pd.DataFrame(columns=["slide_id", "x", "y", "times"])],
        ignore_index=True,
    )
    ordered = rows.sort_values("times", ascending=False, kind="stable")
    half = len(rows) // 2
    most, least = (
        part.groupby("slide_id").head(OF_SLIDE).head(SHOWN) for part in (ordered[:half], ordered[half:][::-1])
    )
    ends = [most.assign(rank=np.arange(1, len(most) + 1)), least.assign(rank=-np.arange(1, len(least) + 1))]
    return pd.concat(ends, ignore_index=True)


def looked_at(models: list[dict], store: Path, patients: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tiles at both ends of every arm and part of its model, for the first fold; attention on a few slides.

    Parameters
    ----------
    models : list of dict
        Checkpoints of arms with a WSI tower.
    store : Path
    patients : list of str
        Test patients of the first fold.

    Returns
    -------
    tiles : DataFrame
        Columns of ``evaluate/tiles`` without pictures.
    attention : DataFrame
        Columns of ``evaluate/attention``: of `WHOLE` slides, under the first part of every arm.
    """
    whole = [pd.DataFrame(columns=list(ATTENTION.columns))]
    chosen = [pd.DataFrame(columns=[c for c in TILES.columns if c != "jpeg"])]
    for model in progress(models, "arms"):
        learned = parts(model, 0)
        for part, found in attention(model, 0, store, patients, learned).items():
            if part == learned[0]:
                whole += [rows.assign(arm=model["arm"], part=part) for rows in most_varied(found)]
            chosen.append(choose_tiles(found).assign(arm=model["arm"], part=part))
    tables = [pd.concat([t for t in some if len(t)] or some, ignore_index=True) for some in (chosen, whole)]
    return tables[0], tables[1]


def most_varied(found: Looked) -> list[pd.DataFrame]:
    """``slide_id, x, y, times`` of the slides whose attention varies most."""
    several = [slide for slide, (coords, _) in found.items() if len(coords) > 1]
    kept = sorted(several, key=lambda slide: -float(np.std(found[slide][1])))[:WHOLE]
    return [
        pd.DataFrame(
            {"slide_id": slide, "x": found[slide][0][:, 0], "y": found[slide][0][:, 1], "times": found[slide][1]}
        )
        for slide in kept
    ]


def with_pictures(table: pd.DataFrame, slides: dict[str, dict], data: Path) -> pd.DataFrame:
    """Columns of ``evaluate/tiles``; a tile whose slide is not there any more, or cannot be read, is left out.

    Parameters
    ----------
    table : DataFrame
        As `looked_at` returns it.
    slides : dict of str to dict
        By slide ``file``, ``reader``, ``mpp_given`` and ``tile_px``.
    data : Path
        Where the paths of slides start.
    """
    drawn = {}
    for slide, rows in progress(list(table.groupby("slide_id")), "slides"):
        try:
            drawn |= _pictures(slide, rows, slides[slide], data)
        except Unusable as reason:
            log.warning("slide %s is not shown: %s", slide, reason)
    places = list(zip(table["slide_id"], table["x"], table["y"], strict=True))
    whole = table.assign(jpeg=[drawn.get(place) for place in places])
    return whole[whole["jpeg"].notna()].reset_index(drop=True)


def _pictures(slide: str, rows: pd.DataFrame, row: dict, data: Path) -> dict[tuple[str, int, int], str]:
    coords = rows[["x", "y"]].drop_duplicates().to_numpy(int)
    opened = Slide(data / row["file"], row["mpp_given"], row["reader"])
    found = {}
    for at, pixels in opened.tiles(coords, Wanted(int(row["tile_px"]), SIDE)):
        for number, tile in zip(at, pixels, strict=True):
            jpeg = cv2.imencode(".jpg", cv2.cvtColor(tile, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
            x, y = (int(v) for v in coords[number])
            found[slide, x, y] = base64.b64encode(jpeg).decode()
    return found
