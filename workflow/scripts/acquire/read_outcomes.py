"""Outcomes and sites from the clinical table, and what each patient has."""

import logging
from pathlib import Path

from confuselt.acquire.clinical import merge_sites, no_outcomes, of_limit
from confuselt.acquire.clinical import read_outcomes as outcome_rows
from confuselt.acquire.cohort import patient_table
from confuselt.acquire.excluded import check_excluded, log_excluded
from confuselt.acquire.outcomes import check_readable
from confuselt.acquire.schema import OUTCOMES, PATIENTS, RNA, SLIDES
from confuselt.rna.schema import CALLS
from confuselt.run_step import Output, run_step
from confuselt.sheets.read import read_sheet
from confuselt.tables import read_meta, read_table, write_table

READS = ("acquire.id_column", "acquire.limit", "acquire.site", "tasks.survival", "tasks.labels")

log = logging.getLogger("confuselt.acquire")
TOLD = ("filled", "both", "kappa")


def main(
    slides: Path,
    rna: Path,
    outcomes: Output,
    patients: Output,
    cfg: dict,
    calls: list[Path],
    clinical_table: Path | None = None,
    site_map: Path | None = None,
    max_excluded: float = 0.2,
) -> None:
    """Convert outcomes to the project's words; a patient without usable slides and RNA is excluded."""
    called = {path.stem: read_table(path, CALLS) for path in calls}
    table = outcome_rows(clinical_table, cfg, called) if clinical_table else no_outcomes(cfg)
    for path in calls:
        if path.stem in table.agreement:
            table.agreement[path.stem]["groups"] = read_meta(path)["groups"]
    for task, coding in table.codings.items():
        log.info("%s: %s", task, coding)
    for task, found in table.agreement.items():
        log.info("%s: %d patients have their class from RNA; of %d others kappa is %s", task, *map(found.get, TOLD))
    if clinical_table:
        check_readable(table.read, max_excluded, clinical_table)
    facts = merge_sites(table.rows, read_sheet(site_map, codes=("code",)) if site_map else None)
    facts = of_limit(facts, cfg["acquire.limit"]) if len(facts) else facts
    people = patient_table(read_table(slides, SLIDES), read_table(rna, RNA), facts, cfg)
    log_excluded(people, "patients", "patient_id")
    check_excluded(people, max_excluded, "patients", "patient_id")
    write_table(facts, outcomes, OUTCOMES, {"codings": table.codings, "agreement": table.agreement})
    write_table(people, patients, PATIENTS)


if __name__ == "__main__":
    run_step(main, globals())
