"""Table that `pretrain` writes."""

from confuselt.tables import Table

HISTORY = Table(
    "pretrain/history",
    {
        "epoch": "int64",
        "loss": "float64",
        "inner_loss": "float64",
        "temperature": "float64",
        "inner_recall": "float64",
        "inner_percentile_rank": "float64",
    },
    key=("epoch",),
)
