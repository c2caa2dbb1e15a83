"""Write the training store: every stream of a cohort, contiguous, slides of a patient side by side."""

import json
import logging
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from confuselt.content import array_hash
from confuselt.pack.align import Alignment, align
from confuselt.progress import progress
from confuselt.stamp import stamp_text
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)
STREAMS = ("tile", "cells")
ONE_UNIT = 0.01  # a factor so close to 1 is rounding
MAKERS = {"tile": "embed_tiles", "cells": "find_cells", "deep": "pool_cells"}  # of a file per slide


class Source:
    """Checked features of one stream: one file of the whole cohort, or one per slide beside the index.

    Parameters
    ----------
    stream : {"tile", "cells", "deep"}
    index : Path
        ``index.parquet`` of the stage.
    features : Path or None
        ``features.h5``; None: ``<slide>.h5`` beside the index.

    Attributes
    ----------
    usable : DataFrame
        By slide: ``patient_id, n, sha``.
    """

    def __init__(self, stream: str, index: Path, features: Path | None) -> None:
        table = pd.read_parquet(index)
        self.usable = table[table["status"] == "ok"].set_index("slide_id")
        self._stream, self._folder, self._whole = stream, index.parent, h5py.File(features) if features else None
        self._at = {s: i for i, s in enumerate(self._whole["slide_id"].asstr()[()])} if features else {}
        self._offsets = self._whole["offsets"][()] if features else None
        self._recipe: dict | None = None

    def read(self, slide: str, dataset: str) -> np.ndarray:
        """``features`` (n, d) or ``coords`` (n, 2) of a slide; slides of a stream must have been made alike."""
        if self._whole is not None:
            return self._whole[dataset][slice(*self._offsets[self._at[slide] : self._at[slide] + 2])]
        path, again = self._folder / f"{slide}.h5", f"delete it and run again with --forcerun {MAKERS[self._stream]}"
        if not path.is_file():
            raise ValueError(
                f"{path}: the index has this slide, "
                f"but the file is absent; run again with --forcerun {MAKERS[self._stream]}"
            )
        with h5py.File(path) as file:
            own = {k: v for k, v in file.attrs.items() if k != "stamp"}
            self._recipe = self._recipe or own
            if own != self._recipe:
                raise ValueError(f"{path}: made by {own}, other slides by {self._recipe}; {again}")
            if len(file["features"]) != self.usable.at[slide, "n"]:
                raise ValueError(
                    f"{path}: {len(file['features'])} rows, its index says {self.usable.at[slide, 'n']}; {again}"
                )
            return file[dataset][()]

    def layout(self, slides: list[str]) -> tuple[int, np.dtype]:
        """Width and type of the features."""
        if self._whole is not None:
            return self._whole["features"].shape[1], self._whole["features"].dtype
        first = self.read(slides[0], "features") if slides else np.zeros((0, 0), np.float32)
        return first.shape[1], first.dtype

    def describe(self, group: h5py.Group) -> None:
        """Write the recipe, and the names of features where they came from a table."""
        if self._whole is not None:
            if "columns" in self._whole:
                self._whole.copy("columns", group)
            self._recipe = {k: v for k, v in self._whole.attrs.items() if k != "stamp"}
        group.attrs.update(self._recipe or {})


def pack(sources: dict[str, tuple[Path, Path | None]], store: Path) -> None:
    """Join the streams of a cohort into one store, instance by instance.

    Cells are brought into the order of the tiles by their places; where these are not the same, the slide keeps its
    tiles alone.

    Parameters
    ----------
    sources : dict
        Stream to (index.parquet, features.h5) of its stage; None for the latter: a file ``<slide>.h5`` per slide beside
        the index.
    store : Path
        ``slide_id``, ``patient_id`` (slides,), sorted by patient; per stream ``<stream>/features`` (N, d) and
        ``<stream>/offsets`` (slides + 1,), ``<stream>/coords`` (N, 2) int32 and ``<stream>/sha`` (slides,), the content
        hash of each bag ('': none). A slide without a stream has a span of no rows. The attributes of a stream are its
        recipe, as ``features.h5`` has it (and ``<stream>/columns``, where it came from a table: names of the features).
        Attributes, JSON: ``excluded``, slides whose streams do not align; ``by_number``, slides whose streams only
        their row numbers join; ``factors``, slide to the factor between its streams' coordinates, where it is not 1;
        ``without_cells``, slide to the number of its tiles that are left out because nothing is known of their cells.
    """
    found = {s: Source(s, *paths) for s, paths in sources.items()}
    owner = pd.concat([s.usable["patient_id"] for s in found.values()]) if found else pd.Series(dtype=object)
    owner = owner[~owner.index.duplicated()]
    slides = sorted(owner.index, key=lambda s: (owner[s], s))
    rows = {s: {slide: int(n) for slide, n in source.usable["n"].items()} for s, source in found.items()}
    aligned: dict[str, Alignment] = {}
    excluded = []
    for slide in progress(
        [s for s in slides if all(s in rows.get(stream, {}) for stream in STREAMS)], "aligning cells with tiles"
    ):
        try:
            aligned[slide] = align(*(found[stream].read(slide, "coords") for stream in STREAMS))
        except Unusable as reason:
            excluded.append({"slide_id": slide, "reason": f"cells stream left out: {reason}"})
            del rows["cells"][slide]
    parted = {slide: rows["tile"][slide] - len(how.rows) for slide, how in aligned.items() if how.rows is not None}
    for slide in parted:
        rows["tile"][slide] = rows["cells"][slide] = len(aligned[slide].rows)
    by_number = [slide for slide, how in aligned.items() if how.by_number]
    factors = {slide: how.factor for slide, how in aligned.items() if abs(how.factor - 1) > ONE_UNIT}
    with h5py.File(store, "w") as out:
        out["slide_id"] = np.array(slides, dtype=h5py.string_dtype())
        out["patient_id"] = np.array([owner[s] for s in slides], dtype=h5py.string_dtype())
        out.attrs.update(
            excluded=json.dumps(excluded),
            by_number=json.dumps(by_number),
            factors=json.dumps(factors),
            without_cells=json.dumps(parted),
            stamp=stamp_text(),
        )
        for stream, source in found.items():
            orders = {slide: how.order if stream == "cells" else how.rows for slide, how in aligned.items()}
            _copy(out.create_group(stream), stream, source, slides, rows[stream], orders)
    if by_number:
        log.warning(
            "cells of %d slides are joined to tiles by row number only: a bag of theirs has no coordinates; first %s",
            len(by_number),
            by_number[:5],
        )
    log.info(
        "%d slides of %d patients; rows %s; %d slides without aligned cells, %d without those of some tiles",
        len(slides),
        owner.nunique(),
        {s: sum(r.values()) for s, r in rows.items()},
        len(excluded),
        len(parted),
    )


def _copy(
    group: h5py.Group,
    stream: str,
    source: Source,
    slides: list[str],
    rows: dict[str, int],
    orders: dict[str, np.ndarray | None],
) -> None:
    """One stream, slide by slide, each in the order that is wanted of it."""
    lengths = [rows.get(s, 0) for s in slides]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    group["offsets"] = starts
    width, dtype = source.layout([s for s in slides if s in rows])
    features = group.create_dataset("features", (sum(lengths), width), dtype)
    coords = group.create_dataset("coords", (sum(lengths), 2), "int32")
    for i, slide in enumerate(progress(slides, f"packing {stream}")):
        if lengths[i]:
            order = slice(None) if orders.get(slide) is None else orders[slide]
            features[starts[i] : starts[i + 1]] = source.read(slide, "features")[order]
            coords[starts[i] : starts[i + 1]] = source.read(slide, "coords")[order]
    # The rows of the store hang on how they were ordered, too: whoever knows it by its hashes must see that.
    group.attrs["order"] = array_hash(*(order for order in orders.values() if order is not None))
    shas = source.usable["sha"]
    group["sha"] = np.array([str(shas[s]) if s in rows else "" for s in slides], dtype=h5py.string_dtype())
    source.describe(group)
