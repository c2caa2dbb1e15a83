"""Nuclei in a table (.csv, .tsv, .parquet) of points or outlines, whatever its columns are called."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from sys import intern

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely

from confuselt.cells.features import MEASURED
from confuselt.cells.json_array import open_text
from confuselt.cells.objects import NO_NUCLEI, plain
from confuselt.cells.outlines import MOST_LOST, MOST_PARTS, Outlines, measured
from confuselt.cells.places import Extent
from confuselt.unusable import Unusable

ROWS = 100_000  # of a table at a time
POLYGON = 3  # as shapely numbers types
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
    rows, parts = 0, []
    for frame in _read_table(path):
        rows += len(frame)
        parts.append(_of_rows(frame, path, slide))
    found = pd.concat(parts, ignore_index=True)
    if rows and found.empty:
        raise Unusable(f"{path.name}: none of its {rows} rows is a nucleus (annotations alone?)")
    return found


def _of_rows(frame: pd.DataFrame, path: Path, slide: Extent) -> pd.DataFrame:
    if "kind" in frame:  # QuPath's table lists annotations too
        frame = frame[~frame["kind"].map(plain).isin(NO_NUCLEI)]
    types = frame["type"].map(_name, na_action="ignore").astype(object)
    types = types.where(types.notna(), None)
    has_probability = "probability" in frame
    probability = _numbers(frame, "probability", path.name) if has_probability else np.full(len(frame), np.nan)
    if "outline" in frame:
        return measured(_polygons(frame["outline"], path.name), types.tolist(), probability, slide.mpp, path.name)
    unit = 1.0
    if "x" not in frame:
        frame, unit = frame.rename(columns={"x_um": "x", "y_um": "y"}), slide.mpp
    x, y = (_numbers(frame, c, path.name) / unit for c in ("x", "y"))
    more = {c: _numbers(frame, c, path.name) for c in MEASURED if c in frame and c != "probability"}
    return pd.DataFrame({"x": x, "y": y, "type": types, "probability": probability, **more})


def _name(kind: object) -> str:
    """A type as text; a number that stands among blank cells is read as a float, and is the same number."""
    return intern(str(int(kind) if isinstance(kind, float) and kind.is_integer() else kind))


def _numbers(frame: pd.DataFrame, column: str, where: str) -> pd.Series:
    """Numbers of a column, NaN for a blank cell; Unusable where more than a few cells hold something else."""
    found = pd.to_numeric(frame[column], "coerce")
    odd = found.isna() & frame[column].notna()
    if odd.mean() > MOST_LOST:
        example = frame.loc[odd, column].iloc[0]
        raise Unusable(
            f"{where}: {int(odd.sum())} of {len(odd)} cells of the column of {column} are no number, such as "
            f"{str(example)[:40]!r}; numbers have a decimal point and no unit"
        )
    return found


def _read_table(path: Path) -> Iterator[pd.DataFrame]:
    """The known columns of a table, by the names of `COLUMNS`, some rows at a time; the first part may have none."""
    try:
        if path.suffix.lower() == ".parquet":
            file = pq.ParquetFile(path)
            names = _known_columns(file.schema_arrow.names, path.name)
            known = {v: k for k, v in names.items()}
            none = file.schema_arrow.empty_table().select(list(known))
            for some in chain([none], file.iter_batches(ROWS, columns=list(known))):
                # An index of pandas is a column like the others.
                yield some.to_pandas(ignore_metadata=True).rename(columns=known)
            return
        with open_text(path) as file:
            first = file.readline()
        how = {"sep": max(",;\t", key=first.count), "encoding": "utf-8-sig"}
        names = _known_columns(list(pd.read_csv(path, nrows=0, **how).columns), path.name)
        with pd.read_csv(path, usecols=list(names.values()), chunksize=ROWS, dtype=object, **how) as parts:
            for some in parts:
                yield some.rename(columns={v: k for k, v in names.items()})
    except UnicodeDecodeError:
        raise  # which `read_nuclei` explains
    except (ValueError, EOFError, OSError) as fault:
        raise Unusable(f"{path.name}: cannot be read as a table ({str(fault)[:120]})") from None


def _known_columns(header: list[str], where: str) -> dict[str, str]:
    """Column of the file for each that is known."""
    called = {}
    for name in header:
        called.setdefault("".join(c for c in name.lower() if c.isascii() and c.isalnum()), []).append(name)
    found = {}
    for column, names in COLUMNS.items():
        hits = next((called[name] for name in names if name in called), [])
        if len(hits) > 1:
            raise Unusable(f"{where}: columns {' and '.join(map(repr, hits))} may both be that of {column}; rename one")
        if hits:
            found[column] = hits[0]
    if "type" not in found:
        raise Unusable(f"{where}: no column says the type of a nucleus; wanted one of {', '.join(COLUMNS['type'])}")
    if "outline" in found:  # which says all else better
        return {c: found[c] for c in ("type", "probability", "outline", "kind") if c in found}
    if {"x", "y"} <= found.keys():
        found = {k: v for k, v in found.items() if k not in ("x_um", "y_um")}
    elif {"x_um", "y_um"} <= found.keys():
        found = {k: v for k, v in found.items() if k not in ("x", "y")}
    else:
        raise Unusable(f"{where}: no columns say where a nucleus is; wanted x and y, or geometry; has {header[:12]}")
    return found


def _polygons(shapes: pd.Series, where: str) -> Outlines:
    """Outlines of WKB or WKT."""
    values = shapes.to_numpy(object)
    known = shapes.notna().to_numpy()
    try:
        is_binary = known.any() and isinstance(values[known][0], bytes | bytearray | memoryview)
        read = shapely.from_wkb if is_binary else shapely.from_wkt
        found = np.full(len(values), None, object)
        found[known] = read(values[known])
    except (shapely.errors.GEOSException, TypeError) as fault:
        raise Unusable(f"{where}: outlines are neither WKB nor WKT ({str(fault)[:80]})") from None
    if shapely.get_num_geometries(found).max(initial=0) > MOST_PARTS:
        raise Unusable(f"{where}: an outline has more than {MOST_PARTS} parts; wanted is a row per nucleus")
    # Of a nucleus in parts the largest; one without any has no corner.
    parts, owner = shapely.get_parts(found, return_index=True)
    order = np.lexsort((shapely.area(parts), owner))
    largest = order[np.flatnonzero(np.diff(owner[order], append=len(found)) > 0)]
    rings = np.where(
        shapely.get_type_id(parts[largest]) == POLYGON, shapely.get_exterior_ring(parts[largest]), parts[largest]
    )
    points, ring = shapely.get_coordinates(rings, return_index=True)
    return Outlines(points, np.searchsorted(owner[largest][ring], np.arange(len(found) + 1)))
