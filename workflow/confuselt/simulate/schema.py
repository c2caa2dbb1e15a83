"""Tables that `simulate` writes."""

from confuselt.tables import INDEX_COLUMNS, Table

# Named by where it lies. Another name would be other code, and draw every slide anew.
DRAWN = Table(
    "acquire/drawn",
    {"slide_id": "string", "patient_id": "string", **INDEX_COLUMNS},
    key=("slide_id",),
    required=("status",),
)
