"""RNA of another cohort for a fold's model: on the scale of training, or on its own."""

from dataclasses import dataclass, replace

import anndata as ad
import numpy as np

from confuselt.model.scaler import ARRAYS, Scaler
from confuselt.predict.recognise import check_scale, check_spread
from confuselt.rna.genes import are_ensembl
from confuselt.rna.normalise import Normaliser

TRAINING, OWN = "training", "own"
FEWEST_OWN = 30  # patients from which on a cohort has a scale of its own
LEAST_REFERENCE = 0.5  # share of the reference genes that size factors need


@dataclass(frozen=True)
class Served:
    """RNA that a fold's model can use.

    Attributes
    ----------
    profiles : dict of str to (genes,) float32
        Patient to scaled values of all genes of the model; 0, the middle of training, for genes that are missing.
    lost : dict of str to str
        Patient to why its RNA cannot be used.
    beyond : dict of str to float
        Patient to the share of its values that no training patient reached.
    missing : int
        Genes of the model that the cohort lacks.
    """

    profiles: dict[str, np.ndarray]
    lost: dict[str, str]
    beyond: dict[str, float]
    missing: int


def serve(normaliser: Normaliser, rna: ad.AnnData, reference: str, most_missing: float, most_excluded: float) -> Served:
    """Normalise and scale the RNA of a cohort.

    Parameters
    ----------
    normaliser : Normaliser
        Of the fold.
    rna : AnnData
        Patients x genes, counts or ready-made values as in training.
    reference : {"training", "own"}
        What genes are centred and scaled by. own: by this cohort's patients, so that an affine map of a gene (with
        scaling rank any monotone one) between training and this cohort does not matter; but neither does a real
        difference between the two.
    most_missing : float
        Share of the model's genes that may be missing.
    most_excluded : float
        See `check_scale`.

    Raises
    ------
    ValueError
        Too many genes are missing, the values lie on another scale than training's, or there are too few patients for a
        scale of their own.
    """
    there, missing = present(normaliser, list(rna.var_names), most_missing)
    lost = there.unusable(rna)
    usable = rna[~rna.obs_names.isin(list(lost))]
    if reference == OWN:
        there = rescaled(there, usable)
    beyond = there.beyond(usable) if usable.n_obs else {}
    lost |= check_scale(beyond, "RNA", most_excluded)
    usable = rna[~rna.obs_names.isin(list(lost))]
    if not usable.n_obs:
        return Served({}, lost, beyond, missing)
    scaled = there.transform(usable)
    check_spread(scaled, "RNA")
    whole = np.zeros((len(scaled), len(normaliser.genes)), np.float32)
    whole[:, [i for i, gene in enumerate(normaliser.genes) if gene in set(there.genes)]] = scaled
    return Served(dict(zip(usable.obs_names, whole, strict=True)), lost, beyond, missing)


def present(normaliser: Normaliser, names: list[str], most_missing: float) -> tuple[Normaliser, int]:
    """The normaliser over those of its genes that a matrix has, and how many it lacks.

    ValueError where more than `most_missing` of them are missing, or too many of those that size factors rest on.
    """
    known, genes, reference = set(names), normaliser.genes, normaliser.reference
    lacking = [gene for gene in genes if gene not in known]
    if len(lacking) > most_missing * len(genes):
        raise ValueError(
            f"{len(lacking)} of {len(genes)} genes of the model are missing in this matrix, first {lacking[:5]}; more "
            f"than predict.rna.max_missing ({most_missing:.0%}). {_other_names(genes, names)}Otherwise "
            "raise that share, or predict from slides alone (predict.acquire: {rna: null})"
        )
    if reference:
        at = [i for i, gene in enumerate(reference["genes"]) if gene in known]
        if len(at) < LEAST_REFERENCE * len(reference["genes"]):
            raise ValueError(
                f"{len(at)} of {len(reference['genes'])} genes that depth or ranks rest on are in this matrix: "
                "give all genes"
            )
        per_gene = [k for k in ("genes", "log_means") if k in reference]
        reference = {**reference, **{k: [reference[k][i] for i in at] for k in per_gene}}
    kept = [i for i, gene in enumerate(genes) if gene in known]
    arrays = {name: np.asarray(normaliser.scaling[name], float) for name in ARRAYS}
    cut = {name: array[..., kept].tolist() for name, array in arrays.items() if array.size}
    scaling = {**normaliser.scaling, **cut}
    return replace(normaliser, genes=[genes[i] for i in kept], reference=reference, scaling=scaling), len(lacking)


def _other_names(genes: list[str], names: list[str]) -> str:
    kinds = {True: "Ensembl ids", False: "symbols"}
    model, matrix = are_ensembl(genes), are_ensembl(names)
    if model != matrix:
        return f"The model names genes by {kinds[model]}, this matrix by {kinds[matrix]}: rename its columns. "
    return "Are its genes named as those of training? "


def rescaled(normaliser: Normaliser, rna: ad.AnnData) -> Normaliser:
    """The normaliser with genes centred and scaled by the patients of `rna`."""
    if rna.n_obs < FEWEST_OWN:
        raise ValueError(
            f"predict.rna.reference is own, and {rna.n_obs} patients of this cohort have RNA: their own scale needs "
            f"{FEWEST_OWN}; with values on the scale of training set it to training"
        )
    scaling = normaliser.scaling
    fitted = Scaler.fit(scaling["kind"], normaliser.values(rna), scaling["clip"])
    return replace(normaliser, scaling=fitted.state())
