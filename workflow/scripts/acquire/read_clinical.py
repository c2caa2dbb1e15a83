"""Outcomes, covariates and sites from the clinical table, and what each patient has."""

import logging
from pathlib import Path

import pandas as pd

from confuselt.acquire.cohort import Clinical, merge_sites, patient_table
from confuselt.acquire.cohort import read_clinical as clinical_rows
from confuselt.acquire.excluded import check_excluded, log_excluded
from confuselt.acquire.limit import first_patients
from confuselt.acquire.outcomes import check_readable
from confuselt.acquire.schema import CLINICAL, PATIENTS, RNA, SLIDES
from confuselt.run_step import Output, run_step
from confuselt.sheets.read import read_sheet
from confuselt.tables import empty_table, read_table, write_table

READS = (
    "acquire.id_column",
    "acquire.limit",
    "acquire.site",
    "acquire.covariates",
    "tasks.survival",
    "tasks.labels",
)

log = logging.getLogger("confuselt.acquire")


def main(
    slides: Path,
    rna: Path,
    clinical: Output,
    patients: Output,
    cfg: dict,
    clinical_table: Path | None = None,
    site_map: Path | None = None,
    max_excluded: float = 0.2,
) -> None:
    """Convert outcomes to the project's words; a patient without usable slides and RNA is excluded."""
    table = clinical_rows(clinical_table, cfg) if clinical_table else Clinical(empty_clinical(cfg), {}, {})
    facts, meta = table.rows, {"codings": table.codings}
    for task, coding in table.codings.items():
        log.info("%s: %s", task, coding)
    if clinical_table:
        check_readable(table.read, max_excluded, clinical_table)
    facts = merge_sites(facts, read_sheet(site_map, codes=("code",)) if site_map else None)
    if (chosen := first_patients(facts["patient_id"], [], cfg["acquire.limit"])) is not None and len(facts):
        facts = facts[facts["patient_id"].isin(chosen)].reset_index(drop=True)
    people = patient_table(read_table(slides, SLIDES), read_table(rna, RNA), facts, cfg)
    log_excluded(people, "patients", "patient_id")
    check_excluded(people, max_excluded, "patients", "patient_id")
    write_table(facts, clinical, CLINICAL, meta)
    write_table(people, patients, PATIENTS)


def empty_clinical(cfg: dict) -> pd.DataFrame:
    """A clinical table without rows, for a cohort to predict on."""
    names = [f"{t['name']}_{c}" for t in cfg["tasks.survival"] for c in ("days", "event")]
    names += [f"label_{t['name']}" for t in cfg["tasks.labels"]]
    return empty_table(CLINICAL).reindex(columns=[*CLINICAL.columns, *names])


if __name__ == "__main__":
    run_step(main, globals())
