"""What the rules of a cohort are given: its tables, its slides by group, what was made of them."""

import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from confuselt.acquire.downloads import FILES
from confuselt.acquire.sources import (
    absent_files,
    bag_files,
    cells_warning,
    check_sources,
    clinical_content,
    count_files,
    existing_files,
    folder_rows,
    has_own_clinical,
    listed_files,
    slide_rows,
    table_notes,
)
from confuselt.embed.card import scale_warning
from confuselt.settings import settings
from confuselt.slides.groups import group_of
from confuselt.slides.seen import states_of
from confuselt.slides.suffixes import reader_of

COHORT = f"{RESULTS}/cohorts/{{cohort}}"
# The training cohort and its store.
OURS = f"{RESULTS}/cohorts/{CONFIG.cohort}"
COVARIATES = f"{OURS}/acquire/covariates.parquet"
STORE = f"{OURS}/pack/{CONFIG.embed.encoder}.h5"


def fault_of_sources():
    """The first fault of the cohorts' files."""
    try:
        for name in filter(None, (CONFIG.cohort, CONFIG.predict.name)):
            check_sources(CONFIG, name)
    except ValueError as fault:
        return str(fault)


FAULT = fault_of_sources()
# A fault stops a run while it is planned; `check` goes on and shows all of them.
if FAULT and not {"check", "models"} & set(sys.argv):
    raise WorkflowError(FAULT)


def plain(path):
    """A file of the user's as an input."""
    if set("{}") & set(str(path)):
        raise WorkflowError(
            f"{path}: Snakemake takes braces in the name of a file for wildcards; rename it"
        )
    return str(path)


@cache
def say_notes():
    """How tables are read, once, where the run is planned."""
    for name in filter(None, (CONFIG.cohort, CONFIG.predict.name)):
        for warning in absent_files(CONFIG.for_cohort(name)):
            logger.warning(warning)
        for note in table_notes(CONFIG.for_cohort(name)):
            logger.warning(note)
    for warning in (
        cells_warning(CONFIG.for_cohort(CONFIG.cohort)),
        scale_warning(CONFIG.embed.encoder, CONFIG.encoder_card, CONFIG.tile.mpp),
    ):
        if warning:
            logger.warning(warning)


def sound(wildcards):
    """Input function of everything that a run may begin with: how tables are read is said, faults stop it.

    `check` does not ask for it: its page says both.
    """
    if FAULT:
        raise WorkflowError(FAULT)
    if workflow.is_main_process:
        say_notes()
    return []


@cache
def checked_page():
    """The page of `check`, printed once."""
    from confuselt.check.page import (
        page,
    )  # only here: no other plan needs what it reads with

    lines, faults = page(CONFIG)
    print("\n".join(lines), flush=True)
    return faults


def checked(wildcards):
    """What `check` looks at; nothing runs."""
    checked_page()
    return []


@cache
def listed_models():
    """The table of `models`, printed once."""
    from confuselt.check.models import models

    print("\n".join(models()), flush=True)
    return []


# While the workflow is parsed, because an error of an input function comes with a traceback.
if "check" in sys.argv and workflow.is_main_process and (found := checked_page()):
    raise WorkflowError(
        f"{len(found)} fault{'s' * (len(found) > 1)} in the tables of '{CONFIG.cohort}'"
    )


# --- tables


def cohort_files(*keys):
    """Input function for those listed files that exist, by the name of the argument that reads them."""

    def of(wildcards):
        sound(wildcards)
        config = CONFIG.for_cohort(wildcards.cohort)
        files = (
            existing_files(config)
            if config.acquire.source == "local"
            else listed_files(config)
        )
        return {FILES[key]: plain(path) for key, path in files.items() if key in keys}

    return of


def clinical_files(*keys):
    """The same for the clinical table and the map of its sites.

    The user's own are `ancient`: their content stands in the `cfg` of whoever reads a part of them.
    """
    files = cohort_files(*keys)

    def of(wildcards):
        own = has_own_clinical(CONFIG.for_cohort(wildcards.cohort))
        return {
            name: ancient(path) if own else path
            for name, path in files(wildcards).items()
        }

    return of


def content(stage, rule, *columns):
    """Extra of param `cfg`: hash of what a rule reads of the user's own clinical table.

    Of one that another rule writes, nothing.
    """
    script = script_of(stage, rule)

    def of(wildcards):
        config = CONFIG.for_cohort(wildcards.cohort)
        return asked(
            clinical_content,
            config,
            columns,
            {
                **settings(script, CONFIG, wildcards.cohort),
                "task": wildcards.get("task"),
            },
        )

    return of


def bags_of(stream):
    """Input function for the bag files that the slide sheet lists."""
    return lambda wildcards: [
        plain(path) for path in bag_files(CONFIG.for_cohort(wildcards.cohort), stream)
    ]


def asked(function, *arguments):
    """What a function says of the manifest.

    That it is absent is said when a job needs it, since `cohort` itself must run.
    """
    try:
        return function(*arguments)
    except ValueError as fault:
        raise WorkflowError(str(fault))


def rows_of_folder(wildcards):
    """Slides that the pattern of acquire.slides finds."""
    return folder_rows(CONFIG.for_cohort(wildcards.cohort))


def rows_of_cohort(wildcards):
    """Sheet rows of all slides of a cohort."""
    config = CONFIG.for_cohort(wildcards.cohort)
    return asked(slide_rows, config, wildcards.cohort)


# --- slides: a job per group in simulate, tile, embed and cells


@cache
def grouped(cohort):
    """Sheet rows of a cohort's slides by group."""
    config, groups = CONFIG.for_cohort(cohort), {}
    for row in asked(slide_rows, config, cohort):
        groups.setdefault(group_of(row["slide_id"], config.groups), []).append(row)
    return groups


def rows_of_group(wildcards):
    return grouped(wildcards.cohort)[int(wildcards.group)]


@cache
def slide_states(cohort):
    """What tells the slides of the user's own from others, by file; those that a job makes or fetches have none yet."""
    config = CONFIG.for_cohort(cohort)
    if config.acquire.source != "local":
        return {}
    files = {row["file"] for row in asked(slide_rows, config, cohort) if row["file"]}
    memory = Path(RESULTS, "cohorts", cohort, "acquire/slides_seen.json")
    return states_of([Path(config.data, file) for file in sorted(files)], memory)


def rows_to_read(wildcards):
    """Rows of a group with the state of each slide's files, and the name of the reader that they ask for."""
    states, data = (
        slide_states(wildcards.cohort),
        CONFIG.for_cohort(wildcards.cohort).data,
    )
    return [
        {**row, "state": states.get(Path(data, row["file"] or ""))}
        for row in with_reader(rows_of_group(wildcards))
    ]


def nuclei_file(cohort, slide):
    """Where another tool's nuclei of a slide are."""
    config = CONFIG.for_cohort(cohort)
    return Path(config.data, config.cells.nuclei.replace("{slide_id}", slide))


def nuclei_are_drawn(cohort):
    """Whether the files of nuclei are those that `simulate` writes beside the slides that it draws."""
    config = CONFIG.for_cohort(cohort)
    folder = Path(config.data, "nuclei")
    return (
        config.acquire.source == "simulate"
        and folder in nuclei_file(cohort, "any").parents
    )


@cache
def nuclei_states(cohort):
    """What tells the files of nuclei from others, by slide; None for one that is not there, or that is drawn here."""
    rows = asked(slide_rows, CONFIG.for_cohort(cohort), cohort)
    if nuclei_are_drawn(cohort):
        return {row["slide_id"]: None for row in rows}
    files = {row["slide_id"]: nuclei_file(cohort, row["slide_id"]) for row in rows}
    memory = Path(RESULTS, "cohorts", cohort, "acquire/nuclei_seen.json")
    states = states_of([f for f in files.values() if f.is_file()], memory)
    return {slide: states.get(file) for slide, file in files.items()}


def nuclei_of_group(wildcards):
    """Files of nuclei that exist, `ancient` as slides are; none where nuclei are found, or drawn, here."""
    if CONFIG.cells.method != "table" or nuclei_are_drawn(wildcards.cohort):
        return []
    rows = rows_of_group(wildcards)
    files = [nuclei_file(wildcards.cohort, row["slide_id"]) for row in rows]
    return [
        ancient(str(f)) for f in files if f.is_file() and not set("{}") & set(str(f))
    ]


def with_nuclei(rows, wildcards):
    """Rows with the state of each slide's nuclei, where these come from files."""
    if CONFIG.cells.method != "table":
        return rows
    states = nuclei_states(wildcards.cohort)
    return [{**row, "nuclei": states[row["slide_id"]]} for row in rows]


def rows_to_type(wildcards):
    """Rows of a group with the state of each slide's files and of its nuclei."""
    return with_nuclei(rows_to_read(wildcards), wildcards)


def parts_of(folder):
    """Input function for the index parts of all groups."""
    return lambda wildcards: [
        f"{RESULTS}/cohorts/{wildcards.cohort}/{folder}/parts/{group}.parquet"
        for group in sorted(grouped(wildcards.cohort))
    ]


def with_reader(rows):
    """Rows with the name of the reader that each slide's file asks for."""
    return [{**row, "reader": reader_of(row["file"])} for row in rows]


def group_of_slide(wildcards):
    return group_of(wildcards.slide, CONFIG.for_cohort(wildcards.cohort).groups)


def rows_of_slide(wildcards):
    """The row of one slide, with its reader."""
    found = grouped(wildcards.cohort).get(group_of_slide(wildcards), [])
    return with_reader([row for row in found if row["slide_id"] == wildcards.slide])


def rows_of_ours(wildcards):
    """Rows of all slides of the training cohort, with their readers."""
    return with_reader(
        [row for rows in grouped(CONFIG.cohort).values() for row in rows]
    )


def part_of(wildcards, folder):
    """The index part of a stage that holds a slide; of an unknown slide, say so."""
    if CONFIG.cells.method == "ready" or not CONFIG.acquire.keep_slides:
        raise WorkflowError(
            "nuclei are shown on slides: cells.method must not be ready, and acquire.keep_slides must be true"
        )
    if not rows_of_slide(wildcards):
        raise WorkflowError(f"{wildcards.cohort} has no slide '{wildcards.slide}'")
    part = f"parts/{group_of_slide(wildcards)}.parquet"
    return f"{RESULTS}/cohorts/{wildcards.cohort}/{folder}/{part}"


def patient_page(wildcards):
    """The page that the target `patient` writes; an id that no patient has stops the run where patients are known."""
    patient = CONFIG.patient.id
    if patient is None:
        raise WorkflowError("whose page? snakemake patient --config 'patient={id: ID}'")
    if set("{/}") & set(patient):
        raise WorkflowError(
            f"patient.id '{patient}': a page cannot be named so (no /, {{ or }})"
        )
    known = Path(OURS, "acquire/patients.parquet")
    if known.is_file():
        # Only here: no other plan has to read tables.
        from confuselt.report.known import check_known

        asked(check_known, known, patient)
    return f"{EXPERIMENT}/patients/{patient}.html"


def slides_of_group(wildcards):
    """Slide files of a group that exist; of a simulated cohort the part that says they are drawn.

    The user's own are `ancient`: what tells them apart stands in the `cfg` of whoever reads them.
    """
    config = CONFIG.for_cohort(wildcards.cohort)
    if config.acquire.source == "simulate":
        return f"{RESULTS}/cohorts/{wildcards.cohort}/acquire/simulated/parts/{wildcards.group}.parquet"
    if config.acquire.source == "gdc":
        return []
    files = [
        Path(config.data, row["file"])
        for row in rows_of_group(wildcards)
        if row["file"]
    ]
    # One with braces in its name, which Snakemake takes for wildcards, is none: its state alone says when it changed.
    return [
        ancient(str(f)) for f in files if f.is_file() and not set("{}") & set(str(f))
    ]


# --- rna, and features that come ready-made


def rna_files(wildcards):
    """STAR count files that the RNA sheet lists and that exist, or the folder of simulated ones."""
    config = CONFIG.for_cohort(wildcards.cohort)
    if config.acquire.source == "simulate":
        folder = f"{RESULTS}/cohorts/{wildcards.cohort}/acquire/simulated/rna"
        return folder if config.simulate.level == "slides" else []
    if config.acquire.source == "gdc":
        return f"{RESULTS}/cohorts/{wildcards.cohort}/acquire/files.parquet"
    return [plain(path) for path in count_files(config)]


def centroids(wildcards):
    """The table of PAM50 centroids; asked for without one, say how to give it."""
    if CONFIG.rna.pam50_centroids is None:
        raise WorkflowError(
            "PAM50 calls need a table of centroids: rna.pam50_centroids"
        )
    return CONFIG.rna.pam50_centroids


def pam50_calls(cohort):
    """PAM50 calls of a cohort, where there are centroids to call by: nothing else reads them."""
    wanted = cohort is not None and CONFIG.rna.pam50_centroids is not None
    return [f"{RESULTS}/cohorts/{cohort}/rna/pam50.parquet"] if wanted else []


def centroids_of_label(wildcards):
    """The table of centroids by which a label is called."""
    return CONFIG.rna.calls[wildcards.task].centroids


def clinical_of_calls(wildcards):
    """The clinical table, where the medians of a label's genes are balanced by one of its columns."""
    if CONFIG.rna.calls[wildcards.task].balanced_by is None:
        return {}
    return clinical_files("clinical")(wildcards)


def label_calls(wildcards):
    """Calls of the labels that are called; a cohort to predict on needs none."""
    if wildcards.cohort != CONFIG.cohort:
        return []
    folder = f"{RESULTS}/cohorts/{wildcards.cohort}/rna/calls"
    return [f"{folder}/{task}.parquet" for task in CONFIG.rna.calls]


def features_of(stream):
    """Features of a ready-made stream; those made from slides lie slide by slide beside their index."""
    made = CONFIG.from_slides if stream == "embed" else CONFIG.cells.method != "ready"
    folder = f"embed/{CONFIG.embed.encoder}" if stream == "embed" else "cells"
    return [] if made else [f"{COHORT}/{folder}/features.h5"]
