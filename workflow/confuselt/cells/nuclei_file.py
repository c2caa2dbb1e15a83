"""Nuclei that another tool has found on a slide: one file, whichever tool wrote it.

GeoJSON of QuPath, CellViT and StarDist's plugin, JSON of CellViT, NuLite and HistoPLUS, tables (.csv, .tsv, .parquet)
of points or outlines. Places are level-0 pixels, but for columns and files that say otherwise.
"""

import logging
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil, log2
from pathlib import Path
from sys import intern
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely

from confuselt.cells.features import MEASURED
from confuselt.cells.json_array import JsonArray, open_text
from confuselt.cells.outlines import Outlines
from confuselt.cells.owned import owned
from confuselt.cells.schema import NUCLEI
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)
SUFFIXES = (".geojson", ".json", ".geojson.gz", ".json.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".parquet")
MOST_LOST = 0.1  # of the nuclei of a file
ROWS = 100_000  # of a table at a time
SPREAD, TELL = 0.6, 50  # of the tiles' extent that nuclei must reach, and how many tell
EMPTY, SOME_TILES = 0.5, 20  # of the tiles that may hold no nucleus, and how many tell
# What QuPath up to 0.2 writes instead of ``objectType``.
OLD_KINDS = {
    "PathAnnotationObject": "annotation",
    "PathTileObject": "tile",
    "TMACoreObject": "tma_core",
    "PathRootObject": "root",
}
PROBABILITIES = ("probability", "prob", "type_prob", "confidence", "score")
PROBABILITIES += ("detection probability", "classification probability", "class probability")
# What tools call the columns of a table, without what is neither letter nor digit, in lower case; µm where it ends so.
COLUMNS = {
    "x": ("x", "centroidx", "centroidxpx", "xcentroid", "cx", "xpx", "coordx", "posx"),
    "y": ("y", "centroidy", "centroidypx", "ycentroid", "cy", "ypx", "coordy", "posy"),
    "x_um": ("centroidxm", "centroidxum", "xum", "xm", "centroidxmicrons"),
    "y_um": ("centroidym", "centroidyum", "yum", "ym", "centroidymicrons"),
    "type": ("type", "class", "classname", "classification", "celltype", "typename", "label", "predictedclass"),
    "probability": (
        "probability",
        "typeprob",
        "prob",
        "confidence",
        "score",
        "typeprobability",
        "detectionprobability",
    ),
    "area_um2": ("areaum2", "nucleusaream2", "nucleusareaum2", "areaum", "aream2"),
    "long_um": ("longum",),
    "short_um": ("shortum",),
    "solidity": ("solidity", "nucleussolidity"),
    "perimeter_um": ("perimeterum", "nucleuslengthm", "nucleusperimeter"),
    "stain": ("stain",),
    "stain_sd": ("stainsd",),
    "kind": ("objecttype",),
    "outline": ("geometry", "polygon", "outline", "contour", "wkt", "wkb"),
}


@dataclass(frozen=True)
class Extent:
    """The slide that the nuclei are of: µm per level-0 pixel, and its size in them."""

    mpp: float
    width: int
    height: int


@dataclass
class _Found:
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


def read_nuclei(path: Path, slide: Extent) -> pd.DataFrame:
    """Nuclei of a file.

    Parameters
    ----------
    path : Path
    slide : Extent

    Returns
    -------
    DataFrame
        Columns of `NUCLEI`; what the file does not say is NaN.

    Raises
    ------
    Unusable
        The file cannot be read, states no places or no types, or its places are not those of this slide.
    """
    name = path.name.lower()
    if not name.endswith(SUFFIXES):
        raise Unusable(f"{path.name}: nuclei are read from {', '.join(SUFFIXES)}")
    try:
        if ".json" in name or ".geojson" in name:
            found = _of_json(path, slide)
        else:
            found = _of_table(path, slide)
    except (OSError, zlib.error, EOFError) as fault:
        raise Unusable(f"{path.name}: cannot be read ({str(fault)[:120]})") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as fault:
        raise Unusable(
            f"{path.name}: an entry is not as its tool writes it ({type(fault).__name__}: {fault})"
        ) from None
    if found.empty:
        return found.reindex(columns=list(NUCLEI.columns)).astype(dict.fromkeys(("x", "y", *MEASURED), float))
    lost = ~(np.isfinite(found[["x", "y"]].to_numpy(float)).all(1))
    if lost.mean() > MOST_LOST:
        raise Unusable(
            f"{path.name}: {int(lost.sum())} of {len(lost)} nuclei have no place, or an outline without area"
        )
    if lost.any():
        log.warning("%s: %d of %d nuclei have no place and are left out", path.name, lost.sum(), len(lost))
    found = found[~lost]
    twice = found.duplicated(["x", "y", "type"])
    if twice.any():
        log.warning("%s: %d of %d nuclei stand there twice; one of each is kept", path.name, twice.sum(), len(found))
        found = found[~twice]
    untyped = found["type"].isna()
    if untyped.mean() > MOST_LOST:
        raise Unusable(f"{path.name}: {int(untyped.sum())} of {len(found)} nuclei have no type; classify them first")
    odd = ~found["probability"].dropna().between(0, 1)
    if odd.any():
        raise Unusable(f"{path.name}: {int(odd.sum())} probabilities are not between 0 and 1; are they percent?")
    _check_places(found, slide, path.name)
    missing = {column: np.nan for column in MEASURED if column not in found}
    return found.assign(**missing)[list(NUCLEI.columns)].reset_index(drop=True)


def check_on_tiles(nuclei: pd.DataFrame, tiles: pd.DataFrame, size: int, where: str) -> None:
    """Raise Unusable where nuclei are not those of the tissue under the tiles.

    They reach over a corner of it only (places of a smaller picture, or in µm); they are denser beside the tiles than
    in them (x and y swapped, another slide); most tiles hold none (a region of the slide was looked at).

    Parameters
    ----------
    nuclei, tiles : DataFrame
        With ``x, y``.
    size : int
        Side of a tile.
    where : str
    """
    if len(nuclei) < TELL or len(tiles) < 2:
        return
    reach = nuclei[["x", "y"]].to_numpy(float).max(0) / (tiles[["x", "y"]].to_numpy(float).max(0) + size)
    if (reach < SPREAD).all():
        raise Unusable(
            f"{where}: its nuclei reach to ({nuclei['x'].max():.0f}, {nuclei['y'].max():.0f}), the tiles of the slide "
            f"to ({tiles['x'].max() + size}, {tiles['y'].max() + size}): are they in µm or of a smaller picture? "
            "Wanted are level-0 pixels"
        )
    places, corners = nuclei[["x", "y"]].to_numpy(float), tiles[["x", "y"]].to_numpy(float)
    tile, nucleus = owned(places, corners, size)
    # How much of the field the tiles cover, in quarters of their side: they may overlap.
    quarter = size / 4
    steps = np.stack(np.meshgrid(range(4), range(4)), -1).reshape(1, -1, 2)
    covered = np.unique((corners[:, None] // quarter + steps).reshape(-1, 2), axis=0)
    field = np.prod(np.maximum(places.max(0), corners.max(0) + size) - np.minimum(places.min(0), corners.min(0)))
    within, share = len(np.unique(nucleus)) / len(nuclei), min(len(covered) * quarter**2 / field, 1)
    if within < 0.5 * share:
        raise Unusable(
            f"{where}: {within:.0%} of its nuclei lie in the tiles, which cover {share:.0%} of the field; are x and y "
            "swapped, or are they of another slide?"
        )
    empty = 1 - len(np.unique(tile)) / len(tiles)
    if len(tiles) >= SOME_TILES and empty > EMPTY:
        raise Unusable(
            f"{where}: {empty:.0%} of the {len(tiles)} tiles hold no nucleus; was only a region looked at? "
            "What lies beside it would count as empty"
        )


def _check_places(found: pd.DataFrame, slide: Extent, where: str) -> None:
    if found.empty:
        return
    (left, top), (right, bottom) = (getattr(found[["x", "y"]], f)().to_numpy() for f in ("min", "max"))
    slack = 0.01 * max(slide.width, slide.height)
    if right > slide.width + slack or bottom > slide.height + slack or min(left, top) < -slack:
        raise Unusable(
            f"{where}: nuclei reach from ({left:.0f}, {top:.0f}) to ({right:.0f}, {bottom:.0f}), the slide has "
            f"{slide.width} x {slide.height} pixels: are they of another slide, or of a larger picture of it?"
        )


def _of_json(path: Path, slide: Extent) -> pd.DataFrame:
    with JsonArray(path, ("features", "cells", "cell_masks", "nuclei")) as entries:
        readers: dict[str | None, Callable[[JsonArray, Extent, _Found], None]] = {
            None: _features,
            "features": _features,
            "cells": _cells,
            "nuclei": _cells,
            "cell_masks": _masks,
        }
        found = _Found()
        readers[entries.key](entries, slide, found)
    outlines = Outlines(np.frombuffer(found.corners), np.frombuffer(found.starts, np.int64))
    return _measured(outlines, found.types, found.probabilities, slide.mpp, path.name)


def _measured(
    outlines: Outlines, types: list | np.ndarray, probability: list | np.ndarray, mpp: float, where: str
) -> pd.DataFrame:
    """A row per nucleus; of an outline that is none ``x`` and ``y`` are NaN."""
    count = len(outlines.starts) - 1
    if not count:
        return pd.DataFrame({"x": [], "y": [], "type": pd.Series(dtype=object), "probability": []})
    points = np.diff(outlines.starts) == 1
    if points.any() and not points.all():
        raise Unusable(
            f"{where}: {int(points.sum())} nuclei are points, {int((~points).sum())} outlines; one kind each"
        )
    if points.all():
        table = pd.DataFrame(outlines.points, columns=["x", "y"])
    else:
        whole = outlines.whole
        table = outlines.take(whole).measures(mpp)
        table = table.set_index(np.flatnonzero(whole)).reindex(range(count))
    return table.assign(type=pd.Series(types, dtype=object), probability=np.array(probability, float))


# --- GeoJSON


def _features(entries: JsonArray, slide: Extent, found: _Found) -> None:
    """Features of QuPath, of StarDist, of CellViT (one of all nuclei of a type)."""
    collected, count = _Found(), 0
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
        vars(found).update(vars(collected))
    if count and not found.types:
        raise Unusable(f"{entries.path.name}: none of its {count} entries is a nucleus (annotations alone?)")


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


# --- CellViT, NuLite


def _cells(entries: JsonArray, slide: Extent, found: _Found) -> None:
    """``cells`` with ``contour`` or ``centroid``, ``type`` and ``type_prob``; ``type_map`` names the numbers."""
    names = _numbered(entries.head.get("type_map") or {})
    for cell in entries:
        kind = cell.get("type")
        if isinstance(kind, int) and not names:
            raise Unusable(f"{entries.path.name}: types are numbers, and no type_map before `cells` says what they are")
        name = names.get(kind, kind) if isinstance(kind, int) else kind
        if isinstance(kind, int) and kind not in names and names:
            raise Unusable(f"{entries.path.name}: a nucleus is of type {kind}, type_map has {sorted(names)}")
        outline = cell.get("contour") or [cell.get("centroid") or (np.nan, np.nan)]
        found.add(outline, None if name is None else str(name), _number(cell.get("type_prob")))


def _number(value: Any) -> float:
    """A number, or what is written as one; NaN for none."""
    return np.nan if value is None else float(value)


def _numbered(names: dict[str, Any]) -> dict[int, str]:
    """Type by its number, whichever of the two is the key."""
    if all(str(key).isdigit() for key in names):
        return {int(key): str(value) for key, value in names.items()}
    return {int(value): str(key) for key, value in names.items()}


# --- HistoPLUS


def _masks(entries: JsonArray, slide: Extent, found: _Found) -> None:
    """Masks by tiles of a DeepZoom level: ``coordinates`` begin at the tile, or, in some versions, at the slide."""
    tiles = [(t["x"], t["y"], t["level"], t["width"], t["height"], t["masks"]) for t in entries]
    places = [place for *_, masks in tiles for mask in masks for place in mask["coordinates"]]
    of_tile = not places or np.max(places) <= 2 * max(max(t[3], t[4]) for t in tiles)
    top = ceil(log2(max(slide.width, slide.height)))
    # A tile at the border may be narrower, and begins where a whole one would.
    wide, high = (max(t[k] for t in tiles) if tiles else 0 for k in (3, 4))
    for column, row, level, _, _, masks in tiles:
        factor = 2.0 ** (top - level)
        left, above = (column * wide, row * high) if of_tile else (0, 0)
        for mask in masks:
            outline = [((x + left) * factor, (y + above) * factor) for x, y in mask["coordinates"]]
            found.add(outline, str(mask["cell_type"]), _number(mask.get("confidence")))


# --- tables


def _of_table(path: Path, slide: Extent) -> pd.DataFrame:
    parts = [_of_rows(frame, path, slide) for frame in _read_table(path)]
    return pd.concat(parts, ignore_index=True)


def _of_rows(frame: pd.DataFrame, path: Path, slide: Extent) -> pd.DataFrame:
    if "kind" in frame:  # QuPath's table lists annotations too
        frame = frame[~frame["kind"].astype(str).str.lower().isin(("annotation", "tile", "tma core", "root"))]
    types = frame["type"].map(lambda name: intern(str(name)), na_action="ignore").astype(object)
    types = types.where(types.notna(), None)
    probability = (
        pd.to_numeric(frame["probability"], "coerce") if "probability" in frame else np.full(len(frame), np.nan)
    )
    if "outline" in frame:
        return _measured(_polygons(frame["outline"], path.name), types.tolist(), probability, slide.mpp, path.name)
    unit = 1.0
    if "x" not in frame:
        frame, unit = frame.rename(columns={"x_um": "x", "y_um": "y"}), slide.mpp
    x, y = (pd.to_numeric(frame[c], "coerce") / unit for c in ("x", "y"))
    more = {c: pd.to_numeric(frame[c], "coerce") for c in MEASURED if c in frame and c != "probability"}
    return pd.DataFrame({"x": x, "y": y, "type": types, "probability": probability, **more})


def _read_table(path: Path) -> Iterator[pd.DataFrame]:
    """The known columns of a table, by the names of `COLUMNS`, some rows at a time; the first part may have none."""
    try:
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            names = _known_columns(file.schema_arrow.names, path.name)
            known = {v: k for k, v in names.items()}
            yield file.schema_arrow.empty_table().select(list(known)).to_pandas().rename(columns=known)
            for some in file.iter_batches(ROWS, columns=list(known)):
                yield some.to_pandas().rename(columns=known)
            return
        with open_text(path) as file:
            first = file.readline()
        how = {"sep": max(",;\t", key=first.count), "encoding": "utf-8-sig"}
        names = _known_columns(list(pd.read_csv(path, nrows=0, **how).columns), path.name)
        with pd.read_csv(path, usecols=list(names.values()), chunksize=ROWS, dtype=object, **how) as parts:
            for some in parts:
                yield some.rename(columns={v: k for k, v in names.items()})
    except (ValueError, EOFError, OSError) as fault:
        raise Unusable(f"{path.name}: cannot be read as a table ({str(fault)[:120]})") from None


def _known_columns(header: list[str], where: str) -> dict[str, str]:
    """Column of the file for each that is known."""
    plain = {"".join(c for c in name.lower() if c.isascii() and c.isalnum()): name for name in header}
    found = {}
    for column, names in COLUMNS.items():
        hit = next((plain[name] for name in names if name in plain), None)
        if hit is not None:
            found[column] = hit
    if "type" not in found:
        raise Unusable(f"{where}: no column says the type of a nucleus; wanted one of {', '.join(COLUMNS['type'])}")
    if "outline" in found:  # which says all else better
        return {c: found[c] for c in ("type", "probability", "outline", "kind") if c in found}
    if {"x", "y"} <= found.keys():
        found = {k: v for k, v in found.items() if k not in ("x_um", "y_um")}
    elif not {"x_um", "y_um"} <= found.keys():
        raise Unusable(f"{where}: no columns say where a nucleus is; wanted x and y, or geometry; has {header[:12]}")
    return found


def _polygons(shapes: pd.Series, where: str) -> Outlines:
    """Outlines of WKB or WKT."""
    values = shapes.to_numpy(object)
    try:
        is_binary = len(values) and isinstance(values[0], bytes | bytearray | memoryview)
        shapes_ = shapely.from_wkb(values) if is_binary else shapely.from_wkt(values)
    except (shapely.errors.GEOSException, TypeError) as fault:
        raise Unusable(f"{where}: outlines are neither WKB nor WKT ({str(fault)[:80]})") from None
    kinds = shapely.get_type_id(shapes_)
    if (kinds == 0).all():
        return Outlines(shapely.get_coordinates(shapes_), np.arange(len(shapes_) + 1))
    if (kinds == 6).any():  # of a nucleus in parts the largest
        parts, owner = shapely.get_parts(shapes_, return_index=True)
        order = np.lexsort((shapely.area(parts), owner))
        last = np.flatnonzero(np.append(np.diff(owner[order]) > 0, True))
        shapes_ = parts[order[last]]
    return Outlines.of(shapes_)
