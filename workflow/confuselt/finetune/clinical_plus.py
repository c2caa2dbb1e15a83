"""The clinical score and an arm's in one model: what the arm adds to what a physician knows.

What the arm says is added to the clinical score with one weight. That weight is fitted on the fold's training patients
under scores that they did not train (`cross_fit`), and shrunk to nothing where the arm adds nothing: then the
combination is the clinical model as it is.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize_scalar

from confuselt.finetune.schema import PREDICTIONS
from confuselt.finetune.targets import Targets, curve_days
from confuselt.learn.checkpoint import load_checkpoint
from confuselt.survival.cox import breslow, cox_loss, survival_at
from confuselt.tables import read_table
from confuselt.unusable import NotAvailable

# Facts of a fold (``inner_predictions``, ``not_learnable``) and predictions of the patients that it is tested on, of
# one model.
Told = tuple[dict, pd.DataFrame]
SIDES = ("clinical", "arm")
LEAST = 10  # events, or patients with a class, that a weight is fitted on
MOST = 5.0  # log hazard ratio per SD
SMALLEST = 1e-6


def read_told(predictions: list[Path], models: list[Path]) -> dict[str, tuple[dict, pd.DataFrame]]:
    """Saved models and what they predict, by name."""
    contents = [load_checkpoint(path) for path in models]
    return {
        content["arm"]: (content, read_table(path, PREDICTIONS))
        for content, path in zip(contents, predictions, strict=True)
    }


def told_in(content: dict, table: pd.DataFrame, fold: int, inputs: str) -> Told:
    """What a saved model says of the test patients of a fold under one input pattern."""
    return content["folds"][fold], table[(table["fold"] == fold) & (table["inputs"] == inputs)]


def shrinkage(ratio: float) -> float:
    """Heuristic shrinkage factor of van Houwelingen & le Cessie (1990) for one coefficient.

    (LR − 1) / LR, 0 where LR is under 1.
    """
    return max(0.0, (ratio - 1) / ratio) if ratio > 0 else 0.0


def added_weight(gain: Callable[[float], float], most: float) -> dict[str, float]:
    """The weight between 0 and `most` that gains most log likelihood over weight 0, shrunk.

    Parameters
    ----------
    gain : callable
        Weight to log likelihood; concave.
    most : float

    Returns
    -------
    dict
        ``weight`` (shrunk), ``unshrunk``, ``likelihood_ratio`` (twice the gain), ``shrinkage``.
    """
    best = _highest(gain, 0.0, most)
    ratio = max(0.0, 2 * (gain(best) - gain(0.0)))
    return {
        "weight": best * shrinkage(ratio),
        "unshrunk": best,
        "likelihood_ratio": ratio,
        "shrinkage": shrinkage(ratio),
    }


def _highest(value: Callable[[float], float], low: float, high: float) -> float:
    """Where a concave function is highest; the lower end where nothing is higher."""
    found = float(minimize_scalar(lambda x: -value(x), bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x)
    return found if value(found) > value(low) else low


def log_partial(risk: np.ndarray, days: np.ndarray, event: np.ndarray, strata: np.ndarray) -> float:
    """Cox partial log likelihood (Breslow's handling of ties), stratified; all arguments (n,)."""
    parts = [tuple(torch.from_numpy(v[strata == s]) for v in (risk, days, event)) for s in np.unique(strata)]
    return -sum((cox_loss(*part) * part[2].sum()).item() for part in parts)


def pool(clinical: np.ndarray, arm: np.ndarray, weight: float) -> np.ndarray:
    """Log-linear pool of class probabilities (n, classes): clinical^(1 − weight) · arm^weight, rows summing to 1."""
    logs = (1 - weight) * np.log(np.maximum(clinical, SMALLEST)) + weight * np.log(np.maximum(arm, SMALLEST))
    shares = np.exp(logs - logs.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def fit_added(main: tuple[Told, Told], crossed: list[tuple[Told, Told]], targets: Targets) -> tuple[dict, pd.DataFrame]:
    """Combine the clinical model and an arm in one fold.

    Parameters
    ----------
    main : (clinical, arm)
        What the models of the fold say of its test patients.
    crossed : list of (clinical, arm)
        For each part of the training patients what models say of it that were trained on the other parts.
    targets : Targets
        Of the cohort; outcomes of the patients in `crossed` only are read.

    Returns
    -------
    facts : dict
        ``not_learnable``: task to reason; ``added``: task to the weight of the arm (endpoints: log hazard ratio per SD;
        labels: share in the pool), what it was before it was shrunk, likelihood ratio, shrinkage, slope of the clinical
        log hazard, patients and events behind it, and why it is 0 where nothing could be fitted.
    predictions : DataFrame
        ``patient_id, task, output, value`` of the test patients that both can score.
    """
    lost, added, tables = {}, {}, []
    for task in (*targets.survival, *targets.labels):
        try:
            added[task], values = (_survival if task in targets.survival else _label)(task, main, crossed, targets)
        except NotAvailable as reason:
            lost[task] = str(reason)
            continue
        tables.append(
            values.melt(ignore_index=False, var_name="output").rename_axis("patient_id").reset_index().assign(task=task)
        )
    columns = ["patient_id", "task", "output", "value"]
    return {"not_learnable": lost, "added": added}, pd.concat(tables, ignore_index=True)[
        columns
    ] if tables else pd.DataFrame(columns=columns)


def _survival(
    task: str, main: tuple[Told, Told], crossed: list[tuple[Told, Told]], targets: Targets
) -> tuple[dict, pd.DataFrame]:
    """One more term beside the clinical log hazard: slope · clinical + weight · arm, slope ≥ 1, weight ≥ 0.

    A ridge makes the clinical log hazard too flat, and each part may choose another. Were it taken as it is, the arm
    would get weight for what it knows of the same covariates, and a small weight would outweigh them. The slope is not
    under 1: the arm never displaces the clinical score.
    """
    test, (train, silent) = _side_by_side(main, task, ["risk"]), _of_parts(crossed, task, ["risk"])
    days, event = targets.take(list(train.index)).survival[task]
    use = np.isfinite(days)
    clinical, score = (train[side, "risk"].to_numpy(float)[use] for side in SIDES)
    days, event, part = days[use], event[use], train["part"].to_numpy()[use]
    found, own = {"n": len(days), "events": int(event.sum())}, _scale(main[0], task)[1]

    def beside(weight: float) -> float:
        """Log hazard ratio per SD of the clinical score: at least that of the fold's own clinical model."""
        return _highest(
            lambda a: log_partial(a * clinical + weight * score, days, event, part), own, max(MOST, 2 * own)
        )

    few = _few(found["events"], "events", silent)
    found |= _weight(lambda w: log_partial(beside(w) * clinical + w * score, days, event, part), MOST, few)
    if not (weight := found["weight"]):
        return found | {"slope": 1.0}, _wide(main[0][1], task).loc[test.index]
    found["slope"] = beside(weight) / own
    curve = breslow(beside(weight) * clinical + weight * score, days, event)
    risk = (beside(weight) * test["clinical", "risk"] + weight * test["arm", "risk"]).to_numpy()
    values = {"risk": risk} | {f"surv_{d}": survival_at(risk, *curve, d) for d in curve_days(targets.horizons[task])}
    return found, pd.DataFrame(values, index=test.index)


def _label(
    task: str, main: tuple[Told, Told], crossed: list[tuple[Told, Told]], targets: Targets
) -> tuple[dict, pd.DataFrame]:
    """Both models' probabilities in a log-linear pool."""
    names = [f"p_{c}" for c in targets.classes[task]]
    test, (train, silent) = _side_by_side(main, task, names), _of_parts(crossed, task, names)
    label = targets.take(list(train.index)).labels[task]
    sides, label = [train[side].to_numpy(float)[label >= 0] for side in SIDES], label[label >= 0]
    found, at = {"n": len(label)}, np.arange(len(label))
    found |= _weight(
        lambda w: float(np.log(pool(*sides, w)[at, label]).sum()),
        1.0,
        _few(len(label), "patients with a class", silent),
    )
    shares = (
        pool(*(test[side].to_numpy() for side in SIDES), found["weight"])
        if found["weight"]
        else test["clinical"].to_numpy()
    )
    return found, pd.DataFrame(shares, test.index, names)


def _weight(gain: Callable[[float], float], most: float, reason: str | None) -> dict:
    nothing = {"weight": 0.0, "unshrunk": 0.0, "likelihood_ratio": 0.0, "shrinkage": 0.0}
    return {"reason": reason} | (nothing if reason else added_weight(gain, most))


def _few(count: int, what: str, silent: list[str]) -> str | None:
    if count >= LEAST:
        return None
    return "; ".join(
        [f"{count} {what} among the training patients with cross-fitted scores, {LEAST} needed", *dict.fromkeys(silent)]
    )


def _wide(table: pd.DataFrame, task: str) -> pd.DataFrame:
    return table[table["task"] == task].pivot(index="patient_id", columns="output", values="value")


def _side_by_side(pair: tuple[Told, Told], task: str, outputs: list[str]) -> pd.DataFrame:
    """What either model says of the patients that both score.

    Columns are (clinical | arm, output), risks in SDs (`_scale`).
    """
    for facts, table in pair:
        if task in facts["not_learnable"]:
            raise NotAvailable(facts["not_learnable"][task])
        if not (table["task"] == task).any():
            raise NotAvailable("one of the two models does not predict it")
    said = [_wide(table, task)[outputs] for _, table in pair]
    if outputs == ["risk"]:
        said = [
            (table - mean) / sd for table, (mean, sd) in zip(said, (_scale(told, task) for told in pair), strict=True)
        ]
    return pd.concat(said, axis=1, join="inner", keys=SIDES)


def _scale(told: Told, task: str) -> tuple[float, float]:
    """Mean and SD of what a model says of the fold's inner patients, to whom no model of the fold was fitted.

    By them models that were trained on different patients share a scale; as they are where there are none, or one score
    for all.
    """
    inner = told[0]["inner_predictions"]["values"][task].numpy()
    usable = len(inner) > 1 and inner.std() > 0
    return (float(inner.mean()), float(inner.std())) if usable else (0.0, 1.0)


def _of_parts(crossed: list[tuple[Told, Told]], task: str, outputs: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Training patients of all parts, with a column ``part``; and why models of a part do not predict the task."""
    tables, silent = [], []
    for part, pair in enumerate(crossed):
        try:
            tables.append(_side_by_side(pair, task, outputs).assign(part=part))
        except NotAvailable as reason:
            silent.append(f"without a part: {reason}")
    empty = pd.DataFrame(
        columns=pd.MultiIndex.from_tuples([*((side, o) for side in SIDES for o in outputs), ("part", "")])
    )
    return pd.concat(tables) if tables else empty, silent
