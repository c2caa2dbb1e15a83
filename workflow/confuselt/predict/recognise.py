"""Is a patient of a new cohort one that a model was trained on, and does it lie on the scale of training?"""

from pathlib import Path

import anndata as ad
import numpy as np

from confuselt.learn.checkpoint import hashed_ids
from confuselt.learn.store import Store, contents
from confuselt.model.scaling import StreamScaler
from confuselt.rna.normalise import Normaliser

# Share of values beyond the range of training from which on they are on another scale: of a whole cohort on average,
# and of one patient, who may be an outlier by nature where training patients are few.
COHORT_BEYOND, PATIENT_BEYOND = 0.3, 0.6
# A contraction (logs for counts, log10 for log2, vectors of length 1) stays inside the range: values of a cohort on the
# scale of training spread about as training does (SD 1), whatever shifts it. Of 678 real patients each of 15 sites
# alone has .52 or more (RNA) and .45 (slides).
LEAST_SPREAD = {"RNA": 0.4, "slides": 0.3}
FEWEST = 10  # patients from which on a cohort is judged as one
ADVICE = {
    "RNA": "Give the kind of values that the models were trained on (counts, logs, ratios and z-scores are no "
    "substitutes for each other), scale its genes by its own patients (predict.rna: {reference: own}), or predict from "
    "slides alone (predict.acquire: {rna: null})",
    "slides": "Give features of the same encoder with the same normalisation, or predict from RNA alone",
}
ROWS, SLIDES = 64, 100  # rows of a slide that are looked at, slides at once


def trained_patients(facts: dict, normaliser: Normaliser | None, store: Path, rna: ad.AnnData) -> set[str]:
    """Patients that a fold's model was trained or chosen by.

    They are known by their id, or, whatever they are called, by the content of a slide's bag or of their RNA.

    Parameters
    ----------
    facts : dict
        Of the fold: ``trained_on`` (hashed ids), ``seen`` (hashes of bags).
    normaliser : Normaliser or None
        Of the fold: its ``seen`` holds hashes of RNA.
    store : Path
        Of the new cohort.
    rna : AnnData
        Of the new cohort.
    """
    bags = contents(store)
    ids, seen = set(facts["trained_on"]), set(facts["seen"])
    found = {p for p in {*bags, *rna.obs_names} if hashed_ids([p])[0] in ids} | {
        p for p, shas in bags.items() if shas & seen
    }
    if normaliser is not None and rna.n_obs and {*normaliser.genes} <= {*rna.var_names}:
        known = set(normaliser.seen)
        found |= {p for p, sha in normaliser.profiles(rna).items() if sha in known}
    return found


def slides_beyond(store: Store, scaler: StreamScaler) -> dict[str, float]:
    """Share of the values of each patient's slides that no training row reached."""
    found: dict[str, list[float]] = {}
    for start in range(0, len(store), SLIDES):
        some = range(start, min(start + SLIDES, len(store)))
        drawn = store.draw([[i] for i in some], ROWS)
        shares = np.split(scaler.beyond(store.raw(drawn)), np.cumsum(drawn.lengths)[:-1])
        for i, share in zip(some, shares, strict=True):
            found.setdefault(store.patient_ids[i], []).append(float(share.mean()))
    return {patient: float(np.mean(shares)) for patient, shares in found.items()}


def check_spread(rows: np.ndarray, what: str) -> None:
    """Raise ValueError where scaled values of a cohort spread far less than those of training.

    Parameters
    ----------
    rows : (n, width) float32
        Scaled values: RNA of patients, or instances of slides. Fewer than ten say nothing.
    what : {"RNA", "slides"}
    """
    if len(rows) < FEWEST:
        return
    spread = float(np.median(rows.std(0)))
    if spread < LEAST_SPREAD[what]:
        raise ValueError(
            f"{what} of this cohort vary {spread:.2f} times as much as those of training "
            f"(median over {'genes' if what == 'RNA' else 'features'}): they are on another scale, "
            f"and predictions would be alike for all. {ADVICE[what]}"
        )


def check_scale(beyond: dict[str, float], what: str, share: float) -> dict[str, str]:
    """Why patients whose values lie on another scale are not served.

    Parameters
    ----------
    beyond : dict of str to float
        Patient to the share of its values that no training patient reached.
    what : {"RNA", "slides"}
    share : float
        ``max_excluded``.

    Raises
    ------
    ValueError
        The cohort as a whole, or more than that share of its patients; not of a handful, who are told one by one.
    """
    far = {patient: value for patient, value in beyond.items() if value > PATIENT_BEYOND}
    mean = float(np.mean(list(beyond.values()))) if beyond else 0.0
    if len(beyond) >= FEWEST and (mean > COHORT_BEYOND or len(far) > share * len(beyond)):
        raise ValueError(
            f"{what} of {len(beyond)} patients: {mean:.0%} of the values lie beyond what any training patient reached "
            f"(of {len(far)} patients more than {PATIENT_BEYOND:.0%}). "
            f"They are on another scale, and a prediction would mean nothing. {ADVICE[what]}"
        )
    return {
        patient: f"{what} on another scale: {value:.0%} of its values were reached by no training patient"
        for patient, value in far.items()
    }
