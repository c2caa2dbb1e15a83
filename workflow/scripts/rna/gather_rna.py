"""All RNA of a cohort in one h5ad, with an index."""

from pathlib import Path

import pandas as pd

from confuselt.acquire.excluded import check_excluded
from confuselt.rna.gather import gather
from confuselt.rna.schema import INDEX
from confuselt.run_step import Output, run_step
from confuselt.stamp import get_stamp
from confuselt.tables import write_table

READS = ("data", "acquire.id_column", "rna.matrix", "rna.round")


def main(
    samples: Path,
    counts: Output,
    index: Output,
    cfg: dict,
    rna_matrix: Path | None = None,
    max_excluded: float = 0.2,
) -> None:
    """Read the matrix and check every sample."""
    is_counts, key = cfg["rna.matrix"] == "counts", cfg["acquire.id_column"]
    adata, table = gather(
        rna_matrix, pd.read_parquet(samples), key, is_counts, Path(cfg["data"]), rounded=cfg["rna.round"]
    )
    check_excluded(table, max_excluded, "RNA samples", "sample_id")
    adata.uns["stamp"] = get_stamp()
    adata.write_h5ad(counts)
    write_table(table, index, INDEX)


if __name__ == "__main__":
    run_step(main, globals())
