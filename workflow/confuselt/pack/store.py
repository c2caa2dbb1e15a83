"""Write the training store: every stream of a cohort, contiguous, slides of a patient side by side."""

import json
import logging
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from confuselt.progress import progress
from confuselt.stamp import get_stamp

log = logging.getLogger(__name__)
STREAMS = ("tile", "cells")
MAKERS = {"tile": "embed_tiles", "cells": "find_cells"}  # of a file per slide


def pack(sources: dict[str, tuple[Path, Path | None]], trained_on: dict[str, list[str]], store: Path) -> None:
    """Join the streams of a cohort, row by row, into one store.

    Parameters
    ----------
    sources : dict
        Stream to (index.parquet, features.h5) of its stage; None for the latter: a file ``<slide>.h5`` per slide beside the index.
    trained_on : dict
        Stream to the cohorts that its model saw.
    store : Path
        ``slide_id``, ``patient_id`` (slides,), sorted by patient; per stream ``<stream>/features`` (N, d) and
        ``<stream>/offsets`` (slides + 1,) and ``<stream>/coords`` (N, 2) int32. A slide without a stream has a span of
        no rows. The attributes of a stream are its recipe, as ``features.h5`` has it (and ``<stream>/columns``, where it came
        from a table: names of the features). Attribute ``excluded``: JSON list of slides whose streams do not align.
    """
    indexes = {s: pd.read_parquet(index) for s, (index, _) in sources.items()}
    usable = {s: i[i["status"] == "ok"].set_index("slide_id") for s, i in indexes.items()}
    owner = pd.concat([u["patient_id"] for u in usable.values()]) if usable else pd.Series(dtype=object)
    owner = owner[~owner.index.duplicated()]
    slides = sorted(owner.index, key=lambda s: (owner[s], s))
    rows = {s: {slide: int(n) for slide, n in usable[s]["n"].items()} for s in usable}
    excluded = []
    for slide in slides:
        counts = {s: rows[s][slide] for s in STREAMS if slide in rows.get(s, {})}
        if len(set(counts.values())) > 1:
            excluded.append(
                {"slide_id": slide, "reason": f"cells stream left out: {counts['cells']} rows of cells for {counts['tile']} tiles; they must align row by row"}
            )
            del rows["cells"][slide]
    with h5py.File(store, "w") as out:
        out["slide_id"] = np.array(slides, dtype=h5py.string_dtype())
        out["patient_id"] = np.array([owner[s] for s in slides], dtype=h5py.string_dtype())
        out.attrs.update(excluded=json.dumps(excluded), stamp=str(get_stamp()))
        for stream, (index, features) in sources.items():
            if features is None:
                _copy_slides(out, stream, index.parent, slides, rows[stream])
            else:
                _copy_stream(out, stream, features, slides, rows[stream])
            out[stream].attrs["trained_on"] = json.dumps(trained_on.get(stream, []))
    log.info(
        "%d slides of %d patients; rows %s; %d slides without aligned cells",
        len(slides),
        owner.nunique(),
        {s: sum(r.values()) for s, r in rows.items()},
        len(excluded),
    )


def _copy_stream(out: h5py.File, stream: str, source: Path, slides: list[str], rows: dict[str, int]) -> None:
    with h5py.File(source) as file:
        at = {s: i for i, s in enumerate(file["slide_id"].asstr()[()])}
        offsets, width = file["offsets"][()], file["features"].shape[1]
        lengths = [rows.get(s, 0) for s in slides]
        group = out.create_group(stream)
        features = group.create_dataset("features", (sum(lengths), width), file["features"].dtype)
        coords = group.create_dataset("coords", (sum(lengths), 2), "int32")
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        group["offsets"] = starts
        for i, slide in enumerate(progress(slides, f"packing {stream}")):
            if lengths[i]:
                span = slice(*offsets[at[slide] : at[slide] + 2])
                features[starts[i] : starts[i + 1]] = file["features"][span]
                coords[starts[i] : starts[i + 1]] = file["coords"][span]
        if "columns" in file:
            file.copy("columns", group)
        group.attrs.update({k: v for k, v in file.attrs.items() if k != "stamp"})


def _copy_slides(out: h5py.File, stream: str, folder: Path, slides: list[str], rows: dict[str, int]) -> None:
    """Bags of their own, one per slide; their recipes must agree."""
    group, lengths = out.create_group(stream), [rows.get(s, 0) for s in slides]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    group["offsets"] = starts
    recipe: dict | None = None
    for i, slide in enumerate(progress(slides, f"packing {stream}")):
        if not lengths[i]:
            continue
        path, again = folder / f"{slide}.h5", f"delete it and run again with --forcerun {MAKERS[stream]}"
        if not path.is_file():
            raise ValueError(f"{path}: the index has this slide, but the file is absent; run again with --forcerun {MAKERS[stream]}")
        with h5py.File(path) as file:
            own = {k: v for k, v in file.attrs.items() if k != "stamp"}
            if recipe is None:
                recipe = own
                group.create_dataset("features", (sum(lengths), file["features"].shape[1]), file["features"].dtype)
                group.create_dataset("coords", (sum(lengths), 2), "int32")
            elif own != recipe:
                raise ValueError(f"{path}: made by {own}, other slides by {recipe}; {again}")
            if len(file["features"]) != lengths[i]:
                raise ValueError(f"{path}: {len(file['features'])} rows, its index says {lengths[i]}; {again}")
            group["features"][starts[i] : starts[i + 1]] = file["features"][()]
            group["coords"][starts[i] : starts[i + 1]] = file["coords"][()]
    if recipe is None:
        group["features"], group["coords"] = np.zeros((0, 0), np.float32), np.zeros((0, 2), np.int32)
    group.attrs.update(recipe or {})
