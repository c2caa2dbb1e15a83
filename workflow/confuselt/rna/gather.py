"""All RNA of a cohort in one AnnData: patients x genes, counts or a ready-made matrix."""

import logging
from collections import Counter
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from confuselt.acquire.sheet import read_sheet, row_number
from confuselt.content import array_hash
from confuselt.progress import progress
from confuselt.rna.star import read_star
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)


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
        raise Unusable(f"{where}: counts are not whole numbers; set rna.matrix: normalised for a scaled matrix")


def read_count_files(files: pd.Series, data: Path) -> tuple[pd.DataFrame, dict[int, str]]:
    """Counts of every listed STAR file, samples x genes in the order of the sheet, and why some could not be read.

    Files of one cohort must list the same genes: one that does not is unreadable, named with how it differs.
    """
    columns, unreadable = {}, {}
    for row, name in enumerate(progress(list(files), "count files")):
        try:
            if name is None:
                raise Unusable("the RNA sheet names no file")
            columns[row] = read_star(data / name)
        except Unusable as reason:
            unreadable[row] = str(reason)
    lists = Counter(tuple(c.index) for c in columns.values())
    genes = list(lists.most_common(1)[0][0]) if lists else []
    for row in [r for r, c in columns.items() if tuple(c.index) != tuple(genes)]:
        own = set(columns.pop(row).index)
        unreadable[row] = (
            f"{files.iloc[row]}: {len(own)} genes, most files have {len(genes)} ({len(own ^ set(genes))} differ); they must come from one gene model"
        )
    return pd.DataFrame(columns).T.reindex(index=range(len(files)), columns=genes), unreadable


def gather(matrix: Path | None, samples: pd.DataFrame, key: str, counts: bool, data: Path) -> tuple[ad.AnnData, pd.DataFrame]:
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

    Returns
    -------
    adata : AnnData
        One row per usable patient (`obs_names` = patient ids, sorted), float32, or int32 for counts.
    index : DataFrame
        Columns of ``rna/index``.
    """
    index = samples[["sample_id", "patient_id", "status", "reason"]].assign(n=0, sha=None)
    lost = index["status"] != "ok"
    index.loc[lost, "reason"] = "excluded at acquire: " + index.loc[lost, "reason"].astype(str)
    if matrix is None:
        return ad.AnnData(np.zeros((0, 0), np.float32)), index
    frame = read_sheet(matrix, ids=(key, "sample_id", "file"))
    if "file" in frame:
        frame, unreadable = read_count_files(frame["file"], data)
        for i in index.index[~lost]:
            if reason := unreadable.get(int(samples.at[i, "row"])):
                index.loc[i, ["status", "reason"]] = ["excluded", reason]
        lost = index["status"] != "ok"
    genes = [c for c in frame.columns if c not in (key, "sample_id")]
    if len(set(genes)) < len(genes):
        twice = sorted({g for g in genes if genes.count(g) > 1})
        raise ValueError(f"{matrix}: genes {twice[:5]} stand in several columns")
    numbers = frame[genes].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    keep = []
    for i in index.index[~lost]:
        row = int(samples.at[i, "row"])
        try:
            check_sample(numbers[row], counts, genes, f"{matrix.name} row {row_number(row)} ({index.at[i, 'patient_id']})")
        except Unusable as reason:
            index.loc[i, ["status", "reason"]] = ["excluded", str(reason)]
            continue
        index.loc[i, ["n", "sha"]] = [len(genes), array_hash(numbers[row])]
        keep.append(i)
    rows = samples.loc[keep, "row"].to_numpy(int)
    values = numbers[rows].astype(np.int32 if counts else np.float32)
    adata = ad.AnnData(values, obs=pd.DataFrame(index=pd.Index(index.loc[keep, "patient_id"], name="patient_id")), var=pd.DataFrame(index=genes))
    log.info("%d of %d samples usable, %d genes", len(keep), len(index), len(genes))
    return adata[np.argsort(adata.obs_names)].copy(), index
