"""The validated config, where things lie, and the input functions of every stage.

Those of a cohort from GDC are in gdc.smk.
"""

import glob
import os
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from confuselt.acquire.downloads import FILES
from confuselt.acquire.sources import (
    absent_files,
    bag_files,
    cells_warning,
    clinical_content,
    count_files,
    check_sources,
    existing_files,
    folder_rows,
    has_own_clinical,
    listed_files,
    slide_rows,
    table_notes,
)
from confuselt.code_hash import code_hash
from confuselt.config.validate import validate
from confuselt.controls.names import (
    BASE_ARMS,
    MISPAIRED,
    PERMUTED,
    WITHOUT,
)
from confuselt.finetune.arms import FITTED, PLUS, SINGLES, TRAINED, parse_arm
from confuselt.settings import settings
from confuselt.stamp import config_hash
from confuselt.tile.groups import group_of

try:
    CONFIG = validate(config)
    for name in filter(None, (CONFIG.cohort, CONFIG.predict.name)):
        check_sources(CONFIG, name)
except ValueError as fault:
    raise WorkflowError(str(fault))

if workflow.is_main_process:
    for name in filter(None, (CONFIG.cohort, CONFIG.predict.name)):
        for warning in absent_files(CONFIG.for_cohort(name)):
            logger.warning(warning)
        for note in table_notes(CONFIG.for_cohort(name)):
            logger.warning(note)
    if warning := cells_warning(CONFIG.for_cohort(CONFIG.cohort)):
        logger.warning(warning)

# Numeric libraries read these when they start: results must not depend on --cores.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(CONFIG.numeric_threads)

RESULTS = CONFIG.results
COHORT = f"{RESULTS}/cohorts/{{cohort}}"
RUN = f"{RESULTS}/{{run}}"
# The training cohort, its store, and the main experiment.
OURS = f"{RESULTS}/cohorts/{CONFIG.cohort}"
COVARIATES = f"{OURS}/acquire/covariates.parquet"
STORE = f"{OURS}/pack/{CONFIG.embed.encoder}.h5"
MAIN = f"experiments/{CONFIG.experiment}"
EXPERIMENT = f"{RESULTS}/{MAIN}"
FOLDS = range(CONFIG.split.folds)
REPEATS = range(CONFIG.split.repeats)

# PAM50's genes are left out only where PAM50 is asked for and comes from RNA.
PAM50_FROM_RNA = any(t.name == "pam50" and t.from_rna for t in CONFIG.tasks.labels)
# Controls repeat the chain of their base arm, on the first repeat.
CONTROL_RUNS = [
    f"{EXPERIMENT}/controls/{kind}-{draw}"
    for kind in CONFIG.evaluate.controls.kinds
    if kind != WITHOUT or PAM50_FROM_RNA
    for draw in range(1, 2 if kind == WITHOUT else CONFIG.evaluate.controls.draws + 1)
]
SCORED = [*CONFIG.finetune.arms, *CONFIG.evaluate.baselines]
STREAM_SETS = sorted(
    {
        parse_arm(arm).streams
        for arm in CONFIG.finetune.arms
        if parse_arm(arm).pretrained
    }
)


def script_of(stage, rule):
    """A script by the words that name it."""
    return Path(workflow.basedir, "scripts", stage, f"{rule}.py")


def cfg(stage, rule, **extra):
    """Param `cfg`: exactly the config keys that a script reads, as one plain dict."""

    def of(wildcards):
        found = settings(script_of(stage, rule), CONFIG, wildcards.get("cohort"))
        return {**found, **{name: value(wildcards) for name, value in extra.items()}}

    return of


def code(stage, rule):
    """Param `code`: content hash of a script and of all that it imports from confuselt."""
    return code_hash(script_of(stage, rule))


# Hash of the analysis plan in force. Models keep it; it is a resource, so that another plan trains nothing anew.
PLAN = config_hash(settings(script_of("evaluate", "register_plan"), CONFIG))


# When a job stops, never what it writes: a resource too, and as text, since those are whole numbers or text.
MAX_EXCLUDED = str(CONFIG.max_excluded)

# GPUs of this machine, as the driver lists them; a cluster's jobs wait for their own.
HERE = len(glob.glob("/dev/nvidia[0-9]*"))
if CONFIG.device != "cpu" and HERE and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", HERE)


def gpus():
    """GPUs of a job that embeds or trains: one wherever there are any, so that they are never shared by more jobs."""
    return int(CONFIG.device == "cuda" or (CONFIG.device == "auto" and HERE > 0))


def memory_of(block):
    """Memory (MB) of a job that trains: four float32 batches beside torch; more at every attempt.

    Not known (TBD) before the store is there, which says how wide an instance is.
    """

    def of(wildcards, input, attempt):
        os.stat(input.store)
        from confuselt.learn.size import store_size

        instances, width = store_size(Path(input.store))
        batch = min(block.batch_size * block.tiles, instances)
        return attempt * (2000 + 4 * 4 * batch * width // 10**6)

    return of


# --- runs: the main experiment and its controls


def control_of(wildcards):
    """(control, draw) of a run; (None, 0) for the main one."""
    folder, name = os.path.split(wildcards.get("run", MAIN))
    if os.path.basename(folder) != "controls":
        return None, 0
    control, _, draw = name.rpartition("-")
    return control, int(draw)


def kind_of(run):
    return os.path.basename(run).rpartition("-")[0]


def draw_of(kind):
    """Extra of param `cfg`: draw of a run that is this control, 0 for any other."""

    def of(wildcards):
        control, draw = control_of(wildcards)
        return draw if control == kind else 0

    return of


def shared_run(wildcards):
    """Run whose folds a run uses: only permuted outcomes have their own."""
    control = control_of(wildcards)[0]
    return MAIN if control is not None and control not in PERMUTED else wildcards.run


def rna_run(wildcards):
    """Run whose normalised RNA a run uses: that of its folds, unless genes are left out."""
    return (
        wildcards.run if control_of(wildcards)[0] == WITHOUT else shared_run(wildcards)
    )


def folds_of(wildcards):
    return f"{RESULTS}/{shared_run(wildcards)}/split/folds.parquet"


def outcomes(wildcards):
    """Outcomes of a run: the cohort's, or the permuted ones of a control."""
    if control_of(wildcards)[0] in PERMUTED:
        return f"{RESULTS}/{wildcards.run}/acquire/outcomes.parquet"
    return f"{OURS}/acquire/outcomes.parquet"


# --- acquire, embed, cells, rna


def cohort_files(*keys):
    """Input function for those listed files that exist, by the name of the argument that reads them."""

    def of(wildcards):
        config = CONFIG.for_cohort(wildcards.cohort)
        files = (
            existing_files(config)
            if config.acquire.source == "local"
            else listed_files(config)
        )
        return {FILES[key]: str(path) for key, path in files.items() if key in keys}

    return of


def clinical_files(*keys):
    """The same for the clinical table and the map of its sites.

    The user's own are `ancient`: their content is a param of whoever reads a part of them.
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
    """Param `content`: hash of what a rule reads of the user's own clinical table.

    Of one that another rule writes, nothing.
    """
    script = script_of(stage, rule)

    def of(wildcards):
        config = CONFIG.for_cohort(wildcards.cohort)
        return asked(
            clinical_content,
            config,
            columns,
            settings(script, CONFIG, wildcards.cohort),
        )

    return of


def bags_of(stream):
    """Input function for the bag files that the slide sheet lists."""
    return lambda wildcards: bag_files(CONFIG.for_cohort(wildcards.cohort), stream)


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


def parts_of(folder):
    """Input function for the index parts of all groups."""
    return lambda wildcards: [
        f"{RESULTS}/cohorts/{wildcards.cohort}/{folder}/parts/{group}.parquet"
        for group in sorted(grouped(wildcards.cohort))
    ]


def slides_of_group(wildcards):
    """Slide files of a group that exist; of a simulated cohort the part that says they are drawn."""
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
    return [str(f) for f in files if f.is_file()]


def rna_files(wildcards):
    """STAR count files that the RNA sheet lists and that exist, or the folder of simulated ones."""
    config = CONFIG.for_cohort(wildcards.cohort)
    if config.acquire.source == "simulate":
        folder = f"{RESULTS}/cohorts/{wildcards.cohort}/acquire/simulated/rna"
        return folder if config.simulate.level == "slides" else []
    if config.acquire.source == "gdc":
        return f"{RESULTS}/cohorts/{wildcards.cohort}/acquire/files.parquet"
    return count_files(config)


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


def features_of(stream):
    """Features of a ready-made stream; those made from slides lie slide by slide beside their index."""
    made = CONFIG.from_slides if stream == "embed" else CONFIG.cells.method != "ready"
    folder = f"embed/{CONFIG.embed.encoder}" if stream == "embed" else "cells"
    return [] if made else [f"{COHORT}/{folder}/features.h5"]


# --- pretrain, finetune


def covariates_of(wildcards):
    """Covariates, for the baseline that is made of them."""
    return COVARIATES if wildcards.baseline == "clinical" else []


def rna_of_folds(wildcards):
    return [
        f"{RESULTS}/{rna_run(wildcards)}/rna/r{wildcards.repeat}f{fold}.h5ad"
        for fold in FOLDS
    ]


def checkpoints_of(wildcards, streams=None):
    """Pretrained towers of every fold for a pretrained arm; rna-pretrained takes the RNA tower of tile-cells."""
    arm = parse_arm(wildcards.arm)
    folder = f"{RESULTS}/{wildcards.run}/pretrain/{streams or arm.streams}"
    return (
        [f"{folder}/r{wildcards.repeat}f{fold}.pt" for fold in FOLDS]
        if arm.pretrained
        else []
    )


def other_checkpoints_of(wildcards):
    """Where a cohort has no cells, rna-pretrained takes the RNA tower of tile."""
    return (
        checkpoints_of(wildcards, "tile") if wildcards.arm == "rna-pretrained" else []
    )


def trained_towers(wildcards, towers):
    """Pretrained towers of an arm that is trained; of another nothing is asked for."""
    return towers(wildcards) if wildcards.arm in CONFIG.finetune.arms else []


def trained_outputs(wildcards, arms, suffix):
    """Predictions or models of those arms that are trained.

    What is made of the others is not available, and says so.
    """
    return [
        f"{RESULTS}/{wildcards.run}/finetune/{arm}/r{wildcards.repeat}.{suffix}"
        for arm in arms
        if arm in CONFIG.finetune.arms
    ]


# --- evaluate, predict


def pretrained(suffix):
    """Pretraining outputs whose embeddings are compared in retrieval."""
    main = [
        f"{EXPERIMENT}/pretrain/{s}/r{r}f{f}.{suffix}"
        for s in STREAM_SETS
        for r in REPEATS
        for f in FOLDS
    ]
    pairs = [run for run in CONTROL_RUNS if kind_of(run) in MISPAIRED]
    return main + [
        f"{run}/pretrain/tile-cells/r0f{f}.{suffix}" for run in pairs for f in FOLDS
    ]


def control_tables(name, ours):
    """Folds or outcomes of each control: only permuted ones do not share those of the main run."""
    return [
        f"{run}/{name}" if kind_of(run) in PERMUTED else ours for run in CONTROL_RUNS
    ]


def control_outputs(suffix):
    """Predictions or models of each control's base arm."""
    return [
        f"{run}/finetune/{BASE_ARMS[kind_of(run)]}/r0.{suffix}" for run in CONTROL_RUNS
    ]


def predict_target(wildcards):
    """Predictions of the named cohort; asked for without a name, say how to give one."""
    if CONFIG.predict.name is None:
        raise WorkflowError(
            "predict needs a cohort: --config 'predict={name: NAME, data: FOLDER}'"
        )
    return f"{EXPERIMENT}/predict/{CONFIG.predict.name}/predictions.parquet"


def predict_checkpoints(streams=None):
    """Pretrained towers behind the models of predict.arm, as `checkpoints_of` chooses them."""
    arm = parse_arm(CONFIG.predict.arm)
    folder = f"{EXPERIMENT}/pretrain/{streams or arm.streams}"
    return (
        [f"{folder}/r{r}f{f}.pt" for r in REPEATS for f in FOLDS]
        if arm.pretrained
        else []
    )
