"""All RNA of a cohort in one h5ad, with an index and PAM50 calls."""

from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.acquire.excluded import check_excluded
from confuselt.rna.gather import gather
from confuselt.rna.pam50 import call_pam50
from confuselt.rna.schema import INDEX, PAM50
from confuselt.run_step import Output, run_step
from confuselt.stamp import get_stamp
from confuselt.tables import empty_table, write_table

READS = ("data", "acquire.id_column", "rna.matrix")


def main(
    samples: Path,
    counts: Output,
    index: Output,
    pam50: Output,
    cfg: dict,
    rna_matrix: Path | None = None,
    centroids: Path | None = None,
    max_excluded: float = 0.2,
) -> None:
    """Read the matrix, check every sample, call subtypes where centroids are given."""
    is_counts = cfg["rna.matrix"] == "counts"
    adata, table = gather(rna_matrix, pd.read_parquet(samples), cfg["acquire.id_column"], is_counts, Path(cfg["data"]))
    check_excluded(table, max_excluded, "RNA samples", "sample_id")
    adata.uns["stamp"] = get_stamp()
    adata.write_h5ad(counts)
    write_table(table, index, INDEX)
    write_table(calls(adata.to_df(), table, is_counts, centroids), pam50, PAM50)


def calls(values: pd.DataFrame, table: pd.DataFrame, is_counts: bool, centroids: Path | None) -> pd.DataFrame:
    """A row per sample; without centroids every row says so."""
    usable = table[table["status"] == "ok"]
    if centroids is None or usable.empty:
        rows = empty_table(PAM50).reindex(table.index)
        reason = table["reason"].fillna("rna.pam50_centroids is not set")
        return rows.assign(
            sample_id=table["sample_id"],
            patient_id=table["patient_id"],
            status="not available",
            reason=reason,
            correlation=np.nan,
        )
    reference = pd.read_csv(centroids, sep=None, engine="python", index_col=0)
    if "median" not in reference:
        raise ValueError(
            f"{centroids}: no column 'median'; PAM50 calls need fixed medians per gene (log2 scale), not those of the cohort"
        )
    if is_counts:
        values = np.log2(values.div(values.sum(axis=1), axis=0) * 1e6 + 1)
    called = (
        call_pam50(values, reference.drop(columns="median"), reference["median"])
        .reindex(table["patient_id"])
        .reset_index(drop=True)
    )
    rows = table[["sample_id", "patient_id"]].reset_index(drop=True).join(called)
    lost = rows["call"].isna()
    return rows.assign(
        status=np.where(lost, "excluded", "ok"), reason=rows["reason"].fillna(table["reason"].reset_index(drop=True))
    )


if __name__ == "__main__":
    run_step(main, globals())
