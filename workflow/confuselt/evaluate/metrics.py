"""Rows of ``evaluate/metrics``: every arm, control and baseline, every task."""

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, f1_score

from confuselt.evaluate.ipcw import ipcw_metrics
from confuselt.evaluate.schema import METRICS
from confuselt.evaluate.scores import Block, Bootstrap, interval, score_label, score_survival, wide
from confuselt.finetune.targets import Targets
from confuselt.progress import progress

AVAILABLE, MISSING = "ok", "not available"


def metric_rows(predictions: pd.DataFrame, targets: Targets, train: dict[tuple[int, int], list[str]], bootstrap: Bootstrap, cfg: dict) -> list[dict]:
    """Score every (arm, draw, inputs) of one run.

    Parameters
    ----------
    predictions : DataFrame
        Columns of ``evaluate/predictions``.
    targets : Targets
        Outcomes of that run (permuted for a permuted control).
    train : dict
        (repeat, fold) to training patients: the censoring distribution is theirs.
    bootstrap : Bootstrap
    cfg : dict
        ``evaluate.min_events``, ``evaluate.min_fold_events``.
    """
    rows: list[dict] = []
    groups = list(predictions.groupby(["arm", "draw", "inputs", "missing_rate"], sort=True))
    for (arm, draw, inputs, rate), part in progress(groups, "scoring"):
        key = {"arm": arm, "draw": draw, "inputs": inputs, "missing": None, "missing_rate": rate}
        for task in targets.survival:
            tables = wide(part, task)
            if tables:
                rows += [{**key, **r} for r in _survival_rows(tables, targets, task, train, bootstrap, cfg)]
        for task in targets.labels:
            tables = wide(part, task)
            if tables:
                rows += [{**key, **r} for r in _label_rows(tables, targets, task, bootstrap)]
    return rows


def _block_rows(task: str, metric: str, block: Block, cfg: dict | None) -> list[dict]:
    low, high = interval(block.draws)
    whole = {"task": task, "metric": metric, "repeat": -1, "fold": -1, "value": block.value, "low": low, "high": high, "n": block.n, "events": block.events}
    whole |= (
        {"status": AVAILABLE, "reason": None} if np.isfinite(block.value) else {"status": MISSING, "reason": "no comparable pair of patients in any test fold"}
    )
    rows = [whole]
    for fold in block.folds:
        few = cfg is not None and fold["events"] < cfg["evaluate.min_fold_events"]
        reason = f"{fold['events']} events in this fold, {cfg['evaluate.min_fold_events']} needed (evaluate.min_fold_events)" if few else None
        if not few and not np.isfinite(fold["value"]):
            reason = "no comparable pair of patients in this fold"
        rows.append(
            {"task": task, "metric": metric, **fold, "value": np.nan if reason else fold["value"], "status": MISSING if reason else AVAILABLE, "reason": reason}
        )
    return rows


def _survival_rows(tables: dict, targets: Targets, task: str, train: dict, bootstrap: Bootstrap, cfg: dict) -> list[dict]:
    block = score_survival(tables, targets, task, bootstrap)
    rows = _block_rows(task, "harrell_c", block, cfg)
    if block.events < cfg["evaluate.min_events"]:
        rows[0]["reason"] = f"described, not compared: {block.events} events, {cfg['evaluate.min_events']} needed (evaluate.min_events)"
    weighted: dict[tuple[str, int | None], list[tuple[float, int]]] = {}
    for (repeat, fold), table in sorted(tables.items()):
        known = targets.take(list(table.index))
        days, event = known.survival[task]
        use = np.isfinite(days)
        reference = [v[np.isfinite(v)] for v in targets.take(train[repeat, fold]).survival[task]]
        if event[use].sum() < cfg["evaluate.min_fold_events"] or not len(reference[0]):
            continue
        survival = {d: table[f"surv_{d}"].to_numpy()[use] for d in targets.horizons[task] if f"surv_{d}" in table}
        found = ipcw_metrics(table["risk"].to_numpy()[use], survival, days[use], event[use], (reference[0], reference[1]))
        for name, value in found.items():
            weighted.setdefault(name, []).append((value, int(use.sum())))
            rows.append(
                {
                    "task": task,
                    "metric": name[0],
                    "horizon_days": name[1],
                    "repeat": repeat,
                    "fold": fold,
                    "value": value,
                    "n": int(use.sum()),
                    "events": int(event[use].sum()),
                    "status": AVAILABLE,
                }
            )
    for (metric, horizon), values in weighted.items():
        value, n = np.array(values).T
        rows.append(
            {
                "task": task,
                "metric": metric,
                "horizon_days": horizon,
                "repeat": -1,
                "fold": -1,
                "value": float(np.average(value, weights=n)),
                "n": block.n,
                "events": block.events,
                "status": AVAILABLE,
                "reason": f"mean of {len(values)} of {len(tables)} folds, weighted by patients; the others have under {cfg['evaluate.min_fold_events']} events"
                if len(values) < len(tables)
                else None,
            }
        )
    return rows


def _label_rows(tables: dict, targets: Targets, task: str, bootstrap: Bootstrap) -> list[dict]:
    block = score_label(tables, targets, task, bootstrap)
    rows = _block_rows(task, "auc_macro", block, None)
    classes = targets.classes[task]
    values: dict[str, list[tuple[float, int]]] = {"f1_macro": [], "balanced_accuracy": []}
    for (repeat, fold), table in sorted(tables.items()):
        label = targets.take(list(table.index)).labels[task]
        use = label >= 0
        if not use.any():
            continue
        called = table[[f"p_{c}" for c in classes]].to_numpy()[use].argmax(1)
        present = np.unique(label[use])
        scores = {
            "f1_macro": f1_score(label[use], called, labels=present, average="macro", zero_division=0),
            "balanced_accuracy": _balanced(label[use], called),
        }
        for metric, value in scores.items():
            values[metric].append((value, int(use.sum())))
            rows.append(
                {"task": task, "metric": metric, "repeat": repeat, "fold": fold, "value": float(value), "n": int(use.sum()), "events": 0, "status": AVAILABLE}
            )
    for metric, found in values.items():
        if found:
            value, n = np.array(found).T
            rows.append(
                {
                    "task": task,
                    "metric": metric,
                    "repeat": -1,
                    "fold": -1,
                    "value": float(np.average(value, weights=n)),
                    "n": block.n,
                    "events": 0,
                    "status": AVAILABLE,
                }
            )
    return rows


def _balanced(label: np.ndarray, called: np.ndarray) -> float:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of calls for a class that the fold lacks; recall over present classes is meant
        return float(balanced_accuracy_score(label, called))


def unavailable_rows(reasons: dict[tuple[str, int], str], not_learnable: list[dict], predictions: pd.DataFrame, tasks: list[str]) -> list[dict]:
    """Rows of what has no value: arms that could not be trained, and tasks that the training patients of a fold could not teach.

    Parameters
    ----------
    reasons : dict
        (arm, draw) to why no fold was trained: a row per task.
    not_learnable : list of dict
        ``arm, draw, task, repeat, fold, reason``: a row per fold, and one over folds where no fold is left.
    predictions : DataFrame
        Columns of ``evaluate/predictions``.
    tasks : list of str
    """
    lost = {"missing_rate": 0.0, "status": MISSING}
    rows = [
        {"arm": arm, "draw": draw, "task": task, "repeat": -1, "fold": -1, "reason": reason, **lost}
        for (arm, draw), reason in reasons.items()
        for task in tasks
    ]
    scored = set(predictions[["arm", "draw", "task"]].itertuples(index=False, name=None))
    whole = {}
    for row in not_learnable:
        rows.append({**row, **lost})
        if (key := (row["arm"], row["draw"], row["task"])) not in scored:
            whole.setdefault(key, {**row, **lost, "repeat": -1, "fold": -1})
    return [*rows, *whole.values()]


def metrics_table(rows: list[dict]) -> pd.DataFrame:
    """Columns of ``evaluate/metrics``, sorted."""
    frame = pd.DataFrame(rows, columns=list(METRICS.columns))
    return frame.sort_values(["arm", "draw", "inputs", "task", "metric", "horizon_days", "repeat", "fold"], ignore_index=True)
