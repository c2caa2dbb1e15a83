"""What an arm adds to clinical covariates: likelihood ratio, Brier score, decision curve."""

import warnings

import numpy as np
import pandas as pd

from confuselt.evaluate.calibration import followed, net_benefit
from confuselt.evaluate.comparisons import Contrast, difference, natural_inputs
from confuselt.evaluate.metrics import Train, competing_events, crude, rival_curves
from confuselt.evaluate.retrieval import mean_block
from confuselt.evaluate.scores import FoldTables, Scorer
from confuselt.finetune.arms import PLUS
from confuselt.survival.ipcw import Censoring, brier_terms

THRESHOLDS = np.round(np.arange(0.05, 0.65, 0.05), 2)


def likelihood_ratio(
    clinical: np.ndarray, arm: np.ndarray, days: np.ndarray, event: np.ndarray, strata: np.ndarray
) -> tuple[float, str | None]:
    """Twice the gain in partial log likelihood by an arm's score beside the clinical score.

    Both are out of fold; the likelihood is stratified by fold.

    Parameters
    ----------
    clinical, arm : (n,) float64
        Risks of test patients.
    days, event, strata : (n,)

    Returns
    -------
    value : float
        Chi-squared with 1 degree of freedom where the arm adds nothing (3.84 is its 95 % point); NaN where it cannot be
        fitted.
    reason : str or None
        Why it cannot.
    """
    if event.sum() == 0 or len(set(clinical)) < 2 or len(set(arm)) < 2:
        return np.nan, "no events, or a score that is the same for everyone"
    # Only here: its import takes 5 s, and a run that joins no arm to the clinical score does without.
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError

    frame = pd.DataFrame({"clinical": clinical, "arm": arm, "days": days, "event": event, "fold": strata})
    fits = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lifelines warns of strata without events
        for columns in (["clinical"], ["clinical", "arm"]):
            try:
                fits.append(
                    CoxPHFitter()
                    .fit(frame[[*columns, "days", "event", "fold"]], "days", "event", strata=["fold"])
                    .log_likelihood_
                )
            except ConvergenceError:
                return np.nan, "the Cox model of both scores does not converge"
    return float(2 * (fits[1] - fits[0])), None


def _joined(a: FoldTables, b: FoldTables, repeat: int) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Predictions of both sides for the patients that both have in the folds of a repeat, and their folds."""
    keys = sorted(k for k in a.keys() & b.keys() if k[0] == repeat)
    shared = [a[k].index.intersection(b[k].index) for k in keys]
    strata = np.repeat([k[1] for k in keys], [len(s) for s in shared])
    left, right = (
        pd.concat([t[k].loc[s] for k, s in zip(keys, shared, strict=True)]) if keys else pd.DataFrame() for t in (a, b)
    )
    return left, right, strata


def added_value_curves(scorer: Scorer, arms: list[str], competing: dict[str, str], train: Train) -> list[dict]:
    """Rows of ``evaluate/curves`` of the first repeat that both sides have.

    They are ``likelihood-ratio`` (value: chi-squared) and ``net-benefit`` (x: threshold). Net benefit is at the longest
    stated horizon, of ``clinical``, ``clinical+<arm>`` and of treating all; none where nobody is followed beyond it.
    """
    rows = []
    for task, horizons in scorer.targets.horizons.items():
        rivals = rival_curves(scorer.targets, task, competing.get(task), train)
        for name in (a for a in arms if a.startswith(PLUS)):
            arm, inputs = name.removeprefix(PLUS), natural_inputs(name)
            tables = [
                scorer.tables("clinical", 0, "clinical", task),
                scorer.tables(arm, 0, inputs, task),
                scorer.tables(name, 0, inputs, task),
            ]
            shared = set.intersection(*(set(t) for t in tables))
            if not shared:
                continue
            repeat = min(shared)[0]
            key = {"task": task, "draw": 0, "repeat": repeat, "fold": -1, "inputs": inputs}
            clinical, other, strata = _joined(tables[0], tables[1], repeat)
            days, event, use = _known(scorer, clinical, task)
            value, reason = likelihood_ratio(
                *(t["risk"].to_numpy()[use] for t in (clinical, other)), days[use], event[use], strata[use]
            )
            rows.append(
                {
                    "curve": "likelihood-ratio",
                    "arm": name,
                    "metric": "chi2",
                    "x": 1.0,
                    "value": value,
                    "reason": reason,
                    **key,
                }
            )
            clinical, joint, _ = _joined(*(crude(t, rivals) for t in (tables[0], tables[2])), repeat)
            horizon = max(horizons)
            days, event, use = _known(scorer, clinical, task)
            if (
                f"surv_{horizon}" not in clinical
                or f"surv_{horizon}" not in joint
                or not followed(days[use], event[use], horizon)
            ):
                continue
            known = scorer.targets.take(list(clinical.index))
            rival = competing_events(known, task, competing[task])[use] if competing.get(task) else None
            shown = {
                "clinical": clinical[f"surv_{horizon}"],
                name: joint[f"surv_{horizon}"],
                "treat all": pd.Series(0.0, index=clinical.index),
            }
            for label, survival in shown.items():
                benefit = net_benefit(survival.to_numpy()[use], days[use], event[use], horizon, THRESHOLDS, rival)
                rows += [
                    {
                        "curve": "net-benefit",
                        "arm": label,
                        "metric": "net_benefit",
                        "x": float(x),
                        "value": float(v),
                        **key,
                    }
                    for x, v in zip(THRESHOLDS, benefit, strict=True)
                ]
    return rows


def _known(scorer: Scorer, table: pd.DataFrame, task: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    days, event = scorer.targets.take(list(table.index)).survival[task]
    return days, event, np.isfinite(days)


def compare_brier(scorer: Scorer, arms: list[str], censoring: dict[tuple, Censoring | None], cfg: dict) -> list[dict]:
    """Brier score with the arm minus without, at each horizon (below 0 is better).

    They are rows of ``evaluate/comparisons``, exploratory.
    """
    rows = []
    for task, horizons in scorer.targets.horizons.items():
        for name in (a for a in arms if a.startswith(PLUS)):
            contrast = Contrast("clinical", "exploratory", name, natural_inputs(name), ("clinical",))
            a, b = scorer.tables(name, 0, contrast.inputs, task), scorer.tables("clinical", 0, "clinical", task)
            for horizon in horizons:
                folds = _brier_folds(scorer, a, b, task, horizon, censoring)
                key = {
                    "question": "clinical",
                    "arm_a": name,
                    "arm_b": "clinical",
                    "inputs_a": contrast.inputs,
                    "inputs_b": "clinical",
                    "task": task,
                }
                key |= {"metric": "brier", "horizon_days": horizon, "family": "exploratory", "status": "not available"}
                if not folds:
                    rows.append(
                        key
                        | {
                            "reason": (
                                "no fold in which both sides predict survival there and censoring leaves "
                                "20 % of the training patients"
                            )
                        }
                    )
                    continue
                left, right = (mean_block([(*f[:3], f[side]) for f in folds], scorer.resampling) for side in (3, 4))
                events = sum(f[5] for f in folds if f[0] == folds[0][0])
                if events < cfg["evaluate.min_events"]:
                    among = f"{events} events by day {horizon} among the {left.n} patients of folds followed so long"
                    reason = (
                        f"described, not compared: {among}, {cfg['evaluate.min_events']} needed (evaluate.min_events)"
                    )
                    rows.append(key | {"n": left.n, "events": events, "reason": reason})
                    continue
                plan = cfg["evaluate.plan"]["alpha"], len(cfg["evaluate.plan"]["contrasts"])
                told = difference(left, right, *plan)
                told = {k: v for k, v in told.items() if k not in ("p", "events", "events_needed")}
                told["share_won"] = difference(right, left, *plan)["share_won"]  # a smaller score is better
                rows.append(key | told | {"events": events, "status": "ok"})
    return rows


def _brier_folds(scorer: Scorer, a: FoldTables, b: FoldTables, task: str, horizon: int, censoring: dict) -> list[tuple]:
    """(repeat, fold, patients, terms of a, terms of b, events by the horizon) of the folds that can be weighted."""
    folds = []
    for key in sorted(a.keys() & b.keys()):
        weights = censoring.get((task, key))
        shared = a[key].index.intersection(b[key].index)
        known = scorer.targets.take(list(shared))
        days, event = known.survival[task]
        use = np.isfinite(days)
        column = f"surv_{horizon}"
        if weights is None or horizon > weights.tau or not use.any() or column not in a[key] or column not in b[key]:
            continue
        terms = [
            brier_terms(
                t[key].loc[shared, [column]].to_numpy()[use], days[use], event[use], np.array([float(horizon)]), weights
            )[:, 0]
            for t in (a, b)
        ]
        patients = [p for p, u in zip(shared, use, strict=True) if u]
        folds.append((*key, patients, *terms, int(((event[use] == 1) & (days[use] <= horizon)).sum())))
    return folds
