"""Gene counts as GDC hands them out: STAR's augmented counts, one TSV per sample."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from confuselt.unusable import Unusable

COLUMNS = ("gene_id", "gene_name", "gene_type", "unstranded")


def read_star(path: Path) -> pd.Series:
    """Unstranded counts by gene name.

    Parameters
    ----------
    path : Path
        ``# gene-model`` line, a header with at least `COLUMNS`, rows ``N_*`` (left out), a row per gene.

    Returns
    -------
    Series
        Gene name to count, int64, in the order of the file. Several gene ids of one name (pseudoautosomal copies, small
        RNAs) are summed.

    Raises
    ------
    Unusable
        The file is absent, empty, of another layout, or a count is no whole number.
    """
    if not path.is_file():
        raise Unusable(f"{path.name}: the file is listed but absent")
    table = _table(path)
    lost = [c for c in COLUMNS if c not in table]
    if lost:
        raise Unusable(
            f"{path.name}: no column {', '.join(lost)}; "
            f"wanted are STAR counts of GDC ({', '.join(COLUMNS)}), found {', '.join(map(str, table.columns[:5]))}"
        )
    table = table[[not str(gene).startswith("N_") for gene in table["gene_id"]]]
    numbers = pd.to_numeric(table["unstranded"], errors="coerce").to_numpy(float)
    bad = ~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers)))
    if bad.any():
        first = table.iloc[int(np.argmax(bad))]
        raise Unusable(
            f"{path.name}: {int(bad.sum())} counts are no whole numbers, "
            f"first {first['gene_name']} ({first['unstranded']})"
        )
    return (
        pd.Series(numbers.astype(np.int64), index=table["gene_name"].to_numpy(), name=path.name)
        .groupby(level=0, sort=False)
        .sum()
    )


def _table(path: Path) -> pd.DataFrame:
    """Rows of a count file; in a third of pandas' time where it is as GDC writes it."""
    try:
        with path.open("rb") as file:
            above = next(i for i, line in enumerate(file) if not line.startswith(b"#"))
        return csv.read_csv(
            path,
            csv.ReadOptions(skip_rows=above, use_threads=False),
            csv.ParseOptions(delimiter="\t"),
            csv.ConvertOptions(
                column_types={"unstranded": pa.float64()}, include_columns=list(COLUMNS), strings_can_be_null=True
            ),
        ).to_pandas()
    except (pa.ArrowInvalid, KeyError, StopIteration):  # pandas says better what is wrong
        pass
    try:
        return pd.read_csv(path, sep="\t", comment="#")
    except (ValueError, UnicodeDecodeError) as error:
        raise Unusable(f"{path.name}: cannot be read as a table ({error})") from None


def write_star(counts: pd.Series, path: Path) -> None:
    """Write counts by gene name in the layout of GDC (simulated samples)."""
    total = max(int(counts.sum()), 1)
    head = pd.DataFrame(
        {
            "gene_id": ["N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"],
            "unstranded": [total // 20, total // 15, total // 10, total // 30],
        }
    )
    tpm = counts / total * 1e6
    body = pd.DataFrame(
        {
            "gene_id": [f"SIMG{k:011d}.1" for k in range(len(counts))],
            "gene_name": counts.index,
            "gene_type": "protein_coding",
            "unstranded": counts.to_numpy(),
            "stranded_first": counts.to_numpy() // 2,
            "stranded_second": counts.to_numpy() - counts.to_numpy() // 2,
            "tpm_unstranded": tpm.round(4).to_numpy(),
            "fpkm_unstranded": tpm.round(4).to_numpy(),
            "fpkm_uq_unstranded": tpm.round(4).to_numpy(),
        }
    )
    with path.open("w", encoding="utf-8") as file:
        file.write("# gene-model: simulated\n")
        pd.concat([head, body]).reindex(columns=body.columns).astype({"unstranded": int}).to_csv(
            file, sep="\t", index=False
        )
