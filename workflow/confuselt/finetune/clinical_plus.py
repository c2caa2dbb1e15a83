"""The clinical score and an arm's in one model: what the arm adds to what a physician knows.

Two variables, fitted on the inner patients of a fold: of training patients both models know the outcome, and an
overfitted score would get all the weight.
"""

import numpy as np
import pandas as pd
from lifelines.exceptions import ConvergenceError
from sklearn.linear_model import LogisticRegression

from confuselt.finetune.baselines import class_shares, cox_outputs, fit_cox
from confuselt.finetune.targets import Targets
from confuselt.model.checkpoint import hashed_ids
from confuselt.unusable import NotAvailable

# The middle of the grids of the other baselines: the inner part is spent on the fit, none is left to choose by.
RIDGE, INVERSE = 0.1, 0.1
SMALLEST = 1e-6


def fit_added(sources: list[tuple[dict, pd.DataFrame]], targets: Targets) -> tuple[dict, pd.DataFrame]:
    """Combine scores in one fold.

    Parameters
    ----------
    sources : list of (dict, DataFrame)
        Of the clinical model and of the arm: facts of the fold (``inner_predictions``, ``not_learnable``) and predictions of
        its test patients under one input pattern.
    targets : Targets
        Of the cohort; outcomes of inner patients only are read.

    Returns
    -------
    facts : dict
        ``not_learnable``: task to reason; ``coefficients``: endpoint to the log hazard ratios per SD of either score.
    predictions : DataFrame
        ``patient_id, task, output, value`` of the test patients that both can score.
    """
    place = {hashed_ids([p])[0]: p for p in targets.patients}
    known = [f["inner_predictions"]["patients"] for f, _ in sources]
    shared = [h for h in known[0] if h in set(known[1])]
    inner = targets.take([place[h] for h in shared])
    lost, coefficients, parts = {}, {}, []
    for task in (*targets.survival, *targets.labels):
        try:
            for facts, table in sources:
                if task in facts["not_learnable"]:
                    raise NotAvailable(facts["not_learnable"][task])
                if task not in facts["inner_predictions"]["values"] or not (table["task"] == task).any():
                    raise NotAvailable("one of the two models does not predict it")
            shown = [_rows_of(facts["inner_predictions"], task, shared) for facts, _ in sources]
            tested = [_wide(table, task, targets.classes.get(task)) for _, table in sources]
            both = [p for p in tested[0].index if p in tested[1].index]
            rows = {"inner": shown, "test": [t.loc[both].to_numpy() for t in tested]}
            if task in targets.survival:
                values, coefficients[task] = _survival(rows, *inner.survival[task], targets.horizons[task])
            else:
                values = _label(rows, inner.labels[task], targets.classes[task])
            parts += [pd.DataFrame({"patient_id": both, "task": task, "output": output, "value": value}) for output, value in values.items()]
        except NotAvailable as reason:
            lost[task] = str(reason)
    empty = pd.DataFrame(columns=["patient_id", "task", "output", "value"])
    return {"not_learnable": lost, "coefficients": coefficients}, pd.concat(parts, ignore_index=True) if parts else empty


def _rows_of(found: dict, task: str, patients: list[str]) -> np.ndarray:
    """Predictions (n, outputs) of some inner patients (hashed ids)."""
    at = {h: i for i, h in enumerate(found["patients"])}
    return found["values"][task].numpy()[[at[h] for h in patients]]


def _wide(table: pd.DataFrame, task: str, classes: list[str] | None) -> pd.DataFrame:
    """Risk, or the probability of each class, of the test patients."""
    outputs = ["risk"] if classes is None else [f"p_{c}" for c in classes]
    return table[table["task"] == task].pivot(index="patient_id", columns="output", values="value")[outputs]


def _survival(rows: dict[str, list[np.ndarray]], days: np.ndarray, event: np.ndarray, horizons: list[int]) -> tuple[dict[str, np.ndarray], list[float]]:
    use = np.isfinite(days)
    if use.sum() < 2 or event[use].sum() == 0:
        raise NotAvailable(f"no events among {int(use.sum())} inner patients" if event[use].sum() == 0 else "the outcome of one inner patient only is known")
    inner, test = np.column_stack(rows["inner"])[use], np.column_stack(rows["test"])
    centre, scale = inner.mean(0), np.where(inner.std(0) > 0, inner.std(0), 1.0)
    try:
        model = fit_cox((inner - centre) / scale, days[use], event[use], RIDGE)
    except ConvergenceError as error:
        raise NotAvailable(f"the Cox model of {int(use.sum())} inner patients does not converge: {str(error).splitlines()[0]}") from None
    return cox_outputs(model, (test - centre) / scale, horizons), [float(v) for v in model.params_]


def _label(rows: dict[str, list[np.ndarray]], label: np.ndarray, classes: list[str]) -> dict[str, np.ndarray]:
    use = label >= 0
    if len(np.unique(label[use])) < 2:
        raise NotAvailable(f"fewer than two classes among {int(use.sum())} inner patients")
    inner, test = (np.log(np.maximum(np.column_stack(rows[role]), SMALLEST)) for role in ("inner", "test"))
    model = LogisticRegression(C=INVERSE, max_iter=5000).fit(inner[use], label[use])
    shares = class_shares(model, test, len(classes))
    return {f"p_{name}": shares[:, k] for k, name in enumerate(classes)}
