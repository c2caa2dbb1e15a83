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

from confuselt.cells.json_array import JsonArray
from confuselt.cells.objects import ANNOTATION, NO_NUCLEI, kind_of
from confuselt.cells.outlines import MOST_PARTS, Outlines, measured
from confuselt.cells.places import Extent
from confuselt.unusable import Unusable

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
        shape = feature.get("nucleusGeometry") or said.get("nucleusGeometry") or feature.get("geometry") or {}
        kind, form = kind_of(feature), shape.get("type")
        # CellViT writes its nuclei as one annotation per type; of a person's annotations none is a collection beside
        # detections.
        if kind in NO_NUCLEI and not (kind == ANNOTATION and form in ("MultiPolygon", "MultiPoint")):
            continue
        to = collected if kind == ANNOTATION else found
        outlines = list(_outlines_of(shape, entries.path.name))
        if form == "MultiPolygon" and kind != ANNOTATION:
            outlines = _nuclei_of_parts(outlines, kind, entries.path.name)
        name, probability = _type_of(said), _probability_of(said)
        for outline in outlines:
            to.add(outline, name, probability)
    if len(collected.types) > len(found.types) > 0:
        raise Unusable(
            f"{entries.path.name}: {len(found.types)} objects stand alone, and {len(collected.types)} outlines in "
            "annotations of many; which are the nuclei? Export these alone"
        )
    if not found.types:
        found = collected
    if count and not found.types:
        raise Unusable(f"{entries.path.name}: none of its {count} entries is a nucleus (annotations alone?)")
    return found


def _nuclei_of_parts(parts: list[list], kind: str, where: str) -> list[list]:
    """Of a nucleus in a few parts the largest; more parts are all nuclei of a type, where no kind is said."""
    if len(parts) <= MOST_PARTS:
        return [max(parts, key=_area, default=[])]
    if kind:
        raise Unusable(f"{where}: a {kind} has {len(parts)} parts; wanted is a feature per nucleus")
    return parts


def _area(outline: list) -> float:
    if len(outline) < 3:
        return 0.0
    x, y = np.array([place[:2] for place in outline], float).T
    return abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2


def _outlines_of(shape: dict, where: str) -> Iterator[list]:
    kind, places = shape.get("type"), shape.get("coordinates")
    if not shape:  # which is counted among those without a place
        yield []
    elif kind == "Point":
        yield [places]
    elif kind == "MultiPoint":
        yield from ([place] for place in places)
    elif kind == "Polygon":
        yield places[0] if places else []
    elif kind == "MultiPolygon":
        yield from (polygon[0] if polygon else [] for polygon in places)
    else:
        raise Unusable(f"{where}: a nucleus is a {kind}; wanted points or polygons")


def _type_of(said: dict) -> str | None:
    """As QuPath's tables write it: ``Tumor: Positive`` for a class derived from another."""
    name = said.get("classification")
    if isinstance(name, dict):
        name = ": ".join(map(str, name.get("names") or _steps(name)))
    for key in ("class_name", "class", "cell_type", "type", "label"):
        name = said.get(key) if name in (None, "") else name
    return None if name in (None, "") else str(name)


def _steps(said: dict) -> list[str]:
    """Name of a class of QuPath up to 0.3, behind those of the classes that it is derived from."""
    above = _steps(said["parentClass"]) if said.get("parentClass") else []
    return [*above, said["name"]] if said.get("name") else above


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
        if isinstance(name, int | float):
            name = _named(int(name), names, entries.path.name)
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
    found, tiles, ends = Found(), [], []
    for tile in entries:
        for mask in tile["masks"]:
            found.add(mask["coordinates"], str(mask["cell_type"]), _number(mask.get("confidence")))
        tiles.append((tile["x"], tile["y"], tile["level"], tile["width"], tile["height"]))
        ends.append(found.starts[-1])
    if not found.types:
        return found
    column, row, level, wide, high = np.array(tiles, float).T
    corners = np.frombuffer(found.corners).reshape(-1, 2)  # the array's own memory
    tile_of = np.repeat(np.arange(len(tiles)), np.diff(ends, prepend=0))
    if np.nanmax(corners) <= 2 * max(wide.max(), high.max()):
        # A tile at the border may be narrower, and begins where a whole one would.
        corners += np.stack([column * wide.max(), row * high.max()], 1)[tile_of]
    corners *= 2.0 ** (ceil(log2(max(slide.width, slide.height))) - level[tile_of, None])
    return found
