"""Ready-made streams: a feature table and bag files become one checked store per cohort."""

import json
import logging
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from confuselt.content import array_hash
from confuselt.embed.bag_file import (
    STATED,
    SUFFIXES,
    check_features,
    check_tiles,
    read_bag,
    stated_cohorts,
    stated_recipe,
)
from confuselt.embed.feature_table import FeatureTable
from confuselt.progress import progress
from confuselt.stamp import stamp_text
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)


class Stream:
    """Where a stream's slides are read from: the cohort's table, and bag files that the slide sheet lists.

    Parameters
    ----------
    stream : {"tile", "cells"}
    cfg : dict
        Keys ``data``, ``acquire.id_column``, ``acquire.<stream>``.
    """

    def __init__(self, stream: str, cfg: dict) -> None:
        self._data, self._key, self._listed = Path(cfg["data"]), cfg["acquire.id_column"], cfg[f"acquire.{stream}"]
        self.table: FeatureTable | None = None
        self._name = stream

    def is_table(self, file: str) -> bool:
        """Whether `file` is the cohort's table; any other one is a bag."""
        return file == self._listed

    def read(self, slide: str, file: str) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, d) float32 and coordinates (n, 2) int32 of a slide; Unusable where they cannot be used."""
        path = self._data / file
        if self.is_table(file):
            self.table = self.table or FeatureTable(path, self._key)
            return self.table.read(slide)
        if path.suffix.lower() not in SUFFIXES:
            raise Unusable(
                f"{path} (slide {slide}): listed as a bag, but it is no .h5 file; "
                "convert it to .h5 with datasets 'features' and 'coords'"
            )
        if not path.is_file():
            raise Unusable(f"{path} (slide {slide}): the file is listed but absent")
        features, coords = read_bag(path)
        check_features(features, f"{path} (slide {slide})")
        if self._name == "cells":  # a tile without cells is zero, and of many tiles all cells are alike
            return features, coords
        own = check_tiles(features, coords, f"{path} (slide {slide})")
        if not own.all():
            log.warning("%s (slide %s): %d rows are zero or repeated, and left out", path, slide, int((~own).sum()))
        return features[own], coords[own]

    def stated(self, file: str) -> dict[str, str]:
        """What a bag says of how it was made; nothing of a table."""
        return {} if self.is_table(file) else stated_recipe(self._data / file)


def import_stream(slides: pd.DataFrame, stream: str, cfg: dict, recipe: dict, store: Path) -> pd.DataFrame:
    """Write ``features.h5`` of a cohort and return its index.

    Every slide is read twice, to check it and then to write it, so that no more than one bag file is held in
    memory; a table is held whole (see `FeatureTable`).

    Parameters
    ----------
    slides : DataFrame
        ``acquire/slides``.
    stream : {"tile", "cells"}
    cfg : dict
        See `Stream`.
    recipe : dict
        Name of what made the features; kept as attributes. Where a table is used, attribute ``columns`` is added,
        a hash of its feature columns in order, and a dataset ``columns`` with their names; where bag files state it,
        ``trained_on`` (JSON), the cohorts that the model of any of them saw.
    store : Path
        ``features`` (N, d) float32, ``coords`` (N, 2) int32, ``offsets`` (slides + 1,), ``slide_id``.

    Returns
    -------
    DataFrame
        Columns of `STREAM_INDEX`; empty where the cohort has no such stream. A slide whose width
        differs from that of most slides is excluded.
    """
    wanted = slides[slides[stream].notna()]
    rows = {
        r["slide_id"]: {**r, "n": 0, "sha": None}
        for r in wanted[["slide_id", "patient_id", "status", "reason"]].to_dict("records")
    }
    for row in rows.values():
        if row["status"] != "ok":
            row["reason"] = f"excluded at acquire: {row['reason']}"
    files = dict(wanted.loc[wanted["status"] == "ok", ["slide_id", stream]].itertuples(index=False, name=None))
    source = Stream(stream, cfg)
    widths: dict[str, int] = {}
    for slide in progress(sorted(files), f"checking {stream} stream"):
        try:
            features, coords = source.read(slide, files[slide])
        except Unusable as reason:
            rows[slide].update(status="excluded", reason=str(reason))
            continue
        widths[slide] = features.shape[1]
        rows[slide].update(n=len(features), sha=array_hash(features, coords))
    width = Counter(widths.values()).most_common(1)[0][0] if widths else 0
    usual = [s for s, w in widths.items() if w == width]
    for slide in widths.keys() - set(usual):
        rows[slide].update(
            status="excluded",
            n=0,
            sha=None,
            reason=f"{files[slide]} (slide {slide}): {widths[slide]} {stream} features, the other slides have {width} "
            f"({len(usual)} of {len(widths)} slides, first {usual[0]} in {files[usual[0]]})",
        )
    usual, stated = _agreeing(usual, rows, files, source)
    kept = {s: rows[s] for s in usual}
    with h5py.File(store, "w") as file:
        _write_bags(file, kept, width, source, files)
        file.attrs.update({**recipe, "d": width, "dtype": "float32", "stamp": stamp_text()})
        if stated:
            file.attrs["stated"] = json.dumps(stated, sort_keys=True)
        if source.table and any(source.is_table(files[s]) for s in kept):
            file.attrs["columns"] = source.table.columns
            file["columns"] = np.array(source.table.names, dtype=h5py.string_dtype())
        bags = sorted({files[s] for s in kept if not source.is_table(files[s])})
        if saw := sorted({cohort for bag in bags for cohort in stated_cohorts(Path(cfg["data"]) / bag)}):
            file.attrs["trained_on"] = json.dumps(saw)
    columns = ["slide_id", "patient_id", "status", "reason", "n", "sha", "unreadable"]
    index = pd.DataFrame(rows.values(), columns=columns).sort_values("slide_id", ignore_index=True)
    log.info("%s: %d slides, %d excluded, %d features", stream, len(index), int((index["status"] != "ok").sum()), width)
    return index


def _agreeing(
    slides: list[str], rows: dict[str, dict], files: dict[str, str], source: Stream
) -> tuple[list[str], dict[str, str]]:
    """Slides whose bags say nothing else of how they were made than most, and what those say; others are excluded."""
    said = {slide: source.stated(files[slide]) for slide in slides}
    usual = {}
    for key in STATED:
        values = Counter(s[key] for s in said.values() if key in s)
        if values:
            usual[key] = values.most_common(1)[0][0]
    left = []
    for slide in slides:
        other = {key: value for key, value in said[slide].items() if value != usual[key]}
        if not other:
            left.append(slide)
            continue
        words = ", ".join(f"{key} '{value}' (of most slides '{usual[key]}')" for key, value in other.items())
        reason = f"{files[slide]} (slide {slide}): its file states {words}"
        rows[slide].update(status="excluded", n=0, sha=None, reason=reason)
    return left, usual


def _write_bags(out: h5py.File, kept: dict[str, dict], width: int, source: Stream, files: dict[str, str]) -> None:
    """Bags of the checked slides end to end, in the order of `kept`."""
    offsets = np.concatenate([[0], np.cumsum([row["n"] for row in kept.values()])]).astype(np.int64)
    features = out.create_dataset("features", (offsets[-1], width), "float32")
    coords = out.create_dataset("coords", (offsets[-1], 2), "int32")
    for i, slide in enumerate(progress(list(kept), "writing checked slides")):
        bag = source.read(slide, files[slide])
        if array_hash(*bag) != kept[slide]["sha"]:
            raise ValueError(f"{files[slide]} (slide {slide}) changed while it was imported; start the job again")
        features[offsets[i] : offsets[i + 1]], coords[offsets[i] : offsets[i + 1]] = bag
    out["offsets"] = offsets
    out["slide_id"] = np.array(list(kept), dtype=h5py.string_dtype())
