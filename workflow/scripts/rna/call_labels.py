"""Classes of a label by the centroids that its task names, for patients to whom the clinical table gives none."""

from pathlib import Path

import anndata as ad

from confuselt.rna.pam50 import balanced_medians, call_samples, log_scale, read_centroids, with_medians
from confuselt.rna.schema import CALLS, INDEX
from confuselt.run_step import Output, run_step
from confuselt.sheets.read import read_sheet
from confuselt.tables import read_table, write_table

READS = ("acquire.id_column", "rna.matrix", "tasks.labels")


def main(
    counts: Path, index: Path, centroids: Path, calls: Output, task: str, cfg: dict, clinical_table: Path | None = None
) -> None:
    """A row per sample, with the call or why there is none."""
    label = next(t for t in cfg["tasks.labels"] if t["name"] == task)
    values = log_scale(ad.read_h5ad(counts).to_df(), cfg["rna.matrix"] == "counts")
    table, medians = read_centroids(centroids)
    if label["balanced_by"] is None:
        medians = with_medians(centroids, medians)
    elif clinical_table is None:
        raise ValueError(f"label '{task}' is balanced_by '{label['balanced_by']}', and there is no clinical table")
    else:
        key = cfg["acquire.id_column"]
        people = read_sheet(clinical_table, [key, label["balanced_by"]]).dropna(subset=[key])
        medians = balanced_medians(values, people.drop_duplicates(key).set_index(key)[label["balanced_by"]])
    write_table(call_samples(values, read_table(index, INDEX), table, medians), calls, CALLS)


if __name__ == "__main__":
    run_step(main, globals())
