"""What the rules of a cohort from GDC are given: its manifest, how its files are fetched, what was fetched."""

import re
from functools import cache

from snakemake.exceptions import WorkflowError

from confuselt.acquire.given import given_path
from confuselt.acquire.pinned import cohort_rows, left_out, manifest_path

GDC_COHORTS = [
    name
    for name in filter(None, (CONFIG.cohort, CONFIG.predict.name))
    if CONFIG.for_cohort(name).acquire.source == "gdc"
]
# One job fetches, tiles, embeds, types and deletes the slides of these.
STREAMED = [n for n in GDC_COHORTS if not CONFIG.for_cohort(n).acquire.keep_slides]
# Over all jobs of a run, on a cluster too. A resource without a limit would bound nothing.
workflow.register_resource("connections", CONFIG.acquire.connections)
workflow.register_resource("slides_on_disk", CONFIG.acquire.slides_on_disk)


def only(cohorts):
    """Constraint of the wildcard {cohort}: these names, or none."""
    return "|".join(map(re.escape, cohorts)) or r"(?!)"


def of_download(name):
    """How a job fetches, never what: a resource, so that no other value runs the job again."""

    def of(wildcards):
        block = CONFIG.for_cohort(wildcards.cohort).acquire
        fixed = {"connections": min(block.segments, CONFIG.acquire.connections)}
        value = fixed[name] if name in fixed else getattr(block, name, None)
        if hasattr(block.gdc, name):
            value = getattr(block.gdc, name)
        return value if isinstance(value, int) else str(value or "")

    return of


@cache
def pinned(cohort, what=None):
    """Used rows of a cohort's manifest, of one kind or of all."""
    return asked(cohort_rows, CONFIG.for_cohort(cohort), cohort, what)


@cache
def bytes_to_fetch(cohort):
    """Bytes of all slides of a cohort but those that gdc-client has fetched."""
    folder = CONFIG.for_cohort(cohort).acquire.gdc.folder
    return sum(
        row["bytes"]
        for row in pinned(cohort, "slide")
        if not given_path(folder, row["file_id"], row["file_name"], row["bytes"])
    )


def cohort_mb(wildcards):
    """MB of the slides of a cohort that are to be fetched."""
    return bytes_to_fetch(wildcards.cohort) >> 20


def fetched_rows(wildcards):
    """Slides of a group with what their download needs."""
    known = {row["slide_id"]: row for row in pinned(wildcards.cohort, "slide")}
    keys = ("file_id", "file_name", "bytes")
    return [
        {**row, **{k: known[row["slide_id"]][k] for k in keys}}
        for row in rows_of_group(wildcards)
    ]


def streamed_rows(wildcards):
    """The same with the reader of each slide, and the state of its nuclei."""
    return with_nuclei(with_reader(fetched_rows(wildcards)), wildcards)


def code_of_stream(wildcards):
    """Code of the job that does the work of three others, and of these."""
    others = (("tile", "cut_tiles"), ("embed", "embed_tiles"), ("cells", "find_cells"))
    used = others if CONFIG.cells.method != "ready" else others[:2]
    return [
        code("acquire", "stream_slides"),
        *(code_with_backends(*names, streamed_rows)(wildcards) for names in used),
    ]


def group_mb(wildcards):
    """MB of the slides of a group."""
    return sum(row["bytes"] for row in fetched_rows(wildcards)) >> 20


def pins_of_cohorts(wildcards):
    """Manifests of all cohorts that come from GDC."""
    if not GDC_COHORTS:
        raise WorkflowError(
            f"`snakemake cohort` pins the files of a cohort of GDC; acquire.source is '{CONFIG.acquire.source}'"
        )
    return [str(manifest_path(name)) for name in GDC_COHORTS]


def file_rows(wildcards):
    """Files of the manifest that are no slide."""
    keys = (
        "file_id",
        "what",
        "patient_id",
        "sample_id",
        "file",
        "file_name",
        "md5",
        "bytes",
    )
    return [
        {k: row[k] for k in keys}
        for row in pinned(wildcards.cohort)
        if row["what"] != "slide"
    ]


def not_chosen(wildcards):
    """Files of the project that the manifest leaves out, with the reason."""
    if wildcards.cohort not in GDC_COHORTS:
        return []
    return asked(left_out, CONFIG.for_cohort(wildcards.cohort), wildcards.cohort)


def fetched_of_group(wildcards):
    """The part that says which slides of a group were fetched; for a cohort of GDC only."""
    if wildcards.cohort not in GDC_COHORTS:
        return []
    return f"{RESULTS}/cohorts/{wildcards.cohort}/acquire/fetched/{wildcards.group}.parquet"


def fetched_parts(wildcards):
    """What every job says of the files that it fetched."""
    if wildcards.cohort not in GDC_COHORTS:
        return []
    folder = f"{RESULTS}/cohorts/{wildcards.cohort}/acquire"
    return [
        f"{folder}/files.parquet",
        *(f"{folder}/fetched/{g}.parquet" for g in sorted(grouped(wildcards.cohort))),
    ]
