"""Normalise the RNA of every fold of a repeat, each with a normaliser fitted on its training patients."""

import json
import logging
from pathlib import Path

import anndata as ad
import pandas as pd

from confuselt.resume import make_folds
from confuselt.rna.empty import no_patients
from confuselt.rna.normalise import fit_normaliser
from confuselt.run_step import Output, Parts, run_step
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.stamp import get_stamp
from confuselt.tables import read_table

READS = (
    "rna.matrix",
    "rna.transform",
    "rna.trend_genes",
    "rna.scaling",
    "rna.genes",
    "rna.min_count",
    "rna.min_share",
    "rna.clip",
)
log = logging.getLogger("confuselt.rna")


def main(
    counts: Path, folds: Path, normalised: list[Output], normalisers: list[Output], parts: Parts, repeat: int, cfg: dict
) -> None:
    """Fit on training patients, transform all.

    Who cannot be transformed is named in ``uns["excluded"]`` (JSON) and has no row. A killed job goes on after its last
    finished fold.
    """
    adata, table = ad.read_h5ad(counts), read_table(folds, FOLDS)

    def normalise(fold: int, matrix: Path, normaliser: Path) -> None:
        roles = read_roles(table, repeat, fold)
        train = [p for p in roles["train"] if p in set(adata.obs_names)]
        if len(train) < 2:
            empty = no_patients(adata, f"{len(train)} training patients have RNA")
            empty.uns["stamp"] = get_stamp()
            empty.write_h5ad(matrix)
            normaliser.write_text("{}")
            return
        fitted = fit_normaliser(adata[train].copy(), cfg)
        # The inner part chooses epochs: a model has seen it too.
        known = [p for role in ("train", "inner") for p in roles[role] if p in set(adata.obs_names)]
        fitted.seen = sorted(fitted.profiles(adata[known]).values())
        lost = fitted.unusable(adata)
        for patient, reason in lost.items():
            log.warning("RNA of %s is not used in repeat %d, fold %d: %s", patient, repeat, fold, reason)
        served = adata[~adata.obs_names.isin(list(lost))]
        out = ad.AnnData(fitted.transform(served), obs=served.obs.copy(), var=pd.DataFrame(index=fitted.genes))
        out.uns.update(stamp=get_stamp(), excluded=json.dumps(lost))
        out.write_h5ad(matrix)
        fitted.save(normaliser)

    make_folds(normalise, [normalised, normalisers], lambda fold: [counts, folds], cfg, parts)


if __name__ == "__main__":
    run_step(main, globals())
