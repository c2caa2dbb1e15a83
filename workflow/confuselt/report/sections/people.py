"""Who is in it: patients, slides and RNA that are left, who was left out and why, events per site and fold."""

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import pandas as pd

from confuselt.evaluate.sites import missing_outcomes
from confuselt.report.cohort_page import (
    how_joined,
    intersection_figure,
    intersections,
    odd_outcomes,
    one_clock,
    reason_counts,
    sites_figure,
    unseen_levels,
)
from confuselt.report.rna_page import depth, rna_facts, rna_figure
from confuselt.report.run import Run
from confuselt.report.section import Content, Section, pictures
from confuselt.report.slides import slide_warnings, tile_facts
from confuselt.report.sources import Sources
from confuselt.tables import read_meta


def make(run: Run) -> Content:
    """See `Section.make`."""
    tables, cfg, sources = run.tables, run.cfg, run.sources
    tasks = [*run.labels, *run.endpoints]
    is_counts, about = cfg["rna.matrix"] == "counts", read_meta(sources.outcomes)
    samples = depth(run.rna_index, is_counts)
    cohort, lost = cohort_facts(run), list(exclusions(sources))
    facts = {
        "cohort": cohort,
        "missing": missing_outcomes(tables["outcomes"][tables["outcomes"]["status"] == "ok"], run.endpoints),
        "folds": fold_table(run),
        "reasons": reason_counts(lost),
        "exclusions": lost,
        "warnings": [
            *one_clock(tables["outcomes"], run.endpoints),
            *odd_outcomes(tables["outcomes"], cfg["tasks.survival"]),
            *unseen_levels(tables["covariates"], tables["folds"]),
            *how_joined(sources.store),
            *slide_warnings(sources.grids, sources.cells_index, tables["patients"]),
        ],
        "codings": about.get("codings", {}),
        "agreement": about.get("agreement", {}),
        "rna": rna_facts(samples, is_counts) if len(samples) else None,
        "slides": tile_facts(pd.read_parquet(sources.grids)) if sources.grids is not None else None,
    }
    return Content(
        _result(cohort),
        facts,
        pictures(
            intersections=(
                intersection_figure(tables["patients"], tasks),
                "Patients by what they have",
                intersections(tables["patients"], tasks),
            ),
            sites=(
                sites_figure(tables["patients"], tables["outcomes"], run.endpoints),
                "Patients and events by site",
                tables["patients"].groupby("site", dropna=False).size().rename("patients").reset_index(),
            ),
            rna=(rna_figure(samples, is_counts), "Depth of each RNA sample and genes that it shows", samples),
        ),
    )


def _result(cohort: dict) -> str:
    sites = cohort["sites"]
    where = f" of {sites} site{'' if sites == 1 else 's'}" if sites else ", of whom no site is known"
    return (
        f"{cohort['patients']} patients{where}: {cohort['both']} with slides and RNA, "
        f"{cohort['slide only']} with slides only, {cohort['RNA only']} with RNA only; {cohort['excluded']} were left "
        "out."
    )


def cohort_facts(run: Run) -> dict:
    """Counts for the first table."""
    patients, outcomes = run.tables["patients"], run.tables["outcomes"]
    people = patients[patients["status"] == "ok"]
    facts = outcomes.set_index("patient_id").reindex(people["patient_id"])
    slides, rna = people["slides"] > 0, people["rna"] > 0
    endpoints = [
        {"task": name, "n": int(facts[f"{name}_event"].notna().sum()), "events": int(facts[f"{name}_event"].sum())}
        for name in run.endpoints
    ]
    labels = [
        {
            "task": task["name"],
            # A class that nobody has is one of them.
            "classes": dict.fromkeys(task["classes"], 0) | facts[f"label_{task['name']}"].value_counts().to_dict(),
        }
        for task in run.cfg["tasks.labels"]
    ]
    return {
        "patients": len(people),
        "excluded": int((patients["status"] != "ok").sum()),
        "both": int((slides & rna).sum()),
        "slide only": int((slides & ~rna).sum()),
        "RNA only": int((~slides & rna).sum()),
        "neither": int((~slides & ~rna).sum()),
        "sites": int(people["site"].nunique()),
        "endpoints": endpoints,
        "labels": labels,
    }


def fold_table(run: Run) -> list[dict]:
    """Patients, sites and events of every test fold."""
    facts, rows = run.tables["outcomes"].set_index("patient_id"), []
    for (repeat, fold), part in run.tables["folds"].groupby(["repeat", "fold"]):
        test = part[part["role"] == "test"]
        sizes = part["role"].value_counts()
        rows.append(
            {
                "repeat": repeat,
                "fold": fold,
                "test": len(test),
                "inner": int(sizes.get("inner", 0)),
                "train": int(sizes.get("train", 0)),
                "sites": int(test["site"].nunique()),
                "events": {n: int(facts.loc[test["patient_id"], f"{n}_event"].sum()) for n in run.endpoints},
            }
        )
    return rows


def exclusions(sources: Sources) -> Iterator[dict]:
    """Everything that was left out or mended, with its reason: files, slides, samples, patients, single values."""
    downloads = pd.read_parquet(sources.downloads)
    for row in downloads[(downloads["status"] != "ok") | downloads["reason"].notna()].to_dict("records"):
        yield {"stage": "acquire", "what": "file", "id": row["file"], "reason": row["reason"]}
    for stage, path, key in (
        ("acquire", sources.slides, "slide_id"),
        ("embed", sources.tile_index, "slide_id"),
        ("cells", sources.cells_index, "slide_id"),
        ("rna", sources.rna_index, "sample_id"),
        ("acquire", sources.patients, "patient_id"),
    ):
        table = pd.read_parquet(path)
        for row in table[table["status"] != "ok"].to_dict("records"):
            yield {"stage": stage, "what": key.removesuffix("_id"), "id": row[key], "reason": row["reason"]}
    with h5py.File(sources.store) as file:
        for row in json.loads(file.attrs["excluded"]):
            yield {"stage": "pack", "what": "slide", "id": row["slide_id"], "reason": row["reason"]}
    outcomes, covariates = pd.read_parquet(sources.outcomes), pd.read_parquet(sources.covariates)
    usable = outcomes.loc[outcomes["status"] == "ok", "patient_id"]
    values = pd.concat([outcomes, covariates])[["patient_id", "reason"]]
    for row in values[values["reason"].notna() & values["patient_id"].isin(usable)].to_dict("records"):
        yield {"stage": "acquire", "what": "value", "id": row["patient_id"], "reason": row["reason"]}


SECTION = Section("people", "Who is in it", Path(__file__).with_name("people.html.j2"), make)
