"""Nuclei in JSON: GeoJSON of QuPath, CellViT and StarDist's plugin, JSON of CellViT, NuLite and HistoPLUS."""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil, log2
from pathlib import Path
from sys import intern
from typing import Any

import numpy as np
import pandas as pd
import shapely

from confuselt.cells.json_array import JsonArray
from confuselt.cells.outlines import Outlines, measured
from confuselt.cells.places import Extent
from confuselt.unusable import Unusable

# What QuPath up to 0.2 writes instead of ``objectType``.
OLD_KINDS = {
    "PathAnnotationObject": "annotation",
    "PathTileObject": "tile",
    "TMACoreObject": "tma_core",
    "PathRootObject": "root",
}
PROBABILITIES = ("probability", "prob", "type_prob", "confidence", "score")
PROBABILITIES += ("detection probability", "classification probability", "class probability")


@dataclass
class Found:
    """Nuclei as they are read: points, or outlines, and what is said of each."""

    corners: "array[float]" = field(default_factory=lambda: array("d"))
    starts: "array[int]" = field(default_factory=lambda: array("q", [0]))
    types: list[str | None] = field(default_factory=list)
    probabilities: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, outline: list, name: str | None, probability: float) -> None:
        """A nucleus: an outline, or a single point."""
        for x, y, *_ in outline:
            self.corners.append(x)
            self.corners.append(y)
        self.starts.append(len(self.corners) // 2)
        self.types.append(None if name is None else intern(name))
        self.probabilities.append(probability)


def read_json(path: Path, slide: Extent) -> pd.DataFrame:
    """Nuclei of a file: see `outlines.measured`."""
    readers: dict[str | None, Callable[[JsonArray, Extent], Found]] = {
        None: _features,
        "features": _features,
        "cells": _cells,
        "nuclei": _cells,
        "cell_masks": _masks,
    }
    with JsonArray(path, ("features", "cells", "cell_masks", "nuclei")) as entries:
        found = readers[entries.key](entries, slide)
    outlines = Outlines(np.frombuffer(found.corners), np.frombuffer(found.starts, np.int64))
    return measured(outlines, found.types, found.probabilities, slide.mpp, path.name)


def _features(entries: JsonArray, slide: Extent) -> Found:
    """Features of QuPath, of StarDist, of CellViT (one of all nuclei of a type)."""
    found, collected, count = Found(), Found(), 0
    for feature in entries:
        count += 1
        if not isinstance(feature, dict):
            raise Unusable(f"{entries.path.name}: an entry is no GeoJSON feature: {str(feature)[:60]}")
        said = feature.get("properties") or {}
        shape = feature.get("nucleusGeometry") or said.get("nucleusGeometry") or feature.get("geometry")
        kind = said.get("objectType") or OLD_KINDS.get(str(feature.get("id")))
        if kind in ("tile", "tma_core", "root") or not shape:
            continue
        name, probability = _type_of(said), _probability_of(said)
        # CellViT writes its nuclei as one annotation per type; of a person's annotations none is a collection beside
        # detections.
        many = str(shape.get("type")).startswith("Multi")
        if kind == "annotation" and not many:
            continue
        to = collected if kind == "annotation" else found
        outlines = list(_outlines_of(shape, entries.path.name))
        if kind != "annotation" and shape.get("type") == "MultiPolygon":  # one nucleus in parts
            outlines = [max(outlines, key=lambda outline: shapely.Polygon(outline).area)]
        for outline in outlines:
            to.add(outline, name, probability)
    if not found.types:
        found = collected
    if count and not found.types:
        raise Unusable(f"{entries.path.name}: none of its {count} entries is a nucleus (annotations alone?)")
    return found


def _outlines_of(shape: dict, where: str) -> Iterator[list]:
    kind, places = shape.get("type"), shape.get("coordinates")
    if kind == "Point":
        yield [places]
    elif kind == "MultiPoint":
        yield from ([place] for place in places)
    elif kind == "Polygon":
        yield places[0]
    elif kind == "MultiPolygon":
        yield from (polygon[0] for polygon in places)
    else:
        raise Unusable(f"{where}: a nucleus is a {kind}; wanted points or polygons")


def _type_of(said: dict) -> str | None:
    name = said.get("classification")
    if isinstance(name, dict):
        name = name.get("name") or (name.get("names") or [None])[0]
    for key in ("class_name", "class", "cell_type", "type", "label"):
        name = name or said.get(key)
    return None if name is None else str(name)


def _probability_of(said: dict) -> float:
    measured = said.get("measurements") or {}
    if isinstance(measured, list):
        measured = {entry.get("name"): entry.get("value") for entry in measured}
    every = {str(key).lower(): value for key, value in (*measured.items(), *said.items())}
    return next((float(every[key]) for key in PROBABILITIES if isinstance(every.get(key), int | float)), np.nan)


def _cells(entries: JsonArray, slide: Extent) -> Found:
    """``cells`` with ``contour`` or ``centroid``, ``type`` and ``type_prob``; ``type_map`` names the numbers."""
    found, names = Found(), _numbered(entries.head.get("type_map") or {})
    for cell in entries:
        name = cell.get("type")
        if isinstance(name, int):
            name = _named(name, names, entries.path.name)
        outline = cell.get("contour") or [cell.get("centroid") or (np.nan, np.nan)]
        found.add(outline, None if name is None else str(name), _number(cell.get("type_prob")))
    return found


def _named(kind: int, names: dict[int, str], where: str) -> str:
    if not names:
        raise Unusable(f"{where}: types are numbers, and no type_map before `cells` says what they are")
    if kind not in names:
        raise Unusable(f"{where}: a nucleus is of type {kind}, type_map has {sorted(names)}")
    return names[kind]


def _number(value: Any) -> float:
    """A number, or what is written as one; NaN for none."""
    return np.nan if value is None else float(value)


def _numbered(names: dict[str, Any]) -> dict[int, str]:
    """Type by its number, whichever of the two is the key."""
    if all(str(key).isdigit() for key in names):
        return {int(key): str(value) for key, value in names.items()}
    return {int(value): str(key) for key, value in names.items()}


def _masks(entries: JsonArray, slide: Extent) -> Found:
    """Masks by tiles of a DeepZoom level: ``coordinates`` begin at the tile, or, in some versions, at the slide."""
    tiles = [(t["x"], t["y"], t["level"], t["width"], t["height"], t["masks"]) for t in entries]
    places = [place for *_, masks in tiles for mask in masks for place in mask["coordinates"]]
    of_tile = not places or np.max(places) <= 2 * max(max(t[3], t[4]) for t in tiles)
    top = ceil(log2(max(slide.width, slide.height)))
    # A tile at the border may be narrower, and begins where a whole one would.
    found = Found()
    wide, high = (max(t[k] for t in tiles) if tiles else 0 for k in (3, 4))
    for column, row, level, _, _, masks in tiles:
        factor = 2.0 ** (top - level)
        left, above = (column * wide, row * high) if of_tile else (0, 0)
        for mask in masks:
            outline = [((x + left) * factor, (y + above) * factor) for x, y in mask["coordinates"]]
            found.add(outline, str(mask["cell_type"]), _number(mask.get("confidence")))
    return found
