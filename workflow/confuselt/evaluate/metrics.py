"""Rows of ``evaluate/metrics``: every arm, control and baseline, every task."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from confuselt.evaluate.calibration import calibration_slope, observed_expected
from confuselt.evaluate.intervals import corrected_t
from confuselt.evaluate.ipcw import Censoring, auc_pairs, brier_terms, integrate, uno_pairs
from confuselt.evaluate.schema import METRICS
from confuselt.evaluate.scores import Block, FoldTables, Scorer, folds_per_repeat
from confuselt.finetune.targets import Targets
from confuselt.progress import progress

AVAILABLE, MISSING = "ok", "not available"
Train = dict[tuple[int, int], list[str]]


def metric_rows(scorer: Scorer, train: Train, competing: dict[str, str], censoring: dict, cfg: dict) -> list[dict]:
    """Score every (arm, draw, inputs) of one run.

    Parameters
    ----------
    scorer : Scorer
    train : dict
        (repeat, fold) to training patients: the censoring distribution is theirs.
    competing : dict of str to str
        Endpoint to the one whose further events compete with it.
    censoring : dict
        (task, (repeat, fold)) to Censoring: filled here, the same for every arm.
    cfg : dict
        ``evaluate.min_events``, ``evaluate.min_fold_events``.
    """
    rows: list[dict] = []
    for arm, draw, inputs, task in progress(scorer.made(), "scoring"):
        key = {"arm": arm, "draw": draw, "inputs": inputs, "missing": None, "missing_rate": 0.0, "task": task}
        block, tables = scorer.block(arm, draw, inputs, task), scorer.tables(arm, draw, inputs, task)
        if task in scorer.targets.survival:
            found = [*_block_rows("harrell_c", block, cfg)]
            if block.events < cfg["evaluate.min_events"]:
                found[0]["reason"] = f"described, not compared: {block.events} events, {cfg['evaluate.min_events']} needed (evaluate.min_events)"
            found += _weighted_rows(tables, scorer.targets, task, train, censoring, cfg)
            found += _calibration_rows(tables, scorer.targets, task, competing.get(task))
        else:
            found = [*_block_rows("auc_macro", block, None), *_label_rows(tables, scorer.targets, task)]
        rows += [{**key, **row} for row in found]
    return rows


def _block_rows(metric: str, block: Block, cfg: dict | None) -> Iterator[dict]:
    wide = block.interval()
    low, high = np.clip([wide.low, wide.high], 0, 1)  # a t interval knows no bounds
    whole = {"metric": metric, "repeat": -1, "fold": -1, "value": block.value, "low": low, "high": high, "n": block.n, "events": block.events}
    lost = not np.isfinite(block.value)
    yield whole | {"status": MISSING if lost else AVAILABLE, "reason": "no comparable pair of patients in any test fold" if lost else None}
    for fold in block.folds:
        yield {"metric": metric, **_fold_row(fold, cfg, "no comparable pair of patients in this fold")}


def _fold_row(fold: dict, cfg: dict | None, nothing: str) -> dict:
    """Value of one fold, or why it gets none."""
    few = cfg is not None and fold["events"] < cfg["evaluate.min_fold_events"]
    reason = f"{fold['events']} events in this fold, {cfg['evaluate.min_fold_events']} needed (evaluate.min_fold_events)" if few else None
    reason = nothing if not few and not np.isfinite(fold["value"]) else reason
    return fold | {"value": np.nan if reason else fold["value"], "status": MISSING if reason else AVAILABLE, "reason": reason}


def _weighted_rows(tables: FoldTables, targets: Targets, task: str, train: Train, censoring: dict, cfg: dict) -> list[dict]:
    """Uno's C, time-dependent AUC, Brier score and 1 - IBS / IBS of Kaplan-Meier: sums within folds, then over them."""
    sums: dict[tuple[str, int | None], list[dict]] = {}
    horizons = targets.horizons[task]
    for (repeat, fold), table in sorted(tables.items()):
        known = targets.take(list(table.index))
        days, event = known.survival[task]
        use = np.isfinite(days)
        days, event, table = days[use], event[use], table[use]
        weights = _censoring(targets, task, (repeat, fold), train, censoring)
        if weights is None or not len(days):
            continue
        facts = {"repeat": repeat, "fold": fold, "n": len(days), "events": int(event.sum())}
        for name, (part, whole) in _fold_sums(table, days, event, horizons, weights).items():
            sums.setdefault(name, []).append({**facts, "part": part, "whole": whole})
    rows: list[dict] = []
    for (metric, horizon), folds in sums.items():
        rows += [{"metric": metric, "horizon_days": horizon, **r} for r in _summed(metric, folds, cfg)]
    lost = [h for h in horizons if any(f"surv_{h}" in t for t in tables.values()) and ("brier", h) not in sums]
    for horizon, metric in ((h, m) for h in lost for m in ("auc_time", "brier")):
        reason = f"no test fold has events by day {horizon} and patients followed beyond it, with 20 % of its training patients uncensored there"
        rows.append({"metric": metric, "horizon_days": horizon, "repeat": -1, "fold": -1, "status": MISSING, "reason": reason})
    return rows


def _censoring(targets: Targets, task: str, key: tuple[int, int], train: Train, known: dict) -> Censoring | None:
    """Weights by the training patients of a fold, the same for every arm."""
    if (task, key) not in known:
        days, event = targets.take(train[key]).survival[task]
        use = np.isfinite(days)
        known[task, key] = Censoring(days[use], event[use]) if use.any() else None
    return known[task, key]


def _fold_sums(table: pd.DataFrame, days: np.ndarray, event: np.ndarray, horizons: list[int], censoring: Censoring) -> dict:
    """(metric, horizon) to (part, whole) of one fold: their ratio is its value; sums over folds are ratios of sums."""
    risk = table["risk"].to_numpy()
    found = {("uno_c", None): uno_pairs(risk, days, event, censoring)}
    grid = sorted(int(c.removeprefix("surv_")) for c in table.columns if c.startswith("surv_"))
    grid = np.array([d for d in grid if d <= censoring.tau and (days > d).any()], float)
    if not len(grid):
        return found
    survival = table[[f"surv_{int(d)}" for d in grid]].to_numpy()
    terms = brier_terms(survival, days, event, grid, censoring)
    for column, day in enumerate(grid):
        if day in horizons and ((event == 1) & (days <= day)).any():
            found["auc_time", int(day)] = auc_pairs(risk, days, event, day, censoring)
            found["brier", int(day)] = float(terms[:, column].sum()), float(len(days))
    if ((event == 1) & (days <= grid[-1])).any():
        plain = brier_terms(np.broadcast_to(censoring.survival.at(grid), survival.shape), days, event, grid, censoring)
        ours, reference = (float(integrate(t, grid).sum()) for t in (terms, plain))
        found["ibs_skill", None] = reference - ours, reference
    return found


def _summed(metric: str, folds: list[dict], cfg: dict) -> Iterator[dict]:
    """Over folds, repeats averaged, with the corrected t; then every fold."""
    table = pd.DataFrame(folds)
    by_repeat = table.groupby("repeat")[["part", "whole"]].sum()
    by_repeat = by_repeat[by_repeat["whole"] > 0]
    value = float((by_repeat["part"] / by_repeat["whole"]).mean()) if len(by_repeat) else np.nan
    single = np.divide(table["part"], table["whole"], out=np.full(len(table), np.nan), where=table["whole"].to_numpy() > 0)
    interval = corrected_t(value, single, folds_per_repeat(folds))
    first = table[table["repeat"] == table["repeat"].min()]
    lost, bounds = not np.isfinite(value), (-np.inf, np.inf) if metric == "ibs_skill" else (0, 1)
    low, high = np.clip([interval.low, interval.high], *bounds) if interval else (np.nan, np.nan)
    yield {
        "repeat": -1,
        "fold": -1,
        "value": value,
        "low": low,
        "high": high,
        "n": int(first["n"].sum()),
        "events": int(first["events"].sum()),
        "status": MISSING if lost else AVAILABLE,
        "reason": "no comparable pair of patients in any test fold" if lost else None,
    }
    for fold, one in zip(folds, single, strict=True):
        facts = {k: v for k, v in fold.items() if k not in ("part", "whole")}
        yield _fold_row(facts | {"value": float(one)}, cfg, "no comparable pair of patients in this fold")


def _calibration_rows(tables: FoldTables, targets: Targets, task: str, competing: str | None) -> list[dict]:
    """Observed over expected at each horizon and the calibration slope: a value per repeat, averaged with their limits."""
    found: dict[tuple[str, int | None], list[tuple[float, float, float]]] = {}
    sizes = []
    for repeat in sorted({r for r, _ in tables}):
        parts = {f: t for (r, f), t in tables.items() if r == repeat}
        table = pd.concat(parts.values())
        known = targets.take(list(table.index))
        days, event = known.survival[task]
        use = np.isfinite(days)
        if not use.any() or not any(c.startswith("surv_") for c in table):
            continue
        strata = np.repeat(list(parts), [len(t) for t in parts.values()])[use]
        other = competing_events(known, task, competing)[use] if competing else None
        sizes.append((int(use.sum()), int(event[use].sum())))
        found.setdefault(("calibration_slope", None), []).append(calibration_slope(table["risk"].to_numpy()[use], days[use], event[use], strata))
        for horizon in (h for h in targets.horizons[task] if f"surv_{h}" in table):
            ratio = observed_expected(table[f"surv_{horizon}"].to_numpy()[use], days[use], event[use], horizon, other)
            found.setdefault(("observed_expected", horizon), []).append(ratio)
    rows = []
    for (metric, horizon), values in found.items():
        finite = np.array([v for v in values if np.isfinite(v).all()])
        lost = not len(finite)
        value, low, high = finite.mean(0) if not lost else (np.nan,) * 3
        rows.append(
            {
                "metric": metric,
                "horizon_days": horizon,
                "repeat": -1,
                "fold": -1,
                "value": value,
                "low": low,
                "high": high,
                "n": sizes[0][0],
                "events": sizes[0][1],
                "status": MISSING if lost else AVAILABLE,
                "reason": "too few events to estimate it" if lost else None,
            }
        )
    return rows


def competing_events(known: Targets, task: str, other: str) -> np.ndarray:
    """Patients with an event of `other` and none of `task`, (n,) bool: their follow-up for `task` ended by it."""
    return (np.nan_to_num(known.survival[other][1]) == 1) & (np.nan_to_num(known.survival[task][1]) == 0)


def _label_rows(tables: FoldTables, targets: Targets, task: str) -> list[dict]:
    """F1, balanced accuracy and Brier score over the calls of a repeat (calls share a scale), and of every fold."""
    classes, columns = targets.classes[task], [f"p_{c}" for c in targets.classes[task]]
    folds: dict[str, list[dict]] = {}
    kept: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for (repeat, fold), table in sorted(tables.items()):
        label = targets.take(list(table.index)).labels[task]
        use = label >= 0
        if not use.any():
            continue
        label, shares = label[use], table[columns].to_numpy()[use]
        kept.setdefault(repeat, []).append((label, shares))
        for metric, value in _call_scores(label, shares, len(classes)).items():
            folds.setdefault(metric, []).append({"repeat": repeat, "fold": fold, "value": value, "n": len(label), "events": 0})
    rows = []
    repeats = [_call_scores(*(np.concatenate(v) for v in zip(*parts, strict=True)), len(classes)) for parts in kept.values()]
    for metric, found in folds.items():
        value = float(np.mean([r[metric] for r in repeats]))
        interval = corrected_t(value, np.array([f["value"] for f in found]), folds_per_repeat(found))
        n = sum(f["n"] for f in found if f["repeat"] == found[0]["repeat"])
        limits = {"low": interval.low, "high": interval.high} if interval else {}
        rows.append({"metric": metric, "repeat": -1, "fold": -1, "value": value, **limits, "n": n, "events": 0, "status": AVAILABLE})
        rows += [{"metric": metric, **f, "status": AVAILABLE} for f in found]
    return rows


def _call_scores(label: np.ndarray, shares: np.ndarray, classes: int) -> dict[str, float]:
    """Over the classes that are present; Brier score as the mean squared distance from the class (Brier 1950), 0 to 2."""
    called, present = shares.argmax(1), np.unique(label)
    recall = [(called[label == k] == k).mean() for k in present]
    return {
        "f1_macro": float(f1_score(label, called, labels=present, average="macro", zero_division=0)),
        "balanced_accuracy": float(np.mean(recall)),
        "brier": float(((shares - np.eye(classes)[label]) ** 2).sum(1).mean()),
    }


def leaky_rows(curves: pd.DataFrame) -> list[dict]:
    """C of the chance model at its best epoch on the test folds after the last epoch: mean over seeds, and the range of 95 % of them.

    Parameters
    ----------
    curves : DataFrame
        ``finetune/leaky-chance``.
    """
    last = curves[(curves["arm"] == "leaky-chance") & (curves["x"] == curves["x"].max())]
    if last.empty:
        return []
    low, high = last["value"].quantile([0.025, 0.975])
    reason = f"permuted outcomes, best of {int(last['x'].iloc[0])} epochs on each test fold: mean and range of {len(last)} seeds"
    first = last.iloc[0]
    return [
        {
            "arm": "leaky-chance",
            "draw": 0,
            "inputs": first["inputs"],
            "missing_rate": 0.0,
            "task": first["task"],
            "metric": first["metric"],
            "repeat": -1,
            "fold": -1,
            "value": float(last["value"].mean()),
            "low": float(low),
            "high": float(high),
            "status": AVAILABLE,
            "reason": reason,
        }
    ]


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
