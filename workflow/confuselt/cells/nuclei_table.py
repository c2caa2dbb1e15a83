"""Nuclei in a table (.csv, .tsv, .parquet) of points or outlines, whatever its columns are called."""

from collections.abc import Iterator
from pathlib import Path
from sys import intern

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely

from confuselt.cells.features import MEASURED
from confuselt.cells.json_array import open_text
from confuselt.cells.outlines import Outlines, measured
from confuselt.cells.places import Extent
from confuselt.unusable import Unusable

ROWS = 100_000  # of a table at a time
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


def read_rows(path: Path, slide: Extent) -> pd.DataFrame:
    """Nuclei of a table: ``x, y, type, probability`` and of `MEASURED` what it says."""
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
        return measured(_polygons(frame["outline"], path.name), types.tolist(), probability, slide.mpp, path.name)
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
