"""Table that `split` writes."""

from confuselt.tables import Table

FOLDS = Table(
    "split/folds",
    {"repeat": "int64", "fold": "int64", "patient_id": "string", "site": "string", "role": "string"},
    key=("repeat", "fold", "patient_id"),
    required=("role",),
)
