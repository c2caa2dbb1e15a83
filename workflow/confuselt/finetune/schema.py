"""Table that `finetune` writes (and `evaluate` joins)."""

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
