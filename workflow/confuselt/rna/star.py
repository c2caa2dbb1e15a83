"""Gene counts as GDC hands them out: STAR's augmented counts, one TSV per sample."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from confuselt.unusable import Unusable

COLUMNS = ("gene_id", "gene_name", "gene_type", "unstranded")


class GeneModel:
    """Genes of the file that was read before: those of one cohort list the same, and names are what takes time."""

    def __init__(self) -> None:
        self._names: pa.Array | None = None

    def of(self, names: pa.Array) -> tuple[np.ndarray, pd.Index]:
        """Place of each row's gene among the genes, and these, each once, in the order of the file."""
        if self._names is None or not names.equals(self._names):
            self._names = names
            self._codes, genes = pd.factorize(names.to_numpy(zero_copy_only=False))
            self._genes = pd.Index(genes)
        return self._codes, self._genes


def read_star(path: Path, model: GeneModel | None = None) -> pd.Series:
    """Unstranded counts by gene name.

    Parameters
    ----------
    path : Path
        ``# gene-model`` line, a header with at least `COLUMNS`, rows ``N_*`` (left out), a row per gene.
    model : GeneModel, optional
        One for all files of a cohort.

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
    if rows := _plain_rows(path):
        codes, genes = (model or GeneModel()).of(rows[0])
        return pd.Series(np.bincount(codes, rows[1], len(genes)).astype(np.int64), genes, name=path.name)
    try:
        table = pd.read_csv(path, sep="\t", comment="#")
    except (ValueError, UnicodeDecodeError) as error:
        raise Unusable(f"{path.name}: cannot be read as a table ({error})") from None
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


def _plain_rows(path: Path) -> tuple[pa.Array, np.ndarray] | None:
    """Names and counts of the genes of a file that is as GDC writes it; None for any other, which pandas explains."""
    try:
        with path.open("rb") as file:
            above = next(i for i, line in enumerate(file) if not line.startswith(b"#"))
        table = csv.read_csv(
            path,
            csv.ReadOptions(skip_rows=above, use_threads=False),
            csv.ParseOptions(delimiter="\t"),
            csv.ConvertOptions(column_types={"unstranded": pa.float64()}, include_columns=list(COLUMNS)),
        )
    except (pa.ArrowInvalid, KeyError, StopIteration):
        return None
    table = table.filter(pc.invert(pc.starts_with(table["gene_id"].cast(pa.string()), "N_")))
    names, numbers = table["gene_name"].cast(pa.string()).combine_chunks(), table["unstranded"].to_numpy()
    whole = np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers))
    return (names, numbers) if whole.all() and not names.null_count else None


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
