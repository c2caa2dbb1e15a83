"""Covariates from the clinical table."""

from pathlib import Path

from confuselt.acquire.clinical import of_limit
from confuselt.acquire.clinical import read_covariates as covariate_rows
from confuselt.acquire.schema import COVARIATES
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

READS = ("acquire.id_column", "acquire.limit", "acquire.covariates")


def main(clinical_table: Path, covariates: Output, cfg: dict) -> None:
    """Decide once per column whether it is one of numbers; who is in the cohort is said elsewhere."""
    write_table(of_limit(covariate_rows(clinical_table, cfg), cfg["acquire.limit"]), covariates, COVARIATES)


if __name__ == "__main__":
    run_step(main, globals())
