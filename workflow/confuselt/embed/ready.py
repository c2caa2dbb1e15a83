"""Ready-made streams: feature tables and bag files become one checked store per cohort."""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from confuselt.acquire.sheet import read_sheet, row_number
from confuselt.content import array_hash
from confuselt.progress import progress
from confuselt.stamp import get_stamp
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)
NOT_FEATURES = ("slide_id", "x", "y")


def check_features(features: np.ndarray, where: str) -> None:
    """Raise Unusable for NaN, infinite or no rows.

    Parameters
    ----------
    features : (n, d) float array
    where : str
        File and slide, for the message.
    """
    if features.ndim != 2 or 0 in features.shape:
        raise Unusable(f"{where}: features of shape {features.shape}, wanted rows x columns")
    bad = ~np.isfinite(features)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise Unusable(f"{where}: {int(bad.sum())} values are NaN or infinite, first in row {row_number(int(row))}, feature {row_number(int(column))}")


def read_bag(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features and coordinates of one bag file.

    Reads this project's files and those of CLAM, TRIDENT and STAMP: ``features`` or ``feats``,
    of shape (n, d) or (1, n, d), and ``coords`` (n, 2).

    Returns
    -------
    features : (n, d) float32
    coords : (n, 2) int32
        Zeros where the file has none.

    Raises
    ------
    Unusable
        The file cannot be opened or holds no features, or a finite value does not fit float32.
    """
    try:
        with h5py.File(path) as file:
            name = next((k for k in ("features", "feats") if k in file), None)
            if name is None:
                raise Unusable(f"{path}: no dataset 'features' (found {sorted(file)})")
            raw = file[name][()]
            coords = file["coords"][()] if "coords" in file else None
    except OSError as error:
        raise Unusable(f"{path}: cannot be read as HDF5 ({error})") from error
    raw = raw[0] if raw.ndim == 3 and raw.shape[0] == 1 else raw
    if not np.issubdtype(raw.dtype, np.number):
        raise Unusable(f"{path}: features are {raw.dtype}, not numbers")
    with np.errstate(over="ignore"):
        features = raw.astype(np.float32)
    if features.ndim == 2 and (np.isfinite(raw) & ~np.isfinite(features)).any():
        raise Unusable(f"{path}: a finite value does not fit float32")
    if coords is None:
        coords = np.zeros((len(features), 2), np.int32)
    coords = coords[0] if coords.ndim == 3 else coords
    if len(coords) != len(features):
        raise Unusable(f"{path}: {len(coords)} coordinates for {len(features)} rows of features")
    return features, np.asarray(coords)[:, :2].astype(np.int32)


def _table_bags(path: Path, key: str) -> tuple[dict[str, np.ndarray], pd.DataFrame, list[str]]:
    """Row positions per slide, the table, and its feature columns."""
    frame = read_sheet(path, ids=(key, "slide_id"))
    names = [c for c in frame.columns if c not in (key, *NOT_FEATURES)]
    text = [c for c in names if not pd.api.types.is_numeric_dtype(frame[c]) and pd.to_numeric(frame[c], errors="coerce").isna().gt(frame[c].isna()).any()]
    if text:
        raise ValueError(f"{path}: columns {text[:5]} are not numeric; a feature table holds ids ({key}, slide_id, x, y) and numbers only")
    if not names:
        raise ValueError(f"{path}: no feature column beside the ids")
    slide = frame["slide_id"] if "slide_id" in frame else frame[key]
    return _positions(slide), frame, names


def _positions(slide: pd.Series) -> dict[str, np.ndarray]:
    codes, values = pd.factorize(slide)
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(order) else []
    return {values[codes[part[0]]]: part for part in parts}


def _bags(slides: pd.DataFrame, stream: str, key: str, data: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray] | tuple[str, str, None]]:
    """Every slide of the stream as (id, features, coords), or (id, reason, None)."""
    tables: dict[str, tuple] = {}
    for row in progress(slides.to_dict("records"), f"{stream} stream"):
        source, slide = data / row[stream], row["slide_id"]
        try:
            if source.suffix in {".h5", ".hdf5"}:
                if not source.is_file():
                    raise Unusable(f"{source}: the file is listed but absent")
                features, coords = read_bag(source)
                check_features(features, f"{source} (slide {slide})")
            else:
                if str(source) not in tables:
                    tables[str(source)] = _table_bags(source, key)
                positions, frame, names = tables[str(source)]
                at = positions[slide]
                with np.errstate(over="ignore"):
                    features = frame[names].iloc[at].to_numpy(np.float32)
                check_features(features, f"{source.name} row {row_number(int(at[0]))} (slide {slide})")
                coords = frame[["x", "y"]].iloc[at].to_numpy(np.int32) if {"x", "y"} <= set(frame) else np.zeros((len(at), 2), np.int32)
            yield slide, features, coords
        except Unusable as reason:
            yield slide, str(reason), None


def import_stream(slides: pd.DataFrame, stream: str, key: str, data: Path, recipe: dict, store: Path) -> pd.DataFrame:
    """Write ``features.h5`` of a cohort and return its index.

    Parameters
    ----------
    slides : DataFrame
        ``acquire/slides``.
    stream : {"tile", "cells"}
    key : str
        ``acquire.id_column``.
    data : Path
        Where relative paths start.
    recipe : dict
        Name of what made the features; kept as attributes.
    store : Path
        ``features`` (N, d) float32, ``coords`` (N, 2) int32, ``offsets`` (slides + 1,), ``slide_id``.

    Returns
    -------
    DataFrame
        Columns of `STREAM_INDEX`; empty where the cohort has no such stream. A slide whose width
        differs from that of most slides is excluded.
    """
    wanted = slides[slides[stream].notna()]
    rows = {r["slide_id"]: {**r, "n": 0, "sha": None} for r in wanted[["slide_id", "patient_id", "status", "reason"]].to_dict("records")}
    for row in rows.values():
        if row["status"] != "ok":
            row["reason"] = f"excluded at acquire: {row['reason']}"
    bags: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for slide, features, coords in _bags(wanted[wanted["status"] == "ok"], stream, key, data):
        if coords is None:
            rows[slide].update(status="excluded", reason=features)
        else:
            bags[slide] = (features, coords)
    widths = Counter(f.shape[1] for f, _ in bags.values())
    width = widths.most_common(1)[0][0] if widths else 0
    for slide in [s for s, (f, _) in bags.items() if f.shape[1] != width]:
        features, _ = bags.pop(slide)
        rows[slide].update(
            status="excluded", reason=f"{rows[slide].get(stream) or slide}: {features.shape[1]} {stream} features, the other slides have {width}"
        )
    for slide, (features, coords) in bags.items():
        rows[slide].update(n=len(features), sha=array_hash(features, coords))
    _write_store(bags, width, recipe, store)
    columns = ["slide_id", "patient_id", "status", "reason", "n", "sha"]
    index = pd.DataFrame(rows.values(), columns=columns).sort_values("slide_id", ignore_index=True)
    log.info("%s: %d slides, %d excluded, %d features", stream, len(index), int((index["status"] != "ok").sum()), width)
    return index


def _write_store(bags: dict[str, tuple[np.ndarray, np.ndarray]], width: int, recipe: dict, store: Path) -> None:
    order = sorted(bags)
    lengths = [len(bags[s][0]) for s in order]
    with h5py.File(store, "w") as file:
        features = file.create_dataset("features", (sum(lengths), width), "float32")
        coords = file.create_dataset("coords", (sum(lengths), 2), "int32")
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        for slide, start, stop in zip(order, offsets[:-1], offsets[1:], strict=True):
            features[start:stop], coords[start:stop] = bags[slide]
        file["offsets"] = offsets
        file["slide_id"] = np.array(order, dtype=h5py.string_dtype())
        file.attrs.update({**recipe, "d": width, "dtype": "float32", "stamp": str(get_stamp())})
