"""Tables that `finetune` writes (and `evaluate` joins)."""

from confuselt.tables import Table

PREDICTIONS = Table(
    "finetune/predictions",
    {
        "patient_id": "string",
        "arm": "string",
        "draw": "int64",
        "inputs": "string",
        "missing": "string",
        "missing_rate": "float64",
        "repeat": "int64",
        "fold": "int64",
        "task": "string",
        "output": "string",
        "value": "float64",
    },
    key=("patient_id", "arm", "draw", "inputs", "missing_rate", "repeat", "fold", "task", "output"),
    required=("value",),
)
# Leaky chance writes some of its rows, `evaluate` all.
CURVES = Table(
    "evaluate/curves",
    {
        "curve": "string",
        "arm": "string",
        "inputs": "string",
        "task": "string",
        "metric": "string",
        "x": "float64",
        "draw": "int64",
        "repeat": "int64",
        "fold": "int64",
        "value": "float64",
        "low": "float64",
        "high": "float64",
        "reason": "string",
    },
    required=("curve",),
)
