"""Tables that `rna` writes."""

from confuselt.tables import INDEX_COLUMNS, Table

INDEX = Table(
    "rna/index",
    {
        "sample_id": "string",
        "patient_id": "string",
        **INDEX_COLUMNS,
        "total": "float64",
        "seen": "int64",
        "median": "float64",
    },
    key=("sample_id",),
    required=("patient_id", "status", "n"),
)
PAM50 = Table(
    "rna/pam50",
    {
        "sample_id": "string",
        "patient_id": "string",
        "status": "string",
        "reason": "string",
        "call": "string",
        "correlation": "float64",
        "margin": "float64",
        "genes": "int64",
        "ror_p": "float64",
    },
    key=("sample_id",),
    required=("patient_id", "status"),
)
CALLS = Table("rna/calls", PAM50.columns, key=PAM50.key, required=PAM50.required)
