"""RNA at TCGA-BRCA's size: fit and transform of a fold, against PyDESeq2's own VST and R's; count files read.

``python benchmarks/rna.py`` draws 1,100 samples x 20,000 genes of negative binomial counts, and 1,231 count files of
60,660 rows in GDC's layout (``--files N`` for fewer), and prints a table. R's ``vst()`` is measured where Rscript with
DESeq2 is there (Debian: r-bioc-deseq2).
"""

import argparse
import resource
import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from pydeseq2.dds import DeseqDataSet
from pydeseq2.default_inference import DefaultInference

from confuselt.config.root import Config
from confuselt.rna.gather import read_count_files
from confuselt.rna.normalise import fit_normaliser
from confuselt.rna.star import write_star

SAMPLES, GENES, FILES, ROWS = 1_100, 20_000, 1_231, 60_660
R = """
suppressMessages(library(DESeq2)); x <- as.matrix(read.csv(commandArgs(TRUE)[1], row.names = 1)); s <- proc.time()[3]
d <- DESeqDataSetFromMatrix(x, data.frame(row.names = colnames(x), c = rep(1, ncol(x))), ~1); v <- vst(d)
cat(proc.time()[3] - s)
"""


def drawn(samples: int, genes: int) -> ad.AnnData:
    """Counts with the mean and dispersion of tissue; a few hundred genes are seen in every sample."""
    rng = np.random.default_rng(0)
    mean = np.exp(rng.normal(5, 2, genes))
    dispersion = 0.1 + 2 / mean
    values = rng.negative_binomial(1 / dispersion, 1 / (1 + mean * dispersion), (samples, genes))
    values[:, :300] += 1
    names = [[f"{letter}{i}" for i in range(n)] for letter, n in (("P", samples), ("G", genes))]
    return ad.AnnData(values, obs=pd.DataFrame(index=names[0]), var=pd.DataFrame(index=names[1]))


def ours(data: ad.AnnData) -> float:
    """Seconds of a fold: fit on all, transform all."""
    cfg = {f"rna.{k}": v for k, v in Config().rna.model_dump().items()}
    start = time.perf_counter()
    fit_normaliser(data.copy(), cfg).transform(data)
    return time.perf_counter() - start


def pydeseq2(data: ad.AnnData) -> float:
    """Seconds of PyDESeq2's own VST, with two workers."""
    start = time.perf_counter()
    dataset = DeseqDataSet(
        counts=data.to_df(),
        metadata=pd.DataFrame({"one": 1}, index=data.obs_names),
        design="~1",
        quiet=True,
        inference=DefaultInference(n_cpus=2),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.vst(use_design=False)
    return time.perf_counter() - start


def of_r(data: ad.AnnData, folder: Path) -> float | None:
    """Seconds of R's vst(), without reading; None where there is no R with DESeq2."""
    if shutil.which("Rscript") is None:
        return None
    data.to_df().T.to_csv(folder / "counts.csv")
    done = subprocess.run(["Rscript", "-e", R, str(folder / "counts.csv")], capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 else None


def reading(files: int, folder: Path) -> float:
    """Seconds of reading count files; one of a few is read again and again from the page cache."""
    genes = [f"G{i}" for i in range(ROWS)]
    rng = np.random.default_rng(0)
    for i in range(8):
        write_star(pd.Series(rng.poisson(100, ROWS), index=genes), folder / f"{i}.tsv")
    start = time.perf_counter()
    read_count_files(pd.Series([f"{i % 8}.tsv" for i in range(files)]), folder)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    files, data = parser.parse_args().files, drawn(SAMPLES, GENES)
    with tempfile.TemporaryDirectory() as name:
        own = ours(data)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        rows = [
            ("fit and transform", own, "1"),
            ("PyDESeq2's vst, 2 workers", theirs := pydeseq2(data), f"{theirs / own:.1f}"),
        ]
        if r := of_r(data, Path(name)):
            rows.append(("R's vst()", r, f"{r / own:.1f}"))
        rows.append((f"{files} count files of {ROWS} rows", reading(files, Path(name)), ""))
    print("| what | seconds | times ours |\n|---|---|---|")
    for what, seconds, ratio in rows:
        print(f"| {what} | {seconds:.1f} | {ratio} |")
    print(f"\nlargest memory of fit and transform: {memory:.2f} GB")


if __name__ == "__main__":
    main()
