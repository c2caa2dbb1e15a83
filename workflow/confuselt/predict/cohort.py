"""Apply the models of an arm to another cohort: averaged curves and probabilities, one shared embedding."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import torch

from confuselt.finetune.arms import Arm
from confuselt.finetune.distance import distances
from confuselt.finetune.inputs import Inputs
from confuselt.finetune.member import average_members, load_member
from confuselt.learn.store import Store
from confuselt.model.scaling import StreamScaler
from confuselt.predict.recognise import check_scale, check_spread, slides_beyond, trained_patients
from confuselt.predict.rna import serve
from confuselt.pretrain.retrieval import embed_patients, embed_profiles
from confuselt.pretrain.train import load_encoders
from confuselt.progress import progress
from confuselt.rna.normalise import Normaliser

log = logging.getLogger(__name__)
SOME_ROWS = 5_000  # instances by which the spread of a cohort's features is judged


@dataclass(frozen=True)
class FoldModel:
    """One fold of a trained arm.

    Attributes
    ----------
    facts : dict
        Weights, scaler, recipe, genes, hashed training ids (see `finetune`).
    normaliser : Normaliser or None
    encoders : dict or None
        Pretraining checkpoint of the fold, for the embedding (the one that the arm's towers came from).
    """

    facts: dict
    normaliser: Normaliser | None
    encoders: dict | None


def check_recipe(facts: dict, bags: Store) -> None:
    """Raise ValueError where streams of a cohort are not made as those of training.

    They were made by something else, or in another order.
    """
    for stream, trained in facts["recipe"].items():
        here = bags.recipe[stream]
        for key in ("name", "weights", "card", "d", "dtype", "tile_px", "mpp", "columns"):
            if trained.get(key) != here.get(key):
                raise ValueError(
                    f"stream '{stream}': the model was trained on {key} {trained.get(key)!r}, "
                    f"this cohort has {here.get(key)!r}"
                )
        there, now = (json.loads(recipe.get("stated", "{}")) for recipe in (trained, here))
        for key in there.keys() & now.keys():
            if there[key] != now[key]:
                raise ValueError(
                    f"stream '{stream}': the bags of training state {key} '{there[key]}', those of this cohort "
                    f"'{now[key]}'"
                )


def predict_cohort(
    arm: Arm,
    model: dict,
    folds: list[FoldModel],
    store: Path,
    rna: ad.AnnData,
    patients: list[str],
    options: dict,
    most_excluded: float,
) -> pd.DataFrame:
    """Serve every patient under every input pattern that it allows.

    Parameters
    ----------
    arm : Arm
    model : dict
        What the folds share: ``model``, ``classes``, ``horizons``, ``tiles``.
    folds : list of FoldModel
        Of all repeats and folds.
    store : Path
        Training store of the new cohort.
    rna : AnnData
        Its counts or ready-made matrix.
    patients : list of str
        Usable patients of the new cohort; nobody else is served.
    options : dict
        ``predict.rna``; see `predict.rna.serve`.
    most_excluded : float
        Share of them whose values may lie on another scale than those of training; more is a ValueError.

    Returns
    -------
    DataFrame
        Columns of ``predict/predictions``. Risk is 1 − mean survival at the longest stated horizon (Cox scores of
        folds share no scale, survival curves do); a patient that some folds were trained on, under whatever id, is
        served by the others only (``out_of_fold``), and refused where none is left. ``beyond_training`` is the share of
        the values of a patient's inputs that no training patient reached (of two inputs the larger one),
        ``out_of_distribution`` the share of training patients that lie less far out (mean over folds). Of rows that
        rest on RNA, ``rna_reference`` says what its genes were scaled by, and ``missing_genes`` how many of the model's
        were taken for the middle of training (mean over folds).
    """
    outputs: dict[tuple[str, str], dict[tuple[str, str], list[float]]] = {}
    vectors: dict[tuple[str, str], list[np.ndarray]] = {}
    distance: dict[tuple[str, str], list[float]] = {}
    outside: dict[tuple[str, str], list[float]] = {}
    served: dict[tuple[str, str], int] = {}
    held: dict[tuple[str, str], int] = {}  # folds that were trained on a patient
    refused: dict[str, str] = {}  # why a fold cannot use the RNA of a patient
    everyone: dict[str, set[str]] = {}
    missing: list[int] = []  # genes that the cohort lacks, per fold
    usable = set(patients)
    bags = Store(store, arm.streams) if arm.modality != "rna" else None
    for fold in progress(folds, "predicting"):
        found = _inputs(fold, bags, rna if arm.modality != "wsi" else None, options, most_excluded)
        inputs, lost = found.inputs, found.lost
        missing.append(found.missing)
        refused |= {p: reason for reasons in lost.values() for p, reason in reasons.items()}
        trained = trained_patients(fold.facts, fold.normaliser, store, rna)
        members = [(load_member(arm, model, fold.facts, m), m["baseline"]) for m in fold.facts["members"]]
        everyone_here = sorted({*inputs.slides, *inputs.profiles} & usable)
        classes, horizons = (
            {t: v for t, v in model[k].items() if t not in fold.facts["not_learnable"]} for k in ("classes", "horizons")
        )
        shared = _embedding(fold, inputs)
        for pattern in arm.inputs:
            able = inputs.has(everyone_here, pattern)
            # A fold may refuse an input that another takes: whoever has the input is told of.
            have = {"wsi": {*inputs.slides, *lost["wsi"]}, "rna": {*inputs.profiles, *lost["rna"]}}
            having = usable.intersection(*(have[m] for m in modalities(pattern)))
            everyone.setdefault(pattern, set()).update(having)
            fresh = [p for p in able if p not in trained]
            for patient in having & trained:
                held[patient, pattern] = held.get((patient, pattern), 0) + 1
            if not fresh:
                continue
            averaged = average_members(members, inputs, fresh, pattern, classes, horizons, model["tiles"])
            far = _farther_than(fold.facts["far"][pattern], distances(inputs, fresh, pattern, model["tiles"]))
            for i, patient in enumerate(fresh):
                key = (patient, pattern)
                served[key] = served.get(key, 0) + 1
                for name, values in averaged.items():
                    outputs.setdefault(key, {}).setdefault(name, []).append(values[i])
                distance.setdefault(key, []).append(far[i])
                outside.setdefault(key, []).append(max(found.beyond[m][patient] for m in modalities(pattern)))
                vectors.setdefault(key, []).append(_pattern_vector(shared, patient, pattern))
    table = _table(outputs, vectors, distance, outside, served, held, refused, everyone, model, len(folds))
    if table.empty:
        return table
    seen = table["inputs"].isin(["rna", "both"]) & (table["status"] == "ok")
    return table.assign(
        rna_reference=np.where(seen, options["reference"], None),
        missing_genes=np.where(seen, np.mean(missing), np.nan),
    )


def lost_inputs(indexes: list[pd.DataFrame]) -> dict[str, str]:
    """Patient to why stages after `acquire` left out slides or RNA of it.

    Parameters
    ----------
    indexes : list of DataFrame
        Of these stages: ``patient_id, status, reason``.
    """
    rows = pd.concat([i.loc[i["status"] != "ok", ["patient_id", "reason"]] for i in indexes])
    return rows.groupby("patient_id")["reason"].agg(lambda reasons: "; ".join(dict.fromkeys(reasons))).to_dict()


def not_served(people: pd.DataFrame, served: set[str], lost: dict[str, str], arm: str) -> pd.DataFrame:
    """A row for each patient of ``acquire/patients`` that has no other, with the reason.

    Parameters
    ----------
    people : DataFrame
    served : set of str
    lost : dict of str to str
        See `lost_inputs`.
    arm : str
    """
    absent = people[~people["patient_id"].isin(served)]
    told = absent["patient_id"].map(
        lambda p: f"no input that arm '{arm}' takes" + (f": {lost[p]}" if p in lost else "")
    )
    # The reason of a usable patient is about something else: a value that was mended, one slide of several.
    reason = absent["reason"].where(absent["status"] != "ok", told)
    return pd.DataFrame(
        {
            "patient_id": absent["patient_id"],
            "inputs": "none",
            "status": "excluded",
            "reason": reason,
            "out_of_fold": False,
        }
    )


@dataclass(frozen=True)
class Usable:
    """What a fold's model can use of a cohort.

    Attributes
    ----------
    inputs : Inputs
    lost : dict of str to dict
        Modality (``wsi``, ``rna``) to patient to why it cannot be used.
    beyond : dict of str to dict
        Modality to patient to the share of its values that no training patient reached.
    missing : int
        Genes of the model that the cohort lacks.
    """

    inputs: Inputs
    lost: dict[str, dict[str, str]]
    beyond: dict[str, dict[str, float]]
    missing: int


def _inputs(fold: FoldModel, bags: Store | None, rna: ad.AnnData | None, options: dict, most_excluded: float) -> Usable:
    """What a fold's model can use, and why it cannot use the slides or the RNA of some patients."""
    lost: dict[str, dict[str, str]] = {"wsi": {}, "rna": {}}
    beyond: dict[str, dict[str, float]] = {"wsi": {}, "rna": {}}
    scaler = None
    if bags is not None and not bags.missing:
        check_recipe(fold.facts, bags)
        scaler = StreamScaler.from_state(fold.facts["scaler"])
        beyond["wsi"] = slides_beyond(bags, scaler)
        lost["wsi"] = check_scale(beyond["wsi"], "slides", most_excluded)
        some = bags.sample(list(range(len(bags))), SOME_ROWS)
        check_spread(scaler([torch.from_numpy(rows) for rows in some.values()]).numpy(), "slides")
    slides = (
        {p: own for p, own in bags.of_patients(bags.patient_ids).items() if p not in lost["wsi"]}
        if bags is not None
        else {}
    )
    profiles, missing = {}, 0
    if rna is not None and rna.n_obs and fold.normaliser is None:
        lost["rna"] = dict.fromkeys(rna.obs_names, "its training patients had no RNA")
    elif rna is not None and rna.n_obs:
        served = serve(fold.normaliser, rna, options["reference"], options["max_missing"], most_excluded)
        profiles, lost["rna"], beyond["rna"], missing = served.profiles, served.lost, served.beyond, served.missing
    for patient, reason in (pair for reasons in lost.values() for pair in reasons.items()):
        log.warning("%s is not used by a fold's model: %s", patient, reason)
    return Usable(Inputs(bags if slides else None, scaler, slides, profiles), lost, beyond, missing)


def _embedding(fold: FoldModel, inputs: Inputs) -> dict[str, dict[str, np.ndarray]]:
    """Unit vectors of both modalities in the shared space of the fold's pretrained towers."""
    if fold.encoders is None:
        return {}
    encoders = load_encoders(fold.encoders)
    found: dict[str, dict[str, np.ndarray]] = {}
    if inputs.store is not None:
        vectors = embed_patients(encoders, inputs.store, inputs.scaler, inputs.slides)
        found["wsi"] = dict(zip(inputs.slides, vectors, strict=True))
    if inputs.profiles:
        found["rna"] = dict(
            zip(inputs.profiles, embed_profiles(encoders, np.stack(list(inputs.profiles.values()))), strict=True)
        )
    return found


def modalities(pattern: str) -> tuple[str, ...]:
    """What an input pattern needs."""
    return ("wsi", "rna") if pattern == "both" else (pattern,)


def _pattern_vector(shared: dict, patient: str, pattern: str) -> np.ndarray | None:
    """Vector of one modality, or the unit mean of both."""
    parts = [shared[m][patient] for m in modalities(pattern) if patient in shared.get(m, {})]
    if not parts:
        return None
    mean = np.mean(parts, axis=0, dtype=np.float64)
    return mean / max(np.linalg.norm(mean), 1e-12)


def _farther_than(training: list[float], distance: np.ndarray) -> np.ndarray:
    """Share of the training patients of a fold that lie less far out, (patients,) float64.

    Parameters
    ----------
    training : list of float
        Their distances, ascending.
    distance : (patients,) float64
        See `distances`.
    """
    return np.searchsorted(training, distance) / max(len(training), 1)


def _table(
    outputs: dict,
    vectors: dict,
    distance: dict,
    outside: dict,
    served: dict,
    held: dict,
    refused: dict[str, str],
    everyone: dict[str, set[str]],
    model: dict,
    models: int,
) -> pd.DataFrame:
    rows = []
    for pattern, patients in everyone.items():
        for patient in sorted(patients):
            key = (patient, pattern)
            if key not in served:
                others = "that was not trained on this patient " if key in held else ""
                reason = (
                    "every model was trained on this patient"
                    if held.get(key) == models
                    else f"no model {others}can use it: {refused[patient]}"
                )
                rows.append(
                    {
                        "patient_id": patient,
                        "inputs": pattern,
                        "status": "excluded",
                        "reason": reason,
                        "out_of_fold": False,
                    }
                )
                continue
            values = {name: float(np.mean(v)) for name, v in outputs[key].items()}
            row = {
                "patient_id": patient,
                "inputs": pattern,
                "status": "ok",
                "reason": None,
                "out_of_fold": held.get(key, 0) > 0,
                "out_of_distribution": float(np.mean(distance[key])),
                "beyond_training": float(np.mean(outside[key])),
            }
            # A task that no fold could learn stays NaN.
            for task, horizons in model["horizons"].items():
                row[f"risk_{task}"] = 1 - values.get((task, f"surv_{max(horizons)}"), np.nan)
                row |= {f"surv_{task}_{d}": values.get((task, f"surv_{d}"), np.nan) for d in horizons}
            for task, classes in model["classes"].items():
                row |= {f"p_{task}_{c}": values.get((task, f"p_{c}"), np.nan) for c in classes}
            if all(v is not None for v in vectors[key]) and served[key] == models:
                whole = np.concatenate(vectors[key]) / np.sqrt(models)
                row |= {f"z_{i}": float(z) for i, z in enumerate(whole)}
            rows.append(row)
    return pd.DataFrame(rows)
