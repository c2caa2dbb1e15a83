"""Nuclei for people to look at: over tiles of the slide, as maps of density, and as a file for QuPath."""

import gzip
import json
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.cells.columns import NAMES
from confuselt.cells.owned import owned
from confuselt.cells.roles import COLOURS, ROLES
from confuselt.slides.slide import Slide

MPP, ACROSS = 0.5, 4  # µm per pixel of tiles, and how many beside each other at most


def mosaic(slide: Slide, tiles: pd.DataFrame, size: int, nuclei: pd.DataFrame, roles: dict[str, str]) -> np.ndarray:
    """Tiles with most nuclei, each nucleus a ring in the colour of its role, (h, w, 3) uint8.

    Parameters
    ----------
    slide : Slide
    tiles : DataFrame
        ``x, y``, level-0 pixels.
    size : int
        Side of a tile, level-0 pixels.
    nuclei : DataFrame
        Columns of `NUCLEI`.
    roles : dict of str to str
        Role of each type.
    """
    side, at = round(size * slide.mpp / MPP), tiles[["x", "y"]].to_numpy(float)
    tile, nucleus = owned(nuclei[["x", "y"]].to_numpy(float), at, size)
    fullest = np.argsort(-np.bincount(tile, minlength=len(at)), kind="stable")[: ACROSS**2]
    across = int(np.ceil(np.sqrt(len(fullest))))
    sheet = np.full((-(-len(fullest) // across) * side, across * side, 3), 255, np.uint8)
    for place, k in enumerate(sorted(fullest)):
        x, y = (int(v) for v in at[k])
        picture = np.ascontiguousarray(slide.read(x, y, size, size, (side, side)))
        for row in nuclei.iloc[nucleus[tile == k]].itertuples():
            middle = tuple(round((v - c) * side / size) for v, c in ((row.x, x), (row.y, y)))
            radius = np.sqrt(row.area_um2 / np.pi) / MPP if np.isfinite(row.area_um2) else 6
            cv2.circle(
                picture, middle, max(3, round(radius) + 1), COLOURS[roles.get(row.type, "other")], 1, cv2.LINE_AA
            )
        top, left = (side * v for v in divmod(place, across))
        sheet[top : top + side, left : left + side] = picture
    return sheet


def picture(slide: str, sheet: np.ndarray, coords: np.ndarray, features: np.ndarray, size: int) -> Figure:
    """The mosaic, and a map of density over the slide for each role that is known, on one scale.

    Parameters
    ----------
    slide : str
        Its id.
    sheet : (h, w, 3) uint8
        From `mosaic`.
    coords : (n, 2) int
        Left and top of tiles.
    features : (n, len(NAMES)) float32
    size : int
        Side of a tile in the unit of `coords`.
    """
    densities = {role: np.expm1(features[:, NAMES.index(f"log_density_{role}")]) for role in ROLES}
    known = {role: density for role, density in densities.items() if np.isfinite(density).any()}
    most = max(1.0, *(np.nanmax(density) for density in known.values())) if known else 1.0
    figure = plt.figure(figsize=(12, 5.4), layout="constrained")
    figure.suptitle(slide, fontsize=10)
    parts = figure.add_gridspec(2, 5)
    left = figure.add_subplot(parts[:, :2])
    left.imshow(sheet)
    left.axis("off")
    place = coords // size
    place = (place - place.min(0)).T
    for number, role in enumerate(known):
        axis = figure.add_subplot(parts[number // 3, 2 + number % 3])
        board = np.full(place.max(1)[::-1] + 1, np.nan)
        board[place[1], place[0]] = known[role]
        shown = axis.imshow(board, cmap="magma", vmin=0, vmax=most)
        axis.set_title(role, fontsize=9, color=np.array(COLOURS[role]) / 255)
        axis.axis("off")
    if known:
        bar = figure.colorbar(shown, ax=figure.axes[1:], shrink=0.6)
        bar.set_label("nuclei per mm² of tissue", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    return figure


def write_geojson(path: Path, nuclei: pd.DataFrame, roles: dict[str, str]) -> None:
    """Nuclei as QuPath's detections, level-0 pixels from where QuPath counts: a point each in the colour of its role.

    Parameters
    ----------
    path : Path
        ``.geojson.gz``; QuPath reads it as it is.
    nuclei : DataFrame
        Columns of `NUCLEI`.
    roles : dict of str to str
        Role of each type.
    """
    measured = ("probability", "area_um2", "solidity", "stain")
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, row in enumerate(nuclei.to_dict("records")):
            said = {
                "objectType": "detection",
                "classification": {"name": row["type"], "color": COLOURS[roles.get(row["type"], "other")]},
                "measurements": {name: round(row[name], 4) for name in measured if np.isfinite(row[name])},
            }
            place = {"type": "Point", "coordinates": [int(row["x"]), int(row["y"])]}
            feature = {"type": "Feature", "geometry": place, "properties": said}
            file.write(("," if number else "") + "\n" + json.dumps(feature))
        file.write("\n]}\n")
