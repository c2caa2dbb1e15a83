"""Cohort tables from sheets and ready-made tables."""

import logging
from pathlib import Path

import pandas as pd

from confuselt.acquire.cohort import check_all_excluded, exclude_unmatched, merge_sites, patient_table, read_clinical, read_rna_ids, read_streams
from confuselt.acquire.schema import CLINICAL, DOWNLOADS, PATIENTS, RNA, SLIDES
from confuselt.acquire.sheet import read_sheet
from confuselt.acquire.sources import FILES, source_table
from confuselt.run_step import Output, run_step
from confuselt.tables import empty_table, write_table

READS = ("data", "acquire.*", "-acquire.source", "tasks.survival", "tasks.labels", "max_excluded")
log = logging.getLogger("confuselt.acquire")


def main(
    slides: Output,
    rna: Output,
    clinical: Output,
    patients: Output,
    downloads: Output,
    cfg: dict,
    slide_sheet: Path | None = None,
    tile_table: Path | None = None,
    cells_table: Path | None = None,
    rna_matrix: Path | None = None,
    clinical_table: Path | None = None,
    site_map: Path | None = None,
) -> None:
    """Read who has what; exclude what cannot be matched."""
    streams = {k: v for k, v in (("slides", slide_sheet), ("tile", tile_table), ("cells", cells_table)) if v}
    slide_rows = read_streams(streams, cfg)
    rna_rows = read_rna_ids(rna_matrix, cfg) if rna_matrix else empty_table(RNA)
    facts = read_clinical(clinical_table, cfg) if clinical_table else empty_clinical(cfg)
    facts = merge_sites(facts, read_sheet(site_map, ids=("code", "institution")) if site_map else None)
    ids = {
        "the slides": set(slide_rows["patient_id"]),
        "the RNA": set(rna_rows["patient_id"]),
        "the clinical table": set(facts["patient_id"]),
    }
    slide_rows = exclude_unmatched(slide_rows, {k: v for k, v in ids.items() if v and k != "the slides"}, "slides")
    rna_rows = exclude_unmatched(rna_rows, {k: v for k, v in ids.items() if v and k != "the RNA"}, rna_matrix.name if rna_matrix else "")
    people = patient_table(slide_rows, rna_rows, facts, cfg)
    tables = [(slide_rows, "slides", "slide_id"), (rna_rows, "RNA samples", "sample_id"), (people, "patients", "patient_id")]
    for frame, what, key in tables:
        for row in frame[frame["status"] == "excluded"].to_dict("records"):
            log.warning("%s %s excluded: %s", what, row[key], row["reason"])
    check_all_excluded(tables, cfg["max_excluded"])
    write_table(slide_rows, slides, SLIDES)
    write_table(rna_rows, rna, RNA)
    write_table(facts, clinical, CLINICAL)
    write_table(people, patients, PATIENTS)
    write_table(source_table({k: Path(cfg["data"]) / cfg[f"acquire.{k}"] for k in FILES if cfg[f"acquire.{k}"]}), downloads, DOWNLOADS)


def empty_clinical(cfg: dict) -> pd.DataFrame:
    """A clinical table without rows, for a cohort to predict on."""
    names = [f"{t['name']}_{c}" for t in cfg["tasks.survival"] for c in ("days", "event")]
    names += [f"label_{t['name']}" for t in cfg["tasks.labels"]]
    return empty_table(CLINICAL).reindex(columns=[*CLINICAL.columns, *names])


if __name__ == "__main__":
    run_step(main, globals())
