"""Index of a stream (the same for `embed` and `cells`).

``unreadable`` counts tiles of a slide that are broken in its file; ready-made features have none.
"""

from confuselt.tables import INDEX_COLUMNS, Table

WEIGHTS = Table(
    "embed/weights",
    {
        "encoder": "string",
        "weights": "string",
        "card": "string",
        "bytes": "int64",
        "parameters": "int64",
        "dim": "int64",
    },
    key=("encoder",),
    required=("weights", "card", "bytes", "parameters", "dim"),
)
STREAM_INDEX = Table(
    "embed/index",
    {"slide_id": "string", "patient_id": "string", **INDEX_COLUMNS, "unreadable": "int64"},
    key=("slide_id",),
    required=("patient_id", "status", "n"),
)
