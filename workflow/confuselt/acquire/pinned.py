"""The pinned manifest of a GDC cohort, as the workflow and its jobs read it."""

import json
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from confuselt.acquire.excluded import OK
from confuselt.acquire.limit import first_patients
from confuselt.config.root import Config


def manifest_path(cohort: str) -> Path:
    """Where `snakemake cohort` writes the manifest of a cohort."""
    return Path("resources/cohorts", cohort, "manifest.parquet")


@cache
def read_manifest(path: Path) -> tuple[list[dict], dict]:
    """Rows of a manifest, and what it says of itself: project, release, query, date."""
    table = pq.read_table(path)
    return table.to_pylist(), json.loads(table.schema.metadata[b"meta"])


def left_out(config: Config, cohort: str) -> list[dict]:
    """``what, file, reason`` of the project's files that the manifest leaves out."""
    rows = _checked(config, cohort)
    return [{"what": row["what"], "file": row["file_id"], "reason": row["reason"]} for row in rows if row["status"] != OK]


def cohort_rows(config: Config, cohort: str, what: str | None = None) -> list[dict]:
    """Used rows of the manifest, each with the ``file`` (below ``acquire/gdc``) that it becomes.

    Parameters
    ----------
    config : Config
        As the cohort sees it.
    cohort : str
    what : {"slide", "rna", "outcomes", "subtypes"}, optional
        Only these.

    Raises
    ------
    ValueError
        The manifest is not there yet, or is one of another project.
    """
    used = [row for row in _checked(config, cohort) if row["status"] == OK]
    chosen = first_patients([], [row["patient_id"] for row in used if row["patient_id"]], config.acquire.limit)
    return [
        {**row, "file": local_name(row)}
        for row in used
        if (what is None or row["what"] == what) and (chosen is None or not row["patient_id"] or row["patient_id"] in chosen)
    ]


def _checked(config: Config, cohort: str) -> list[dict]:
    path = manifest_path(cohort)
    if not path.is_file():
        raise ValueError(
            f"cohort '{cohort}': {path} is absent. Run `snakemake cohort` with the same config first: it asks {config.acquire.gdc.url} and pins the files"
        )
    rows, about = read_manifest(path)
    if about["project"] != config.acquire.gdc.project:
        raise ValueError(
            f"{path} is of project {about['project']}, acquire.gdc.project is {config.acquire.gdc.project}: choose another `cohort`, or run `snakemake cohort --forcerun cohort`"
        )
    return rows


def local_name(row: dict) -> str:
    """Relative path of a fetched file: of checked ids and a known suffix, never the server's word."""
    if row["what"] == "slide":
        return f"slides/{row['slide_id']}{Path(row['file_name']).suffix.lower()}"
    if row["what"] == "rna":
        return f"rna/{row['file_id']}.tsv"
    return f"{row['what']}{'.xlsx' if row['file_name'].endswith('.xlsx') else '.tsv'}"
