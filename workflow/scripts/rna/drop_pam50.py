"""RNA of the folds of a repeat without the genes of PAM50 and those that follow them.

It is what pretraining knows without the label's source.
"""

import json
import logging
from pathlib import Path

import anndata as ad

from confuselt.controls.without_pam50 import without
from confuselt.rna.empty import no_patients
from confuselt.rna.genes import PAM50_GENES, todays
from confuselt.run_step import Output, run_step
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.stamp import get_stamp
from confuselt.tables import read_table

READS = ()
log = logging.getLogger("confuselt.rna")


def main(normalised: list[Path], folds: Path, reduced: list[Output], repeat: int) -> None:
    """Drop columns of each fold's normalised matrix; genes that follow are looked for in its training patients.

    ``uns["dropped"]`` (JSON) counts genes: ``named``, ``followers``, ``left``. Where nothing can be dropped, or nothing
    is left, the matrix is empty and ``uns["reason"]`` says why.
    """
    table = read_table(folds, FOLDS)
    for fold, (matrix, path) in enumerate(zip(normalised, reduced, strict=True)):
        adata = ad.read_h5ad(matrix)
        train = adata.obs_names.isin(read_roles(table, repeat, fold)["train"])
        genes = list(adata.var_names)
        named = tuple(g for g, today in zip(genes, todays(genes), strict=True) if today in PAM50_GENES)
        hit, followers = without(adata.X, genes, named, train) if adata.n_obs else ([], [])
        left = [g for g in genes if g not in {*hit, *followers}]
        counted = {"named": len(hit), "followers": len(followers), "left": len(left)}
        log.info(
            "fold %d: of %d genes %d are PAM50's and %d follow one of them; %d are left",
            fold,
            len(genes),
            len(hit),
            len(followers),
            len(left),
        )
        reason = (
            adata.uns.get("reason")
            or (not hit and "the matrix has none of PAM50's genes")
            or (len(left) < 2 and f"{len(left)} genes are left without PAM50's")
        )
        if reason:
            log.warning("not available: %s", reason)
            out = no_patients(adata, reason)
        else:
            out = adata[:, left].copy()
        out.uns.update(stamp=get_stamp(), dropped=json.dumps(counted))
        out.write_h5ad(path)


if __name__ == "__main__":
    run_step(main, globals())
