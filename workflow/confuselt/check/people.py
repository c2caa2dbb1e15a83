"""Who is in a cohort, as the first jobs of a run would find: slides, RNA, outcomes, folds."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from confuselt.acquire.clinical import id_columns, merge_sites, of_limit, read_columns, read_outcomes
from confuselt.acquire.cohort import exclude_unmatched, patient_table, read_rna_ids, read_streams
from confuselt.acquire.excluded import EXCLUDED, OK
from confuselt.acquire.schema import RNA
from confuselt.acquire.sources import existing_files, folder_rows
from confuselt.config.root import Config
from confuselt.rna.gather import gather
from confuselt.run_step import SCRIPTS
from confuselt.settings import settings
from confuselt.sheets.read import read_sheet
from confuselt.split.folds import folds_from_file, make_folds, usable_patients
from confuselt.tables import empty_table

SHOWN = 3  # reasons that are written out
# Detectable difference of C (80 % power at the first step of Holm) times the root of the events: of nearly equal arms
# to very different ones, on 135 simulated and 69 to 97 real events (docs/STATISTICS.md).
DETECTABLE = (1.0, 2.7)


@dataclass(frozen=True)
class People:
    """Tables of the first jobs, in memory.

    Attributes
    ----------
    slides, rna, outcomes, patients : DataFrame
        As ``acquire`` writes them.
    read : dict of str to (int, list of str)
        See `acquire.clinical.Outcomes`.
    """

    slides: pd.DataFrame
    rna: pd.DataFrame
    outcomes: pd.DataFrame
    patients: pd.DataFrame
    read: dict[str, tuple[int, list[str]]]


def read_people(config: Config) -> People:
    """Read and match the tables of a local cohort; ValueError where one cannot be read."""
    files = existing_files(config)
    cfg = settings(SCRIPTS / "acquire/read_sheets.py", config) | settings(SCRIPTS / "acquire/read_outcomes.py", config)
    streams = {key: files[key] for key in ("slides", "tile", "cells") if key in files}
    slides = read_streams(streams, cfg, folder_rows(config))
    rna = read_rna_ids(files["rna"], cfg) if "rna" in files else empty_table(RNA)
    known = set(read_columns(files["clinical"], id_columns(cfg), cfg)[config.acquire.id_column].dropna())
    table = files["clinical"].name
    slides = exclude_unmatched(
        slides, known, table, ", ".join(p.name for p in streams.values()) or "the folder of slides"
    )
    rna = exclude_unmatched(rna, known, table, files["rna"].name if "rna" in files else "")
    if "rna" in files:
        is_counts, key = config.rna.matrix == "counts", config.acquire.id_column
        _, found = gather(files["rna"], rna, key, is_counts, Path(config.data), config.rna.round)
        rna = rna.assign(status=found["status"], reason=rna["reason"].where(rna["status"] != OK, found["reason"]))
    read = read_outcomes(files["clinical"], cfg)
    sites = read_sheet(files["site_map"], codes=("code",)) if "site_map" in files else None
    outcomes = of_limit(merge_sites(read.rows, sites), config.acquire.limit)
    return People(slides, rna, outcomes, patient_table(slides, rna, outcomes, cfg), read.read)


def counted(people: People, share: float) -> tuple[list[str], list[str]]:
    """How many there are of what, and why some are left out; and for what of it a run would stop."""
    there = people.patients[people.patients["status"] == OK]
    slides, rna = there["slides"] > 0, there["rna"] > 0
    lines = [
        f"{len(there)} patients: {int((slides & rna).sum())} with slides and RNA, {int((slides & ~rna).sum())} with "
        f"slides only, {int((~slides & rna).sum())} with RNA only"
    ]
    faults = []
    for frame, what in ((people.slides, "slides"), (people.rna, "RNA samples"), (people.patients, "patients")):
        out = frame[frame["status"] == EXCLUDED]
        if len(out):
            told = f"{len(out)} of {len(frame)} {what} would be left out"
            lines.append(told)
            if len(out) > share * len(frame):
                faults.append(f"{told}: more than max_excluded ({share:.0%}), first: {out['reason'].iloc[0]}")
            lines += [f"  {reason}" for reason in out["reason"].head(SHOWN)]
            lines += [f"  and {len(out) - SHOWN} more"] * (len(out) > SHOWN)
    return lines, faults


def folds_of(people: People, config: Config) -> pd.DataFrame:
    """Folds as `make_folds` would draw them; ValueError where there are none."""
    cfg = settings(SCRIPTS / "split/make_folds.py", config)
    facts = usable_patients(people.outcomes, people.patients)
    if config.split.source == "file":
        return folds_from_file(Path(config.data, config.split.file), facts, cfg)
    return make_folds(facts, cfg)


def events_per_fold(people: People, folds: pd.DataFrame, config: Config) -> list[str]:
    """A line per endpoint: events of every test fold of the first repeat, and what they can tell."""
    facts, lines = people.outcomes.set_index("patient_id"), []
    test = folds[(folds["role"] == "test") & (folds["repeat"] == 0)]
    for task in config.tasks.survival:
        events = facts[f"{task.name}_event"].reindex(test["patient_id"]).groupby(test["fold"].to_numpy()).sum()
        counts = ", ".join(f"{int(n)}" for n in events)
        lines.append(f"{task.name}: events in test folds: {counts}; {_able(int(events.sum()), config)}")
    return lines


def _able(events: int, config: Config) -> str:
    """What a number of events can tell."""
    if events < config.evaluate.min_events:
        return f"{events} in all, fewer than {config.evaluate.min_events}: it would be described, not compared"
    low, high = (k / events**0.5 for k in DETECTABLE)
    wanted = [round((k / 0.03) ** 2, -2) for k in DETECTABLE]
    return (
        f"{events} in all: differences of C under {low:.2f} to {high:.2f} would be missed "
        f"(to see 0.03 it takes {wanted[0]:.0f} to {wanted[1]:.0f} events)"
    )
