"""Table that `predict` writes."""

from confuselt.tables import Table

PREDICTIONS = Table(
    "predict/predictions",
    {
        "patient_id": "string",
        "inputs": "string",
        "status": "string",
        "reason": "string",
        "out_of_fold": "bool",
        "out_of_distribution": "float64",
        "beyond_training": "float64",
        "rna_reference": "string",
        "missing_genes": "float64",
    },
    key=("patient_id", "inputs"),
    patterns={r"risk_.+": "float64", r"surv_.+_\d+": "float64", r"p_.+": "float64", r"z_\d+": "float64"},
    required=("status",),
)
