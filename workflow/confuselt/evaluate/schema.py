"""Tables that `evaluate` writes (columns are fixed, see DESIGN section 3)."""

from confuselt.finetune.schema import PREDICTIONS as FINETUNE_PREDICTIONS
from confuselt.tables import Table

PREDICTIONS = Table("evaluate/predictions", FINETUNE_PREDICTIONS.columns, FINETUNE_PREDICTIONS.key, required=("value",))
METRICS = Table(
    "evaluate/metrics",
    {
        "arm": "string",
        "draw": "int64",
        "inputs": "string",
        "missing": "string",
        "missing_rate": "float64",
        "task": "string",
        "metric": "string",
        "horizon_days": "int64",
        "k": "int64",
        "repeat": "int64",
        "fold": "int64",
        "value": "float64",
        "low": "float64",
        "high": "float64",
        "n": "int64",
        "events": "int64",
        "status": "string",
        "reason": "string",
    },
    required=("arm", "draw", "fold", "status"),
)
COMPARISONS = Table(
    "evaluate/comparisons",
    {
        "question": "string",
        "arm_a": "string",
        "arm_b": "string",
        "inputs_a": "string",
        "inputs_b": "string",
        "task": "string",
        "metric": "string",
        "k": "int64",
        "horizon_days": "int64",
        "difference": "float64",
        "low": "float64",
        "high": "float64",
        "method": "string",
        "family": "string",
        "p": "float64",
        "p_holm": "float64",
        "verdict": "string",
        "share_won": "float64",
        "n": "int64",
        "events": "int64",
        "detectable": "float64",
        "events_needed": "float64",
        "status": "string",
        "reason": "string",
    },
    required=("question", "status"),
)
RETRIEVAL = Table(
    "evaluate/retrieval",
    {
        "model": "string",
        "draw": "int64",
        "repeat": "int64",
        "fold": "int64",
        "direction": "string",
        "stratum": "string",
        "k": "int64",
        "recall": "float64",
        "percentile_rank": "float64",
        "low": "float64",
        "high": "float64",
        "chance": "float64",
        "n": "int64",
        "status": "string",
        "reason": "string",
    },
    required=("model", "draw", "fold", "status"),
)
STRATA = Table(
    "evaluate/strata",
    {
        "task": "string",
        "metric": "string",
        "stratum": "string",
        "level": "string",
        "arm": "string",
        "inputs": "string",
        "value": "float64",
        "low": "float64",
        "high": "float64",
        "n": "int64",
        "events": "int64",
        "status": "string",
        "reason": "string",
    },
    required=("task", "stratum", "level", "status"),
)
NEAREST = ("nearest_1", "nearest_2", "nearest_3")
SPACE = Table(
    "evaluate/space",
    {
        "patient_id": "string",
        "modality": "string",
        "x": "float64",
        "y": "float64",
        "rank": "int64",
        **dict.fromkeys(NEAREST, "string"),
    },
    key=("patient_id", "modality"),
    required=("x", "y", "rank", *NEAREST),
)
TILES = Table(
    "evaluate/tiles",
    {
        "arm": "string",
        "part": "string",
        "slide_id": "string",
        "x": "int64",
        "y": "int64",
        "times": "float64",
        "rank": "int64",
        "jpeg": "string",
    },
    key=("arm", "part", "rank"),
    required=("slide_id", "x", "y", "times", "jpeg"),
)
ATTENTION = Table(
    "evaluate/attention",
    {
        "arm": "string",
        "part": "string",
        "slide_id": "string",
        "x": "int64",
        "y": "int64",
        "times": "float64",
    },
    required=("arm", "part", "slide_id", "x", "y", "times"),
)
ATTRIBUTIONS = Table(
    "evaluate/attributions",
    {
        "arm": "string",
        "fold": "int64",
        "task": "string",
        "output": "string",
        "stream": "string",
        "feature": "string",
        "strength": "float64",
        "direction": "float64",
        "error": "float64",
        "n": "int64",
    },
    key=("arm", "fold", "task", "output", "stream", "feature"),
    required=("strength",),
)
