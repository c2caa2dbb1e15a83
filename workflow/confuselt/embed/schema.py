"""Index of a stream (the same for `embed` and `cells`)."""

from confuselt.tables import INDEX_COLUMNS, Table

STREAM_INDEX = Table(
    "embed/index",
    {"slide_id": "string", "patient_id": "string", **INDEX_COLUMNS},
    key=("slide_id",),
    required=("patient_id", "status", "n"),
)
