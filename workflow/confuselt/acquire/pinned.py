"""The pinned manifest of a GDC cohort, as the workflow and its jobs read it."""

import json
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from confuselt.acquire.downloads import listed_path
from confuselt.acquire.excluded import EXCLUDED, OK
from confuselt.acquire.limit import first_patients
from confuselt.acquire.manifest import fault_of
from confuselt.acquire.portal import portal_hash
from confuselt.config.root import Config
from confuselt.sheets.read import read_sheet


def manifest_path(cohort: str) -> Path:
    """Where `snakemake cohort` writes the manifest of a cohort."""
    return Path("resources/cohorts", cohort, "manifest.parquet")


@cache
def read_manifest(path: Path) -> tuple[list[dict], dict]:
    """Rows of a manifest, and what it says of itself: project, release, query, date."""
    table = pq.read_table(path)
    if b"meta" not in (table.schema.metadata or {}):
        raise ValueError(
            f"{path}: the manifest does not say what was asked of GDC (was it written by another program?): "
            "snakemake cohort --forcerun pin_cohort"
        )
    return table.to_pylist(), json.loads(table.schema.metadata[b"meta"])


def left_out(config: Config, cohort: str) -> list[dict]:
    """``what, file, reason`` of the project's files that the manifest leaves out."""
    rows = _checked(config, cohort)
    return [
        {"what": row["what"], "file": row["file_id"], "reason": row["reason"]} for row in rows if row["status"] != OK
    ]


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
    chosen = first_patients(
        _own_patients(config), [row["patient_id"] for row in used if row["patient_id"]], config.acquire.limit
    )
    return [
        {**row, "file": local_name(row)}
        for row in used
        if (what is None or row["what"] == what)
        and (chosen is None or not row["patient_id"] or row["patient_id"] in chosen)
    ]


def _own_patients(config: Config) -> list[str]:
    """Patients of the user's own clinical table, where `limit` asks for them."""
    path = listed_path(config.data, config.acquire.clinical or "")
    if config.acquire.limit is None or config.acquire.gdc.outcomes or not path.is_file():
        return []
    key = config.acquire.id_column
    return list(read_sheet(path, columns=[key])[key].dropna())


def _checked(config: Config, cohort: str) -> list[dict]:
    """Rows of the manifest, those tables left out that the config does not want."""
    path, gdc = manifest_path(cohort), config.acquire.gdc
    if not path.is_file():
        raise ValueError(
            f"cohort '{cohort}': {path} is absent. Run `snakemake cohort` with the same config first: "
            f"it asks {gdc.url} and pins the files"
        )
    rows, about = read_manifest(path)
    wanted = {
        "project": gdc.project,
        "sample_types": gdc.sample_types,
        "outcomes": gdc.outcomes,
        "subtypes": gdc.subtypes,
    }
    for key, value in wanted.items():
        if value != about.get(key, value) and value is not None:
            raise ValueError(
                f"{path} was pinned with acquire.gdc.{key} {about[key]}, the config says {value}: "
                "choose another `cohort`, "
                "or pin anew with `snakemake cohort --forcerun pin_cohort`"
            )
    before, now = about.get("manifest"), portal_hash(gdc.manifest, gdc.sample_sheet)
    if bool(before) != bool(gdc.manifest) or (now and now != before):
        raise ValueError(
            f"{path} was pinned {'by another' if before else 'without a'} manifest of the portal than acquire.gdc."
            f"manifest ({gdc.manifest}) and sample_sheet ({gdc.sample_sheet}) say now: "
            "choose another `cohort`, or pin anew with `snakemake cohort --forcerun pin_cohort`"
        )
    rows = [row for row in rows if row["what"] not in wanted or wanted[row["what"]] is not None]
    # Of a manifest that was pinned by other rules, or edited: what is wrong with one row is that row's.
    rows = [
        {**row, "status": EXCLUDED, "reason": reason} if row["status"] == OK and (reason := fault_of(row)) else row
        for row in rows
    ]
    for row in rows:
        if row["what"] in wanted and row["status"] != OK:
            raise ValueError(
                f"{path}: {row['reason']}. Pin anew with `snakemake cohort --forcerun pin_cohort`, "
                f"or set acquire.gdc.{row['what']} to null to go on without"
            )
    return rows


def local_name(row: dict) -> str:
    """Relative path of a fetched file: of ids that `_checked` found plain, and a known suffix."""
    if row["what"] == "slide":
        return f"slides/{row['slide_id']}{Path(row['file_name']).suffix.lower()}"
    if row["what"] == "rna":
        return f"rna/{row['file_id']}.tsv"
    return f"{row['what']}{'.xlsx' if row['file_name'].endswith('.xlsx') else '.tsv'}"
