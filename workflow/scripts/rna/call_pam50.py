"""PAM50 calls of a cohort's samples, by the user's centroids."""

from pathlib import Path

import anndata as ad

from confuselt.rna.centroids import common_name, read_centroids, with_medians
from confuselt.rna.pam50 import call_samples, log_scale
from confuselt.rna.schema import INDEX, PAM50
from confuselt.run_step import Output, run_step
from confuselt.tables import read_table, write_table

READS = ("rna.matrix",)


def main(counts: Path, index: Path, centroids: Path, pam50: Output, cfg: dict) -> None:
    """A row per sample, with the call or why there is none."""
    values = log_scale(ad.read_h5ad(counts).to_df(), cfg["rna.matrix"] == "counts")
    table, medians = read_centroids(centroids)
    table = table.rename(columns=common_name)
    write_table(call_samples(values, read_table(index, INDEX), table, with_medians(centroids, medians)), pam50, PAM50)


if __name__ == "__main__":
    run_step(main, globals())
