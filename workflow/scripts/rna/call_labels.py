"""Classes of a label by centroids, for patients to whom the clinical table gives none."""

import logging
from pathlib import Path

import anndata as ad

from confuselt.rna.centroids import classes_of, read_centroids, with_medians
from confuselt.rna.genes import todays
from confuselt.rna.pam50 import FEWEST_PER_GROUP, balanced_medians, call_samples, log_scale
from confuselt.rna.schema import CALLS, INDEX
from confuselt.run_step import Output, run_step
from confuselt.sheets.read import read_sheet
from confuselt.tables import read_table, write_table

READS = ("acquire.id_column", "rna.matrix", "rna.calls", "tasks.labels")
log = logging.getLogger("confuselt.rna")


def main(
    counts: Path, index: Path, centroids: Path, calls: Output, task: str, cfg: dict, clinical_table: Path | None = None
) -> None:
    """A row per sample, with the call or why there is none; ``groups`` are what its medians are balanced by."""
    label, by = next(t for t in cfg["tasks.labels"] if t["name"] == task), cfg["rna.calls"][task]["balanced_by"]
    values = log_scale(ad.read_h5ad(counts).to_df(), cfg["rna.matrix"] == "counts")
    table, medians = read_centroids(centroids)
    table.columns, groups = classes_of(list(table.columns), label, centroids), None
    if by is None:
        medians = with_medians(centroids, medians)
    elif clinical_table is None:
        raise ValueError(f"rna.calls '{task}' is balanced_by '{by}', and there is no clinical table")
    else:
        key = cfg["acquire.id_column"]
        people = read_sheet(clinical_table, [key, by]).dropna(subset=[key]).drop_duplicates(key).set_index(key)[by]
        named = values.set_axis(todays(list(values.columns)), axis=1)
        medians = balanced_medians(named[[gene for gene in todays(list(table.index)) if gene in named]], people)
        sizes = people.reindex(values.index).value_counts()
        groups = sizes[sizes >= FEWEST_PER_GROUP].to_dict()
        log.info("%s: medians of this cohort, in which these weigh alike: %s", task, groups)
    write_table(call_samples(values, read_table(index, INDEX), table, medians), calls, CALLS, {"groups": groups})


if __name__ == "__main__":
    run_step(main, globals())
