"""Which gene sets move a prediction: do the genes of a set rank above all other genes of the model?"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm, rankdata, tiecorrect

from confuselt.report.attribution_figure import mean_over_folds
from confuselt.rna.gene_sets import read_gene_sets
from confuselt.rna.genes import plain_gene, plain_genes

FEWEST = 5  # genes of a set that the model must see, and genes that it must see beside them
SHOWN = 10  # sets of an output
COLUMNS = ("task", "output", "pathway", "found", "genes", "auc", "p", "q", "direction")


@dataclass(frozen=True)
class Pathways:
    """What is said of gene sets.

    Attributes
    ----------
    said : str
        How many could be tested, or why none was.
    tables : dict of str to list of dict
        Task to the first `SHOWN` sets of each of its outputs, columns of `COLUMNS`.
    """

    said: str
    tables: dict[str, list[dict]] = field(default_factory=dict)


def pathways(table: pd.DataFrame | None, path: Path, tasks: list[str]) -> Pathways:
    """Gene sets of a GMT file against the genes that move predictions.

    Parameters
    ----------
    table : DataFrame or None
        ``evaluate/attributions``; None: no arm was looked into.
    path : Path
    tasks : list of str
        In the order in which they are shown.
    """
    genes = [] if table is None else table[table["stream"] == "rna"]
    if not len(genes):
        return Pathways(
            f"The gene sets of {path.name} could not be tested: no arm of RNA alone (rna-scratch, rna-pretrained) was "
            "trained and looked into."
        )
    sets, seen = read_gene_sets(path), list(dict.fromkeys(genes["feature"]))
    members = matched(sets, seen)
    if not any(members.values()):
        theirs, ours = next(iter(sets.values())), sorted(seen)
        return Pathways(
            f"The gene sets of {path.name} could not be tested: they hold none of the {len(seen):,} genes that the "
            f"model sees. Its genes are called {', '.join(ours[:3])}, those of the file {', '.join(theirs[:3])}; both "
            "must be of one kind (symbols, or ids of Ensembl or Entrez)."
        )
    ranked = ranked_sets(genes, {name: (own, len(sets[name])) for name, own in members.items()})
    known = len(set().union(*members.values()))
    nearly = sum(len(own) > len(seen) - FEWEST for own in members.values())
    left = f" Left out, for fewer than {FEWEST} genes of the model stand beside theirs: {nearly:,}." if nearly else ""
    return Pathways(
        f"{path.name} has {len(sets):,} gene sets, which hold {known:,} of the {len(seen):,} genes that the model "
        f"sees. Tested are those with {FEWEST} of these genes or more: {ranked['pathway'].nunique():,}.{left}",
        {task: _first(ranked[ranked["task"] == task]) for task in tasks if (ranked["task"] == task).any()},
    )


def matched(sets: dict[str, list[str]], seen: list[str]) -> dict[str, set[str]]:
    """Genes of each set that a model sees, as the model calls them.

    A name is another's where they differ by the version of an Ensembl id or the Entrez id behind a symbol alone. No
    symbol is turned into an id: for a few genes only this could be done, and a set would be judged by these.
    """
    ours = dict(zip(plain_genes(seen), seen, strict=True)) | {name: name for name in seen}
    every = {gene for genes in sets.values() for gene in genes}
    called = {gene: ours.get(gene, ours.get(plain_gene(gene))) for gene in every}
    return {name: {called[g] for g in genes} - {None} for name, genes in sets.items()}


def ranked_sets(genes: pd.DataFrame, members: dict[str, tuple[set[str], int]]) -> pd.DataFrame:
    """Every set that can be tested for every output, the most surprising first.

    Parameters
    ----------
    genes : DataFrame
        ``evaluate/attributions`` of genes, one arm.
    members : dict
        Name of a set to its genes among the model's, and to how many it has.

    Returns
    -------
    DataFrame
        `COLUMNS`: genes ``found`` of ``genes``; ``auc``, the chance that a gene of the set moves the output more than
        another one does; ``p`` of the one-sided Mann-Whitney test, ``q`` by Benjamini and Hochberg over the sets of
        the output; mean ``direction``.
    """
    parts = [pd.DataFrame(columns=list(COLUMNS))]
    sizes = {name: size for name, (_, size) in members.items()}
    for (task, output), own in genes.groupby(["task", "output"], sort=False):
        mean = mean_over_folds(own)
        tested = _tested(mean, _places(mean.index, members))
        if len(tested):
            q = false_discovery_control(tested["p"], method="bh")
            tested = tested.assign(task=task, output=output, q=q, genes=tested["pathway"].map(sizes))
            parts.append(tested.sort_values(["p", "pathway"])[list(COLUMNS)])
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _places(index: pd.Index, members: dict[str, tuple[set[str], int]]) -> dict[str, np.ndarray]:
    """Where the genes of each set stand; without sets of which too few genes are there, or too few beside them."""
    at = {gene: k for k, gene in enumerate(index)}
    found = {name: np.array([at[g] for g in own if g in at], int) for name, (own, _) in members.items()}
    return {name: places for name, places in found.items() if FEWEST <= len(places) <= len(index) - FEWEST}


def _tested(mean: pd.DataFrame, places: dict[str, np.ndarray]) -> pd.DataFrame:
    """One-sided Mann-Whitney test of each set, as scipy's ``mannwhitneyu(method="asymptotic")``, ranking genes once.

    Ties are many where a fold has not chosen a gene: the normal approximation knows them, the exact test does not.
    """
    ranks, direction = rankdata(mean["strength"]), mean["direction"].to_numpy()
    inside = np.array([len(own) for own in places.values()])
    outside = len(ranks) - inside
    above = np.array([ranks[own].sum() for own in places.values()]) - inside * (inside + 1) / 2
    spread = np.sqrt(tiecorrect(ranks) * inside * outside * (len(ranks) + 1) / 12)
    with np.errstate(divide="ignore"):  # all strengths alike: no spread
        p = norm.sf((above - inside * outside / 2 - 0.5) / spread)
    return pd.DataFrame(
        {
            "pathway": list(places),
            "found": inside,
            "auc": above / (inside * outside),
            "p": p,
            "direction": [direction[own].mean() for own in places.values()],
        }
    )


def _first(ranked: pd.DataFrame) -> list[dict]:
    """The first sets of each output of a task."""
    return ranked.groupby("output", sort=True).head(SHOWN).sort_values(["output", "p", "pathway"]).to_dict("records")
