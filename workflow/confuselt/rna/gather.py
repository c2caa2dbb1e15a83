"""All RNA of a cohort in one AnnData: patients x genes, counts or a ready-made matrix."""

import logging
from collections import Counter
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from confuselt.content import array_hash
from confuselt.progress import progress
from confuselt.rna.genes import plain_genes
from confuselt.rna.star import GeneModel, read_star
from confuselt.sheets.genes import check_genes, genes_in_rows, read_gene_rows
from confuselt.sheets.read import check_counters, columns_of, read_matrix, read_sheet, repeated, row_number
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)
# Reads of one gene: a hundred times what the deepest sequencing runs give in all; float64 counts exactly far beyond.
LARGEST = 1e12
LOG_SCALE = 50  # no gene of a sample of counts has so few reads at most; log2 of any count is less


def check_sample(values: np.ndarray, counts: bool, genes: list[str], where: str) -> None:
    """Raise Unusable for an empty sample, NaN, infinite, and, for counts, negative or fractional values.

    Parameters
    ----------
    values : (genes,) float64
    counts : bool
    genes : list of str
        Named in the message.
    where : str
        File and row.
    """
    bad = ~np.isfinite(values)
    if bad.all() or (not bad.any() and not values.any()):
        raise Unusable(f"{where}: the sample is empty (no gene has a value other than 0)")
    if bad.any():
        raise Unusable(f"{where}: {int(bad.sum())} genes are NaN or infinite, first {genes[int(np.argmax(bad))]}")
    if counts and (values < 0).any():
        raise Unusable(f"{where}: gene {genes[int(np.argmin(values))]} has the negative count {values.min():g}")
    if counts and (values != np.round(values)).any():
        advice = (
            "it looks like a log scale: set rna.matrix: normalised"
            if values.max() < LOG_SCALE
            else "for expected counts (RSEM, salmon, kallisto) set rna.round: true; "
            "for TPM, FPKM and other scaled values rna.matrix: normalised"
        )
        raise Unusable(f"{where}: counts are not whole numbers; {advice}")
    if counts and (values > LARGEST).any():
        raise Unusable(
            f"{where}: gene {genes[int(np.argmax(values))]} has the count {values.max():g}; no sample has so many reads"
        )


def check_scaled(values: np.ndarray, path: Path) -> None:
    """Raise ValueError where a ready-made matrix holds counts: scaled gene by gene, deep samples would look all alike.

    Parameters
    ----------
    values : (samples, genes) float64
    path : Path
    """
    seen = values[np.isfinite(values)]
    # Ranks are whole numbers, too, and no larger than there are genes.
    if seen.size and (seen >= 0).all() and (seen == np.round(seen)).all() and seen.max() > max(1000, values.shape[1]):
        raise ValueError(
            f"{path}: rna.matrix is normalised, and all values are whole numbers up to {seen.max():g}: "
            "these are counts; set rna.matrix: counts"
        )


def read_genes(matrix: Path, key: str, counts: bool) -> tuple[list[str], np.ndarray]:
    """Genes and values (samples, genes) float64 of a table; counts of a gene that stands in several columns are summed.

    Genes lose the version of an Ensembl id, and the Entrez id behind a symbol (see `plain_genes`).

    Raises
    ------
    ValueError
        A column is no gene (text, or the number of the row), or a scaled matrix names a gene twice: its values cannot
        be summed.
    """
    if genes_in_rows(matrix, key):
        table = read_gene_rows(matrix, key)
    else:
        table = read_matrix(matrix, (key, "sample_id"))
        check_counters(table, matrix)
    check_genes(table.names, matrix)
    names = plain_genes(table.names)
    if changed := [(old, new) for old, new in zip(table.names, names, strict=True) if old != new]:
        log.info("%s: %d genes are called by less, as '%s' is '%s'", matrix.name, len(changed), *changed[0])
    twice = repeated(names)
    if not twice:
        return names, table.values
    if not counts:
        raise ValueError(
            f"{matrix}: genes {twice[:5]} stand in several columns; "
            "scaled values cannot be summed: keep one column of each"
        )
    log.warning(
        "%s: %d genes stand in several columns, their counts are summed: %s", matrix.name, len(twice), twice[:20]
    )
    codes, genes = pd.factorize(np.array(names, object))
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(genes)))
    return list(genes), np.add.reduceat(table.values[:, order], starts, axis=1)


def read_count_files(files: pd.Series, data: Path) -> tuple[list[str], np.ndarray, dict[int, str]]:
    """Genes and counts (samples, genes) float64 of every listed STAR file in the order of the sheet.

    Beside them stands why some could not be read. Files of one cohort must list the same genes: one that does not is
    unreadable, named with how it differs.
    """
    columns, unreadable, model = {}, {}, GeneModel()
    for row, name in enumerate(progress(list(files), "count files")):
        try:
            if name is None:
                raise Unusable("the RNA sheet names no file")
            columns[row] = read_star(data / name, model)
        except Unusable as reason:
            unreadable[row] = str(reason)
    lists: list[pd.Index] = []
    which = {}
    for row, column in columns.items():
        which[row] = next((k for k, known in enumerate(lists) if known.equals(column.index)), len(lists))
        lists += [column.index] * (which[row] == len(lists))
    most = Counter(which.values()).most_common(1)
    genes = list(lists[most[0][0]]) if most else []
    for row in [r for r, k in which.items() if k != most[0][0]]:
        own = set(columns.pop(row).index)
        unreadable[row] = (
            f"{files.iloc[row]}: {len(own)} genes, most files have {len(genes)} ({len(own ^ set(genes))} differ); "
            "they must come from one gene model"
        )
    numbers = np.full((len(files), len(genes)), np.nan)
    for row, column in columns.items():
        numbers[row] = column.to_numpy(float)
    return genes, numbers, unreadable


def gather(
    matrix: Path | None, samples: pd.DataFrame, key: str, counts: bool, data: Path, rounded: bool = False
) -> tuple[ad.AnnData, pd.DataFrame]:
    """Read the matrix of a cohort.

    Parameters
    ----------
    matrix : Path or None
        The user's table; None: the cohort has no RNA.
    samples : DataFrame
        ``acquire/rna``.
    key : str
        ``acquire.id_column``.
    counts : bool
        Whether the values are raw counts.
    data : Path
        Where relative paths of a sheet with a column ``file`` start.
    rounded : bool
        Whether expected counts, which are fractions, are rounded (``rna.round``).

    Returns
    -------
    adata : AnnData
        One row per usable patient (`obs_names` = patient ids, sorted), float32, or int64 for counts.
    index : DataFrame
        Columns of ``rna/index``: ``n`` genes, of which ``seen`` have another value than 0; ``total`` and ``median`` of
        the values.
    """
    index = samples[["sample_id", "patient_id", "status", "reason"]].assign(
        n=0, sha=None, total=np.nan, seen=0, median=np.nan
    )
    lost = index["status"] != "ok"
    index.loc[lost, "reason"] = "excluded at acquire: " + index.loc[lost, "reason"].astype(str)
    if matrix is None:
        return ad.AnnData(np.zeros((0, 0), np.float32)), index
    if "file" in columns_of(matrix):
        genes, numbers, unreadable = read_count_files(read_sheet(matrix, ["file"])["file"], data)
        for i in index.index[~lost]:
            if reason := unreadable.get(int(samples.at[i, "row"])):
                index.loc[i, ["status", "reason"]] = ["excluded", reason]
        lost = index["status"] != "ok"
    else:
        genes, numbers = read_genes(matrix, key, counts)
        if not counts:
            check_scaled(numbers, matrix)
    if counts and rounded:
        numbers = np.round(numbers)
    keep = []
    for i in index.index[~lost]:
        row = int(samples.at[i, "row"])
        try:
            check_sample(
                numbers[row], counts, genes, f"{matrix.name} row {row_number(row)} ({index.at[i, 'patient_id']})"
            )
        except Unusable as reason:
            index.loc[i, ["status", "reason"]] = ["excluded", str(reason)]
            continue
        index.loc[i, ["n", "sha"]] = [len(genes), array_hash(numbers[row])]
        index.loc[i, ["total", "median"]] = [numbers[row].sum(), np.median(numbers[row])]
        index.loc[i, "seen"] = int(np.count_nonzero(numbers[row]))
        keep.append(i)
    rows = samples.loc[keep, "row"].to_numpy(int)
    values = numbers[rows].astype(np.int64 if counts else np.float32)
    adata = ad.AnnData(
        values,
        obs=pd.DataFrame(index=pd.Index(index.loc[keep, "patient_id"], name="patient_id")),
        var=pd.DataFrame(index=genes),
    )
    log.info("%d of %d samples usable, %d genes", len(keep), len(index), len(genes))
    return adata[np.argsort(adata.obs_names)].copy(), index
