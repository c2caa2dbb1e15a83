"""What every table of a cohort is understood to say, and what of it cannot be read."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.acquire.headers import header_notes
from confuselt.acquire.outcomes import event_column, read_covariate, read_endpoint, read_label, time_columns
from confuselt.acquire.sources import existing_files
from confuselt.config.root import Config
from confuselt.sheets.genes import genes_in_rows, samples_of
from confuselt.sheets.read import columns_of, read_sheet

SHOWN = 4  # names that are written out
FEATURES = {"tile": "features", "cells": "features", "rna": "genes"}


def described(config: Config) -> tuple[list[str], list[str]]:
    """Lines on every table that `acquire` lists and that is there, and the faults of those that cannot be read."""
    lines, faults = [], []
    for key, path in existing_files(config).items():
        try:
            said, wrong = _table(key, path, config)
            lines += [*said, ""]
            faults += [f"acquire.{key}: {fault}" for fault in wrong]
        except ValueError as fault:
            faults.append(f"acquire.{key}: {fault}")
    return lines, faults


def _table(key: str, path: Path, config: Config) -> tuple[list[str], list[str]]:
    """Lines on a table, and what is wrong with single columns of it."""
    ids = config.acquire.id_column
    header = columns_of(path)
    lines = [f"acquire.{key}: {path}", *(f"  {note}" for note in header_notes(key, path, ids))]
    if key == "clinical":
        events = tuple(task.event_column for task in config.tasks.survival)
        said, faults = _clinical(read_sheet(path, codes=(config.acquire.site,), nones=events), config, path.name)
        return lines + said, faults
    if key == "rna" and genes_in_rows(path, ids):
        samples = list(samples_of(path).values())
        return [*lines, f"  genes in rows; {len(samples)} columns of samples: {_some(samples)}"], []
    if ids not in header:
        return lines, []
    found = read_sheet(path, [ids])[ids]
    lines.append(f"  {len(found)} rows; id: {ids}, {found.nunique()} different: {_some(list(found.dropna().unique()))}")
    listed = [column for column in ("file", "tile", "cells") if column in header]
    if key in FEATURES and not listed:
        names = [name for name in header if name not in (ids, "slide_id", "sample_id", "x", "y")]
        return [*lines, f"  {len(names)} {FEATURES[key]}: {_some(names)}"], []
    for column in listed if key in ("slides", "rna") else ():
        files = read_sheet(path, [column])[column].dropna()
        lost = [name for name in files if not Path(config.data, name).is_file()]
        absent = f", {len(lost)} of them absent: {_some(lost)}" if lost else ", all there"
        lines.append(f"  {column}: {len(files)} files{absent}")
    return lines, []


def _clinical(table: pd.DataFrame, config: Config, file: str) -> tuple[list[str], list[str]]:
    """Meaning of the columns of the clinical table, and what is wrong with some.

    The coding of endpoints is told with their events.
    """
    acquire, tasks, faults = config.acquire, config.tasks, []
    ids = table.get(acquire.id_column, pd.Series(dtype=object))
    lines = [
        f"  {len(table)} rows; id: {acquire.id_column}, {ids.nunique()} different: {_some(list(ids.dropna().unique()))}"
    ]
    used = {acquire.id_column}
    if acquire.site in table:
        sizes = Counter(table[acquire.site].dropna())
        lines.append(
            f"  site: {acquire.site}, {len(sizes)} sites of {min(sizes.values(), default=0)} to "
            f"{max(sizes.values(), default=0)} patients, {int(table[acquire.site].isna().sum())} patients without"
        )
        used.add(acquire.site)
    for task in (t.model_dump() for t in tasks.survival):
        used |= {*time_columns(task), event_column(task)}
        try:
            read_endpoint(table, task, file)
        except ValueError as fault:
            faults.append(str(fault))
    for task in tasks.labels:
        calls = config.rna.calls.get(task.name)
        called = f"called from RNA by {calls.centroids}" if calls else None
        if task.label_column not in table:
            what = called or "so that this task is not available"
            lines.append(f"  label {task.name}: no column '{task.label_column}', {what}")
            continue
        classes, odd = read_label(table, task.model_dump(), "")
        counted = Counter(c for c in classes if c is not None)
        said = ", ".join(f"{name} {counted[name]}" for name in task.classes)
        lines.append(
            f"  label {task.name}: column {task.label_column}: {said}"
            + (f"; {len(odd)} other values" if odd else "")
            + (f"; others {called}" if called else "")
        )
        used.add(task.label_column)
    for name in (c for c in acquire.covariates if c in table):
        used.add(name)
        try:
            lines.append(f"  covariate {name}: {_covariate(table[name], name, file)}")
        except ValueError as fault:
            faults.append(str(fault))
    others = [name for name in table if name not in used]
    return [*lines, f"  not read: {_some(others)}" if others else "  every column is read"], faults


def _covariate(values: pd.Series, name: str, file: str) -> str:
    read, odd = read_covariate(values, name, file)
    numbers = pd.to_numeric(read, errors="coerce")
    missing = f"{int(read.isna().sum())} missing" + (f", {len(odd)} read otherwise than written" if odd else "")
    if read.notna().any() and numbers.notna().sum() == read.notna().sum():
        return f"numbers from {np.nanmin(numbers):g} to {np.nanmax(numbers):g}, {missing}"
    levels = Counter(read.dropna())
    return f"classes {_some([f'{level} {count}' for level, count in levels.most_common()])}, {missing}"


def _some(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(str, names[:SHOWN])) + more
