"""What the rules of a run are given: a run is the experiment or one of its controls."""

import hashlib
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from confuselt.acquire.sources import has_cells
from confuselt.controls.names import (
    MISPAIRED,
    PERMUTED,
    SHUFFLED_CELLS,
    WITHOUT,
    base_arm,
)
from confuselt.finetune.arms import (
    explained,
    DEEP,
    FITTED,
    PLUS,
    STREAMS,
    TRAINED,
    parse_arm,
    singles,
)
from confuselt.settings import settings
from confuselt.stamp import config_hash

RUN = f"{RESULTS}/{{run}}"
MAIN = f"experiments/{CONFIG.experiment}"
EXPERIMENT = f"{RESULTS}/{MAIN}"
FOLDS = range(CONFIG.split.folds)
REPEATS = range(CONFIG.split.repeats)

# Where a cohort has no cells stream, baselines and controls are made of arms without it.
CELLS = not FAULT and has_cells(CONFIG.for_cohort(CONFIG.cohort))
# PAM50's genes are left out only where PAM50 is asked for and comes from RNA.
PAM50_FROM_RNA = any(t.name == "pam50" and t.from_rna for t in CONFIG.tasks.labels)
# Controls that would change nothing.
IDLE = {
    kind
    for kind, changes in ((WITHOUT, PAM50_FROM_RNA), (SHUFFLED_CELLS, CELLS))
    if not changes
}
# Controls repeat the chain of their base arm, on the first repeat.
CONTROL_RUNS = [
    f"{EXPERIMENT}/controls/{kind}-{draw}"
    for kind in CONFIG.evaluate.controls.kinds
    if kind not in IDLE
    for draw in range(1, 2 if kind == WITHOUT else CONFIG.evaluate.controls.draws + 1)
]
SCORED = [*CONFIG.finetune.arms, *CONFIG.evaluate.baselines]
EXPLAINED = explained(CONFIG.finetune.arms)
# Retrieval does not look at arms of deep cell-type features.
STREAM_SETS = sorted(
    {
        parse_arm(arm).streams
        for arm in CONFIG.finetune.arms
        if parse_arm(arm).pretrained and not arm.endswith(DEEP)
    }
)
# Arms of slides whose attention is shown, where slides are read.
SHOWN_ARMS = [
    arm
    for arm in CONFIG.finetune.arms
    if CONFIG.from_slides
    and parse_arm(arm).modality == "wsi"
    and not arm.endswith(DEEP)
]
# The pretrained model of all streams, first fold, that is looked into; nothing where no arm is pretrained.
WIDEST = [
    f"{EXPERIMENT}/pretrain/{streams}/r0f0.pt"
    for streams in (STREAM_SETS[-1:] if CELLS else STREAM_SETS[:1])
]

# Hash of the analysis plan in force. Models keep it; it is a resource, so that another plan trains nothing anew.
PLAN = config_hash(settings(script_of("evaluate", "register_plan"), CONFIG))


# --- the experiment and its controls


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


def store_name(arm):
    """Name of the store that an arm reads: deep cell-type features are in one of their own."""
    return f"{CONFIG.embed.encoder}{'.deepcells' if arm.endswith(DEEP) else ''}.h5"


def store_of(wildcards):
    """The store that an arm, or a pretraining (of a set of streams), reads."""
    return f"{OURS}/pack/{store_name(wildcards.get('streams') or wildcards.arm)}"


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


def base_streams(run):
    """Stream set of a control's base arm."""
    return parse_arm(base_arm(kind_of(run), CELLS)).streams


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
        f"{run}/pretrain/{base_streams(run)}/r0f{f}.{suffix}"
        for run in pairs
        for f in FOLDS
    ]


def control_tables(name, ours):
    """Folds or outcomes of each control: only permuted ones do not share those of the main run."""
    return [
        f"{run}/{name}" if kind_of(run) in PERMUTED else ours for run in CONTROL_RUNS
    ]


def control_outputs(suffix):
    """Predictions or models of each control's base arm."""
    return [
        f"{run}/finetune/{base_arm(kind_of(run), CELLS)}/r0.{suffix}"
        for run in CONTROL_RUNS
    ]


def others_of_report(wildcards):
    """Files that say how the rest was made: pretraining, baselines, controls, deep features, calls; first repeat."""
    folder, pooled = f"{OURS}/cells/{CONFIG.embed.encoder}", []
    if any(arm.endswith(DEEP) for arm in CONFIG.finetune.arms):
        # The first group stands for all.
        parts = [
            f"{folder}/parts/{group}.parquet"
            for group in sorted(grouped(CONFIG.cohort))[:1]
        ]
        pooled = [f"{folder}/index.parquet", f"{OURS}/pack/{store_name(DEEP)}", *parts]
    return [
        *WIDEST,
        *(f"{EXPERIMENT}/finetune/{name}/r0.pt" for name in CONFIG.evaluate.baselines),
        *control_outputs("pt"),
        *pooled,
        *(f"{OURS}/rna/calls/{task}.parquet" for task in CONFIG.rna.calls),
    ]


def compared_page(wildcards):
    """The page of `compare`; of an experiment that was not evaluated here it says which were."""
    names = CONFIG.first, CONFIG.second
    if None in names or names[0] == names[1]:
        raise WorkflowError(
            "which two experiments? snakemake compare --config first=A second=B"
        )
    for name in names:
        if not all(os.path.isfile(path) for path in evaluated_files(name)):
            made = sorted(
                folder.parents[1].name
                for folder in Path(RESULTS, "experiments").glob(
                    "*/evaluate/provenance.json"
                )
            )
            raise WorkflowError(
                f"experiment '{name}' has no evaluate/provenance.json in {RESULTS}/experiments; "
                f"evaluated are: {', '.join(made) or 'none'}. Run it first, with its own config"
            )
    return f"{RESULTS}/compare/{names[0]}/{names[1]}.html"


def evaluated_files(experiment):
    """What `compare` reads of an experiment."""
    names = (
        "provenance.json",
        "metrics.parquet",
        "retrieval.parquet",
        "predictions.parquet",
    )
    return [f"{RESULTS}/experiments/{experiment}/evaluate/{name}" for name in names]


def content_of_compared(wildcards):
    """Hash of what `compare` reads: the page is made anew where it changed."""
    files = [*evaluated_files(wildcards.first), *evaluated_files(wildcards.second)]
    return hashlib.sha256(b"".join(Path(f).read_bytes() for f in files)).hexdigest()[
        :16
    ]


def predict_target(wildcards):
    """Predictions of the named cohort and their page; asked for without a name, say how to give one."""
    if CONFIG.predict.name is None:
        raise WorkflowError(
            "predict needs a cohort: --config 'predict={name: NAME, data: FOLDER}'"
        )
    folder = f"{EXPERIMENT}/predict/{CONFIG.predict.name}"
    return [f"{folder}/predictions.parquet", f"{folder}/report.html"]


def predict_checkpoints(streams=None):
    """Pretrained towers behind the models of predict.arm, as `checkpoints_of` chooses them."""
    arm = parse_arm(CONFIG.predict.arm)
    folder = f"{EXPERIMENT}/pretrain/{streams or arm.streams}"
    return (
        [f"{folder}/r{r}f{f}.pt" for r in REPEATS for f in FOLDS]
        if arm.pretrained
        else []
    )
