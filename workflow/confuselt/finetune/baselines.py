"""Baselines: clinical covariates, principal components, canonical correlation; tuned on the inner part.

Each sees exactly the patients of a fold that the arms see, and a small grid is searched
on the inner patients by partial likelihood or cross-entropy, as for the arms. What was fitted is kept (``fitted``), so
that it can be compared when only the test patients are other ones.
"""

import logging
import warnings
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import torch
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from confuselt.finetune.inner_predictions import inner_predictions
from confuselt.finetune.targets import Targets, curve_days
from confuselt.learn.checkpoint import seed_of
from confuselt.learn.means import patient_means
from confuselt.learn.scaling import fit_scaler
from confuselt.learn.store import Store
from confuselt.pretrain.retrieval import ranks
from confuselt.survival.cox import cox_loss
from confuselt.unusable import NotAvailable

log = logging.getLogger(__name__)
COMPONENTS, RIDGES, INVERSE = (4, 16, 48), (0.01, 0.1, 1.0), (0.01, 0.1, 1.0)
CCA_COMPONENTS, CCA_RIDGES = (20, 40, 80), (0.1, 0.5, 1.0)


def fit_cox(rows: np.ndarray, days: np.ndarray, event: np.ndarray, ridge: float) -> CoxPHFitter:
    """Ridge Cox model by lifelines, (n, d) float64. Raises ConvergenceError."""
    frame = pd.DataFrame(rows).assign(days=days, event=event)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lifelines warns of low variance; the ridge takes care of it
        return CoxPHFitter(penalizer=ridge).fit(frame, "days", "event")


def linear_predictions(
    rows: dict[str, np.ndarray], targets: dict[str, Targets], components: tuple[int | None, ...]
) -> tuple[list[tuple[str, str, dict[str, np.ndarray]]], dict[str, str], dict]:
    """Ridge Cox and logistic regression on (components of) rows, tuned on the inner part.

    Parameters
    ----------
    rows : dict of str to (n, d) float64
        Per role (train, inner, test), standardised on training patients.
    targets : dict of str to Targets
        Per role, in the order of the rows.
    components : tuple of int or None
        Numbers of principal components to try; None: the columns themselves.

    Returns
    -------
    found : list of (task, output, dict of str to (n,) float64)
        Values of the inner and of the test patients.
    lost : dict of str to str
        Task that could not be fitted to the reason.
    fitted : dict
        ``tasks``: task to the chosen grid point and its model; ``components``: number to the principal components that
        some task chose.
    """
    found, lost, fitted, pcas = [], {}, {}, {}
    # Centred rows have one dimension less than patients: a whitened component beyond would be noise blown up.
    most = min(len(rows["train"]) - 1, rows["train"].shape[1])
    shown = {}
    for c in [c for c in components if c is None or c <= most] or [None]:
        shown[c], pcas[c] = _project(rows, c)
    for task, (days, event) in targets["train"].survival.items():
        known = np.isfinite(days)
        if event[known].sum() == 0:
            continue
        best = None
        for c, ridge in product(shown, RIDGES):
            try:
                model = fit_cox(shown[c]["train"][known], days[known], event[known], ridge)
            except ConvergenceError as error:
                log.warning("%s with %s components, ridge %g: %s", task, c, ridge, str(error).splitlines()[0])
                continue
            loss = _inner_cox(model, shown[c]["inner"], *targets["inner"].survival[task])
            if best is None or loss < best[0]:
                best = (loss, model, c, {"ridge": ridge})
        if best is None:
            lost[task] = "no Cox model converged on the training patients"
            continue
        fitted[task] = {"components": best[2], **best[3], **_cox_state(best[1])}
        told = {
            role: cox_outputs(best[1], shown[best[2]][role], targets["train"].horizons[task])
            for role in ("inner", "test")
        }
        found += [(task, output, {role: values[output] for role, values in told.items()}) for output in told["test"]]
    for task, label in targets["train"].labels.items():
        known = label >= 0
        if len(np.unique(label[known])) < 2:
            continue
        best = None
        for c, inverse in product(shown, INVERSE):
            model = LogisticRegression(C=inverse, max_iter=5000).fit(shown[c]["train"][known], label[known])
            loss = _inner_label(model, shown[c]["inner"], targets["inner"].labels[task])
            if best is None or loss < best[0]:
                best = (loss, model, c, {"inverse": inverse})
        fitted[task] = {"components": best[2], **best[3], **_logistic_state(best[1])}
        names = targets["train"].classes[task]
        shares = {role: class_shares(best[1], shown[best[2]][role], len(names)) for role in ("inner", "test")}
        found += [(task, f"p_{name}", {role: p[:, k] for role, p in shares.items()}) for k, name in enumerate(names)]
    return (
        found,
        lost,
        {
            "tasks": fitted,
            "components": {c: pcas[c] for c in sorted({f["components"] for f in fitted.values()} - {None})},
        },
    )


def _cox_state(model: CoxPHFitter) -> dict[str, torch.Tensor]:
    """Coefficients, the means that they are taken against, and the cumulative baseline hazard."""
    hazard = model.baseline_cumulative_hazard_
    values = {
        "coefficients": model.params_,
        "centre": model._norm_mean,
        "times": hazard.index,
        "hazard": hazard.iloc[:, 0],
    }
    return {name: torch.tensor(np.asarray(value, np.float64)) for name, value in values.items()}


def _logistic_state(model: LogisticRegression) -> dict[str, torch.Tensor]:
    return {
        "classes": torch.tensor(model.classes_),
        "coefficients": torch.tensor(model.coef_),
        "intercept": torch.tensor(model.intercept_),
    }


def cox_outputs(model: CoxPHFitter, rows: np.ndarray, horizons: list[int]) -> dict[str, np.ndarray]:
    """Risk and survival curve of some patients: ``risk``, ``surv_<days>`` to (n,) float64."""
    days = curve_days(horizons)
    if not len(rows):
        return dict.fromkeys(["risk", *(f"surv_{d}" for d in days)], np.zeros(0))
    curves = model.predict_survival_function(pd.DataFrame(rows), times=days)
    return {
        "risk": model.predict_log_partial_hazard(pd.DataFrame(rows)).to_numpy(),
        **{f"surv_{d}": curves.loc[d].to_numpy() for d in days},
    }


def _project(
    rows: dict[str, np.ndarray], components: int | None
) -> tuple[dict[str, np.ndarray], dict[str, torch.Tensor]]:
    """Whitened principal components of every role, and what they are."""
    if components is None:
        return rows, {}
    pca = PCA(components, whiten=True, random_state=0).fit(rows["train"])
    state = {"mean": pca.mean_, "components": pca.components_, "variance": pca.explained_variance_}
    shown = {role: pca.transform(r) if len(r) else np.zeros((0, components)) for role, r in rows.items()}
    return shown, {name: torch.tensor(value) for name, value in state.items()}


def _inner_cox(model: CoxPHFitter, rows: np.ndarray, days: np.ndarray, event: np.ndarray) -> float:
    known = np.isfinite(days)
    if not known.any() or event[known].sum() == 0:
        return np.inf
    risk = model.predict_log_partial_hazard(pd.DataFrame(rows[known])).to_numpy()
    return cox_loss(*(torch.from_numpy(np.asarray(v, np.float64)) for v in (risk, days[known], event[known]))).item()


def _inner_label(model: LogisticRegression, rows: np.ndarray, label: np.ndarray) -> float:
    known = np.isin(label, model.classes_)
    return log_loss(label[known], model.predict_proba(rows[known]), labels=model.classes_) if known.any() else np.inf


def class_shares(model: LogisticRegression, rows: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities over all classes; a class without a training patient gets 0."""
    shares = np.zeros((len(rows), classes))
    if len(rows):
        shares[:, model.classes_] = model.predict_proba(rows)
    return shares


@dataclass(frozen=True)
class Vectors:
    """One vector per patient and modality.

    Attributes
    ----------
    slides : dict of str to (d,) float64
        Mean scaled instance of each patient.
    profiles : dict of str to (genes,) float32
    """

    slides: dict[str, np.ndarray]
    profiles: dict[str, np.ndarray]

    def has(self, patients: list[str], pattern: str) -> list[str]:
        """Patients that have what an input pattern needs."""
        needed = [of for name, of in (("wsi", self.slides), ("rna", self.profiles)) if pattern in (name, "both")]
        return [p for p in patients if all(p in of for of in needed)]


def patient_vectors(
    store: Store | None, rna: dict[str, np.ndarray], train: list[str], cfg: dict
) -> tuple[Vectors, dict]:
    """Mean instances, scaled on training patients, and RNA; the state of the scaler.

    Parameters
    ----------
    store : Store or None
        None: no slide can be used.
    rna : dict of str to (genes,) float32
    train : list of str
    cfg : dict
        ``pack.scaling_*``, ``seed``.
    """
    if store is None:
        return Vectors({}, rna), {}
    kinds = {s: cfg[f"pack.scaling_{s}"] for s in store.streams}
    scaler = fit_scaler(store, train, kinds, seed_of("baselines", cfg["seed"]))
    return Vectors(patient_means(store, store.of_patients(store.patient_ids), scaler), rna), scaler.state()


def _stacked(rows: list[np.ndarray]) -> np.ndarray:
    """(n, d) float64; (0, 0) of nobody, which `standardise` gives the width of the training patients."""
    return np.stack(rows).astype(np.float64) if rows else np.zeros((0, 0))


def standardise(rows: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, torch.Tensor]]:
    """Centre and scale every role by the training patients.

    The ``centre`` and ``scale`` (d,) themselves come second.
    """
    centre, scale = rows["train"].mean(0), rows["train"].std(0)
    scale = np.where(scale > 0, scale, 1.0)
    shown = {
        role: np.clip((r - centre) / scale, -5, 5) if len(r) else np.zeros((0, len(centre))) for role, r in rows.items()
    }
    return shown, {"centre": torch.from_numpy(centre), "scale": torch.from_numpy(scale)}


def fit_pca_cox(vectors: Vectors, targets: Targets, roles: dict[str, list[str]]) -> tuple[dict, pd.DataFrame]:
    """Principal components of mean features, RNA, or both; ridge Cox and logistic regression on them.

    Returns
    -------
    facts : dict
        ``not_learnable``: task to why an input pattern of it could not be fitted; ``fitted``: per input pattern.
    predictions : DataFrame
        Of the test patients; empty where the fold has none with features.
    """
    parts, fitted = [pd.DataFrame(columns=["patient_id", "inputs", "task", "output", "value"])], {}
    lost: dict[str, list[str]] = {}
    for pattern in ("wsi", "rna", "both"):
        patients = {role: vectors.has(ids, pattern) for role, ids in roles.items()}
        if (n := len(patients["train"])) < 10:
            for task in (*targets.survival, *targets.labels) if n else ():
                lost.setdefault(task, []).append(f"{pattern}: {n} training patients have features")
            continue
        rows = {}
        for role, ids in patients.items():
            blocks = []
            if pattern != "rna":
                blocks.append(_stacked([vectors.slides[p] for p in ids]))
            if pattern != "wsi":
                blocks.append(_stacked([vectors.profiles[p] for p in ids]))
            rows[role] = np.concatenate(blocks, 1)
        rows, standard = standardise(rows)
        found, missed, models = linear_predictions(rows, {r: targets.take(p) for r, p in patients.items()}, COMPONENTS)
        fitted[pattern] = standard | models
        for task, reason in missed.items():
            lost.setdefault(task, []).append(f"{pattern}: {reason}")
        parts += [
            pd.DataFrame(
                {"patient_id": patients["test"], "inputs": pattern, "task": t, "output": o, "value": v["test"]}
            )
            for t, o, v in found
        ]
    if not fitted:
        raise NotAvailable("fewer than 10 training patients have features")
    facts = {"not_learnable": {task: "; ".join(reasons) for task, reasons in lost.items()}, "fitted": fitted}
    return facts, pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)


def clinical_rows(clinical: pd.DataFrame, roles: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """Covariates as numbers: numeric columns as they are, others one-hot, each with a flag for what is missing.

    Which of the two a column is, is a matter of the whole cohort (`acquire` has left numbers only in a column of
    numbers). What a missing value is replaced by, and which levels there are, the training patients say: the median, or
    the share of each level, so that a patient of whom nothing is known is an average one. A level that no training
    patient has is missing, not the first level.

    Raises
    ------
    NotAvailable
        The cohort has no covariate.
    """
    table = clinical.set_index("patient_id")
    blocks: dict[str, list[np.ndarray]] = {role: [] for role in roles}
    for name in (c for c in clinical.columns if c.startswith("covariate_")):
        column = table[name]
        train = column.loc[roles["train"]].dropna()
        if train.empty:
            continue
        numbers = pd.to_numeric(column, errors="coerce")
        if numbers.notna().eq(column.notna()).all():
            coded = numbers.to_frame().astype(float)
            fill = [coded.loc[train.index, name].median()]
        else:
            levels = sorted(train.unique())
            if unseen := sorted(set(column.dropna()) - set(levels)):
                log.warning(
                    "%s: %s of other patients stands in no training patient and counts as missing",
                    name.removeprefix("covariate_"),
                    unseen,
                )
            coded = pd.DataFrame({level: (column == level).astype(float) for level in levels}).where(
                column.isin(levels), np.nan
            )
            coded = coded[levels[1:]]
            fill = list(coded.loc[train.index].mean())
            column = column.where(column.isin(levels))
        for role, ids in roles.items():
            known = coded.loc[ids].fillna(dict(zip(coded.columns, fill, strict=True)))
            blocks[role] += [known.to_numpy(float), column.loc[ids].isna().to_numpy(float)[:, None]]
    if not blocks["train"]:
        raise NotAvailable("the cohort has no covariate (acquire.covariates)")
    return {role: np.hstack(b) for role, b in blocks.items()}


def fit_clinical(clinical: pd.DataFrame, targets: Targets, roles: dict[str, list[str]]) -> tuple[dict, pd.DataFrame]:
    """Ridge Cox and logistic regression on the clinical covariates.

    Returns
    -------
    facts : dict
        ``not_learnable``, ``inner_predictions`` (of the inner patients, as arms save them), ``fitted``: see
        `linear_predictions`.
    predictions : DataFrame
    """
    rows, standard = standardise(clinical_rows(clinical, roles))
    varying = rows["train"].std(0) > 0
    found, lost, models = linear_predictions(
        {r: x[:, varying] for r, x in rows.items()}, {r: targets.take(p) for r, p in roles.items()}, (None,)
    )
    if not found:
        raise NotAvailable(
            "; ".join(dict.fromkeys(lost.values())) or "no task has events or classes among the training patients"
        )
    inner: dict[str, list[np.ndarray]] = {}
    for task, output, values in found:
        if not output.startswith("surv_"):
            inner.setdefault(task, []).append(values["inner"])
    table = [
        pd.DataFrame({"patient_id": roles["test"], "inputs": "clinical", "task": t, "output": o, "value": v["test"]})
        for t, o, v in found
    ]
    said = inner_predictions(roles["inner"], {t: np.column_stack(v) for t, v in inner.items()})
    return {"not_learnable": lost, "inner_predictions": said, "fitted": standard | models}, pd.concat(
        table, ignore_index=True
    )


def canonical(x: np.ndarray, y: np.ndarray, components: int, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Ridge-regularised canonical correlation analysis.

    Parameters
    ----------
    x, y : (n, p), (n, q) float64
        Centred columns.
    components : int
    ridge : float
        Share of the mean variance added to each covariance (Vinod 1976).

    Returns
    -------
    (p, components), (q, components)
        Projections, weighted by the canonical correlations.
    """

    def whiten(m: np.ndarray) -> np.ndarray:
        covariance = m.T @ m / len(m)
        values, vectors = np.linalg.eigh(
            covariance + ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        )
        return vectors / np.sqrt(values) @ vectors.T

    wx, wy = whiten(x), whiten(y)
    u, s, vt = np.linalg.svd(wx @ (x.T @ y / len(x)) @ wy, full_matrices=False)
    c = min(components, len(s))
    return wx @ u[:, :c] * s[:c], wy @ vt[:c].T * s[:c]


def fit_cca(vectors: Vectors, roles: dict[str, list[str]]) -> dict:
    """Canonical correlation between mean WSI features and RNA, tuned by inner mean percentile rank.

    Returns
    -------
    dict
        ``patients`` (test), ``wsi`` and ``rna`` unit vectors of the test pairs (there may be none), and ``fitted``: the
        chosen grid point, centre, scale and projection of either side.
    """
    pairs = {role: vectors.has(ids, "both") for role, ids in roles.items()}
    if len(pairs["train"]) < 10:
        raise NotAvailable(f"{len(pairs['train'])} training patients have both a slide and RNA")
    wsi, wsi_standard = standardise({r: _stacked([vectors.slides[i] for i in p]) for r, p in pairs.items()})
    rna, rna_standard = standardise({r: _stacked([vectors.profiles[i] for i in p]) for r, p in pairs.items()})
    best = None
    for ridge in CCA_RIDGES:
        full = canonical(wsi["train"], rna["train"], max(CCA_COMPONENTS), ridge)
        for components in CCA_COMPONENTS:
            a, b = (m[:, :components] for m in full)
            inner = ranks(_unit(wsi["inner"] @ a), _unit(rna["inner"] @ b)).mean() if len(pairs["inner"]) > 1 else 0.0
            if best is None or inner < best[0]:
                best = (inner, a, b, {"components": components, "ridge": ridge})
    _, a, b, chosen = best
    # Copies: a tensor that is a view of the widest projection would be saved with all of it.
    fitted = chosen | {
        "wsi": wsi_standard | {"projection": torch.tensor(a)},
        "rna": rna_standard | {"projection": torch.tensor(b)},
    }
    return {
        "patients": pairs["test"],
        "wsi": torch.from_numpy(_unit(wsi["test"] @ a)),
        "rna": torch.from_numpy(_unit(rna["test"] @ b)),
        "fitted": fitted,
    }


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
