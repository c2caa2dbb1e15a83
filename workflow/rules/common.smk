"""The validated config, and what the rules of every stage are given.

What hangs on cohorts is in cohorts.smk and, for a cohort from GDC, in gdc.smk; what hangs on runs is in runs.smk.
"""

import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from confuselt.code_hash import code_hash
from confuselt.config.validate import validate
from confuselt.learn.gpus import gpus_here
from confuselt.learn.size import store_size
from confuselt.settings import backends, settings

try:
    CONFIG = validate(config)
except ValueError as fault:
    raise WorkflowError(str(fault))

# Numeric libraries read these when they start: results must not depend on --cores.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(CONFIG.numeric_threads)

RESULTS = CONFIG.results


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


def code_with_backends(stage, rule, rows=lambda wildcards: []):
    """The same of a script that loads modules by names that the config and its rows give."""
    script = script_of(stage, rule)

    def of(wildcards):
        found = settings(script, CONFIG, wildcards.get("cohort"))
        return code_hash(script, backends(script, {**found, "rows": rows(wildcards)}))

    return of


# When a job stops, never what it writes: a resource, and as text, since those are whole numbers or text.
MAX_EXCLUDED = str(CONFIG.max_excluded)

# A cluster's jobs wait for GPUs of their own.
HERE = gpus_here()
if CONFIG.device != "cpu" and HERE and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", HERE)


def gpus():
    """GPUs of a job that embeds or trains: one wherever there are any, so that they are never shared by more jobs."""
    return int(CONFIG.device == "cuda" or (CONFIG.device == "auto" and HERE > 0))


def memory_with(weights):
    """Memory (MB) of a job with a model; one whose weights are a file is held twice while it is loaded."""
    return 4000 + (3 * weights.stat().st_size // 10**6 if weights is not None else 0)


# An encoder whose weights are a file, which is tried before any slide is read.
WEIGHTS = f"{RESULTS}/embed/{CONFIG.embed.encoder}.parquet"
MODEL_MB = memory_with(CONFIG.embed.weights)


def checked_weights():
    """Input of jobs that embed: what the file of weights was when it was tried."""
    return {"weights": WEIGHTS} if CONFIG.embed.weights is not None else {}


# The same of what finds nuclei.
CELL_WEIGHTS = f"{RESULTS}/cells/{CONFIG.cells.method}.parquet"
FINDER_MB = memory_with(CONFIG.cells.weights)


def checked_cell_weights():
    """Input of jobs that find nuclei: what the file of weights was when it was tried."""
    return {"cell_weights": CELL_WEIGHTS} if CONFIG.cells.weights is not None else {}


def gpus_of_finder():
    """GPUs of a job that finds nuclei: those of `gpus` where a network does."""
    return gpus() if CONFIG.cells.weights is not None else 0


def memory_of(block):
    """Memory (MB) of a job that trains: four float32 batches beside torch; more at every attempt.

    Not known (TBD) before the store is there, which says how wide an instance is.
    """

    def of(wildcards, input, attempt):
        os.stat(input.store)
        instances, width = store_size(Path(input.store))
        batch = min(block.batch_size * block.tiles, instances)
        return attempt * (2000 + 4 * 4 * batch * width // 10**6)

    return of
