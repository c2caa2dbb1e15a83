"""What made an experiment: code, settings and versions by rule, as the files themselves say."""

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import pandas as pd

from confuselt.learn.checkpoint import load_checkpoint
from confuselt.report.sources import Sources
from confuselt.tables import read_stamp

BY_RULE = ("stage", "rule", "code", "config", "settings")
CHAIN = ("acquire", "tile", "embed", "cells", "rna", "split", "pack", "pretrain", "finetune", "evaluate")


def provenance(sources: Sources, models: list[dict]) -> list[dict]:
    """A row per rule (two, where files of one rule were made in two ways), in the order of the chain.

    Of what a stage makes per slide, the first slide's file stands for all.

    Parameters
    ----------
    sources : Sources
    models : list of dict
        Checkpoints of the arms.

    Returns
    -------
    list of dict
        ``stage, rule, code, config`` (hashes), ``settings`` (dict), ``versions`` (dict).
    """
    found = {}
    for stamp in _stamps(sources, models):
        if "rule" not in stamp:  # written by hand, by no job
            continue
        versions = {name: value for name, value in stamp.items() if name not in BY_RULE}
        row = {name: stamp[name] for name in BY_RULE} | {"versions": versions}
        found[stamp["stage"], stamp["rule"], stamp["code"], stamp["config"]] = row
    return sorted(found.values(), key=lambda row: (CHAIN.index(row["stage"]), row["rule"]))


def _stamps(sources: Sources, models: list[dict]) -> Iterator[dict]:
    tables = ("outcomes", "covariates", "patients", "downloads", "slides", "rna_index", "folds", "predictions")
    for path in (getattr(sources, name) for name in tables):
        yield read_stamp(path)
    for index, suffix in ((sources.grids, ".parquet"), (sources.tile_index, ".h5"), (sources.cells_index, ".h5")):
        if index is not None:
            yield read_stamp(index)
            yield from _of_first_slide(index, suffix)
    for table in (sources.attributions, sources.space, sources.tiles):
        if table is not None:
            yield read_stamp(table)
    # Where nobody of training has RNA, there is no normaliser.
    yield json.loads(sources.rna.with_suffix(".json").read_text()).get("stamp", {})
    yield _of_hdf5(sources.store)
    yield from (model["stamp"] for model in models)
    for path in sources.others:
        yield OF_KIND[path.suffix](path)


def _of_first_slide(index: Path, suffix: str) -> Iterator[dict]:
    """Ready-made features are one file of all slides."""
    used = pd.read_parquet(index, columns=["slide_id", "status"]).query("status == 'ok'")["slide_id"]
    names = [f"{slide}{suffix}" for slide in used[:1]] + [f"features{suffix}"]
    path = next((index.parent / name for name in names if (index.parent / name).is_file()), None)
    if path is not None:
        yield _of_hdf5(path) if suffix == ".h5" else read_stamp(path)


def _of_hdf5(path: Path) -> dict:
    with h5py.File(path) as file:
        return json.loads(file.attrs["stamp"])


def _of_checkpoint(path: Path) -> dict:
    return load_checkpoint(path)["stamp"]


OF_KIND = {".parquet": read_stamp, ".h5": _of_hdf5, ".pt": _of_checkpoint}


def write_provenance(rows: list[dict], path: Path) -> None:
    """Write `provenance` as JSON."""
    Path(path).write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")
