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

MPP, ACROSS = 0.5, 4  # µm per pixel of tiles, and how many beside each other


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
    sheet = np.full((ACROSS * side, ACROSS * side, 3), 255, np.uint8)
    for place, k in enumerate(sorted(fullest)):
        x, y = (int(v) for v in at[k])
        picture = np.ascontiguousarray(slide.read(x, y, size, size, (side, side)))
        for row in nuclei.iloc[nucleus[tile == k]].itertuples():
            middle = tuple(round((v - c) * side / size) for v, c in ((row.x, x), (row.y, y)))
            radius = np.sqrt(row.area_um2 / np.pi) / MPP if np.isfinite(row.area_um2) else 6
            cv2.circle(
                picture, middle, max(3, round(radius) + 1), COLOURS[roles.get(row.type, "other")], 1, cv2.LINE_AA
            )
        top, left = (side * v for v in divmod(place, ACROSS))
        sheet[top : top + side, left : left + side] = picture
    return sheet


def picture(sheet: np.ndarray, coords: np.ndarray, features: np.ndarray, size: int) -> Figure:
    """The mosaic, and a map of density over the slide for each role that is known.

    Parameters
    ----------
    sheet : (h, w, 3) uint8
        From `mosaic`.
    coords : (n, 2) int
        Left and top of tiles.
    features : (n, len(NAMES)) float32
    size : int
        Side of a tile in the unit of `coords`.
    """
    densities = {role: np.expm1(features[:, NAMES.index(f"log_density_{role}")]) for role in ROLES}
    known = [role for role, density in densities.items() if np.isfinite(density).any()]
    figure, axes = plt.subplots(1, 1 + len(known), figsize=(4 + 2.6 * len(known), 4), squeeze=False)
    axes[0, 0].imshow(sheet)
    for role in known:
        axes[0, 0].plot([], [], "o", mfc="none", color=np.array(COLOURS[role]) / 255, label=role)
    axes[0, 0].legend(fontsize=6, frameon=False, ncol=3, loc="upper left", bbox_to_anchor=(0, 0))
    place = (coords // size).T
    place = place - place.min(1, keepdims=True)
    for axis, role in zip(axes[0, 1:], known, strict=True):
        board = np.full(place.max(1)[::-1] + 1, np.nan)
        board[place[1], place[0]] = densities[role]
        shown = axis.imshow(board, cmap="magma", vmin=0)
        axis.set_title(f"{role}, nuclei per mm²", fontsize=8)
        figure.colorbar(shown, ax=axis, shrink=0.6).ax.tick_params(labelsize=6)
    for axis in axes[0]:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.tight_layout()
    return figure


def write_geojson(path: Path, nuclei: pd.DataFrame, roles: dict[str, str]) -> None:
    """Nuclei as QuPath's detections, level-0 pixels: a point each in the colour of its role.

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
