"""Rows of ``evaluate/metrics``: every arm, control and baseline, every task."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from confuselt.evaluate.calibration import calibration_slope, crude_survival, followed, observed_expected
from confuselt.evaluate.intervals import corrected_t
from confuselt.evaluate.schema import METRICS
from confuselt.evaluate.scores import Block, FoldTables, Scorer, folds_per_repeat
from confuselt.finetune.targets import Targets
from confuselt.progress import progress
from confuselt.survival.ipcw import Censoring, Steps, auc_pairs, brier_terms, integrate, kaplan_meier, uno_pairs

AVAILABLE, MISSING = "ok", "not available"
NO_CURVE = "the model gives scores, no survival curve"
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
    rivals = {task: rival_curves(scorer.targets, task, competing.get(task), train) for task in scorer.targets.survival}
    for arm, draw, inputs, task in progress(scorer.made(), "scoring"):
        key = {"arm": arm, "draw": draw, "inputs": inputs, "missing": None, "missing_rate": 0.0, "task": task}
        block, tables = scorer.block(arm, draw, inputs, task), scorer.tables(arm, draw, inputs, task)
        if task in scorer.targets.survival:
            found = [*_block_rows("harrell_c", block, cfg)]
            if block.events < cfg["evaluate.min_events"]:
                found[0]["reason"] = (
                    f"described, not compared: {block.events} events, {cfg['evaluate.min_events']} "
                    "needed (evaluate.min_events)"
                )
            found += _weighted_rows(tables, scorer.targets, task, train, censoring, cfg)
            found += _calibration_rows(crude(tables, rivals[task]), scorer.targets, task, competing.get(task))
        else:
            found = [*_block_rows("auc_macro", block, None), *_label_rows(tables, scorer.targets, task)]
        rows += [{**key, **row} for row in found]
    return rows


def _block_rows(metric: str, block: Block, cfg: dict | None) -> Iterator[dict]:
    low, high = block.interval().bounded
    whole = {
        "metric": metric,
        "repeat": -1,
        "fold": -1,
        "value": block.value,
        "low": low,
        "high": high,
        "n": block.n,
        "events": block.events,
    }
    lost = not np.isfinite(block.value)
    yield whole | {
        "status": MISSING if lost else AVAILABLE,
        "reason": "no comparable pair of patients in any test fold" if lost else None,
    }
    for fold in block.folds:
        yield {"metric": metric, **_fold_row(fold, cfg, "no comparable pair of patients in this fold")}


def _fold_row(fold: dict, cfg: dict | None, nothing: str) -> dict:
    """Value of one fold, or why it gets none."""
    few = cfg is not None and fold["events"] < cfg["evaluate.min_fold_events"]
    reason = (
        f"{fold['events']} events in this fold, {cfg['evaluate.min_fold_events']} needed (evaluate.min_fold_events)"
        if few
        else None
    )
    reason = nothing if not few and not np.isfinite(fold["value"]) else reason
    return fold | {
        "value": np.nan if reason else fold["value"],
        "status": MISSING if reason else AVAILABLE,
        "reason": reason,
    }


def _weighted_rows(
    tables: FoldTables, targets: Targets, task: str, train: Train, censoring: dict, cfg: dict
) -> list[dict]:
    """Uno's C, time-dependent AUC, Brier score and 1 - IBS / IBS of Kaplan-Meier: sums within folds, then over them."""
    horizons, curves = targets.horizons[task], any(c.startswith("surv_") for t in tables.values() for c in t)
    nothing = _nothing(horizons, curves)
    sums: dict[tuple[str, int | None], list[dict]] = {name: [] for name in nothing}
    for (repeat, fold), table in sorted(tables.items()):
        known = targets.take(list(table.index))
        days, event = known.survival[task]
        use = np.isfinite(days)
        days, event, table = days[use], event[use], table[use]
        weights = _censoring(targets, task, (repeat, fold), train, censoring)
        found = _fold_sums(table, days, event, horizons, weights) if weights is not None and len(days) else {}
        for name in nothing:
            part, whole = found.get(name, (0.0, 0.0))
            sums[name].append(
                {
                    "repeat": repeat,
                    "fold": fold,
                    "n": len(days),
                    "events": int(event.sum()),
                    "part": part,
                    "whole": whole,
                }
            )
    rows: list[dict] = []
    for (metric, horizon), reason in nothing.items():
        rows += [
            {"metric": metric, "horizon_days": horizon, **r}
            for r in _summed(metric, sums[metric, horizon], reason, cfg)
        ]
    return rows


def _nothing(horizons: list[int], curves: bool) -> dict[tuple[str, int | None], str]:
    """Every weighted metric, and why a fold may give it no value."""
    few = "20 % of its training patients uncensored there"
    found: dict[tuple[str, int | None], str] = {("uno_c", None): "no comparable pair of patients"}
    for h in horizons:
        found["auc_time", h] = f"no events by day {h} and patients followed beyond it, with {few}"
        found["brier", h] = f"no patients followed beyond day {h}, with {few}"
    found["ibs_skill", None] = f"no day of the predicted curve with patients followed beyond it, and {few}"
    return found if curves else {k: v if k[0] in ("uno_c", "auc_time") else NO_CURVE for k, v in found.items()}


def _censoring(targets: Targets, task: str, key: tuple[int, int], train: Train, known: dict) -> Censoring | None:
    """Weights by the training patients of a fold, the same for every arm."""
    if (task, key) not in known:
        days, event = targets.take(train[key]).survival[task]
        use = np.isfinite(days)
        known[task, key] = Censoring(days[use], event[use]) if use.any() else None
    return known[task, key]


def _fold_sums(
    table: pd.DataFrame, days: np.ndarray, event: np.ndarray, horizons: list[int], censoring: Censoring
) -> dict:
    """(metric, horizon) to (part, whole) of one fold: their ratio is its value; sums over folds are ratios of sums."""
    risk = table["risk"].to_numpy()
    seen = [h for h in horizons if h <= censoring.tau and (days > h).any()]
    found = {
        ("uno_c", None): uno_pairs(risk, days, event, censoring),
        **{("auc_time", h): auc_pairs(risk, days, event, h, censoring) for h in seen},
    }
    grid = sorted(int(c.removeprefix("surv_")) for c in table.columns if c.startswith("surv_"))
    grid = np.array([d for d in grid if d <= censoring.tau and (days > d).any()], float)
    if not len(grid):
        return found
    survival = table[[f"surv_{int(d)}" for d in grid]].to_numpy()
    terms = brier_terms(survival, days, event, grid, censoring)
    for column, day in enumerate(grid):
        if day in horizons:
            # A fold without an event by then counts too: what is left out by outcome would make the score look worse or
            # better.
            found["brier", int(day)] = float(terms[:, column].sum()), float(len(days))
    plain = brier_terms(np.broadcast_to(censoring.survival.at(grid), survival.shape), days, event, grid, censoring)
    ours, reference = (float(integrate(t, grid).sum()) for t in (terms, plain))
    found["ibs_skill", None] = reference - ours, reference
    return found


def _summed(metric: str, folds: list[dict], nothing: str, cfg: dict) -> Iterator[dict]:
    """Over folds, repeats averaged, with the corrected t; then every fold."""
    table = pd.DataFrame(folds)
    by_repeat = table.groupby("repeat")[["part", "whole"]].sum()
    by_repeat = by_repeat[by_repeat["whole"] > 0]
    value = float((by_repeat["part"] / by_repeat["whole"]).mean()) if len(by_repeat) else np.nan
    single = np.divide(
        table["part"], table["whole"], out=np.full(len(table), np.nan), where=table["whole"].to_numpy() > 0
    )
    interval = corrected_t(value, single, folds_per_repeat(folds))
    used = table[table["whole"] > 0] if not np.isnan(value) else table
    first = used[used["repeat"] == used["repeat"].min()]
    lost, bounds = not np.isfinite(value), (-np.inf, 1) if metric == "ibs_skill" else (0, 1)
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
        "reason": f"no test fold has a value: {nothing}"
        if lost
        else f"over {len(used)} of {len(table)} folds"
        if len(used) < len(table)
        else None,
    }
    for fold, one in zip(folds, single, strict=True):
        facts = {k: v for k, v in fold.items() if k not in ("part", "whole")}
        yield _fold_row(facts | {"value": float(one)}, cfg, nothing)


def _calibration_rows(tables: FoldTables, targets: Targets, task: str, competing: str | None) -> list[dict]:
    """Observed over expected at each horizon and the calibration slope.

    There is a value per repeat, averaged with their limits.
    """
    if not any(c.startswith("surv_") for t in tables.values() for c in t):
        lost = {"repeat": -1, "fold": -1, "status": MISSING, "reason": NO_CURVE}
        return [{"metric": m, **lost} for m in ("calibration_slope", "observed_expected")]
    wanted: dict[tuple[str, int | None], str] = {
        ("calibration_slope", None): "too few events, or one risk for everyone"
    }
    wanted |= {
        (
            "observed_expected",
            h,
        ): f"nobody is followed beyond day {h}, or too few patients with and without an event by then"
        for h in targets.horizons[task]
    }
    found: dict[tuple[str, int | None], list[tuple[float, float, float]]] = {name: [] for name in wanted}
    sizes = []
    for repeat in sorted({r for r, _ in tables}):
        parts = {f: t for (r, f), t in tables.items() if r == repeat}
        table = pd.concat(parts.values())
        known = targets.take(list(table.index))
        days, event = known.survival[task]
        use = np.isfinite(days)
        sizes.append({"n": int(use.sum()), "events": int(event[use].sum())})
        if not use.any():
            continue
        strata = np.repeat(list(parts), [len(t) for t in parts.values()])[use]
        other = competing_events(known, task, competing)[use] if competing else None
        found["calibration_slope", None].append(
            calibration_slope(table["risk"].to_numpy()[use], days[use], event[use], strata)
        )
        for horizon in (h for h in targets.horizons[task] if followed(days[use], event[use], h)):
            found["observed_expected", horizon].append(
                observed_expected(table[f"surv_{horizon}"].to_numpy()[use], days[use], event[use], horizon, other)
            )
    rows = []
    for (metric, horizon), reason in wanted.items():
        finite = np.array([v for v in found[metric, horizon] if np.isfinite(v).all()])
        lost = not len(finite)
        value, low, high = finite.mean(0) if not lost else (np.nan,) * 3
        over = {
            "metric": metric,
            "horizon_days": horizon,
            "repeat": -1,
            "fold": -1,
            "value": value,
            "low": low,
            "high": high,
        }
        rows.append({**over, **sizes[0], "status": MISSING if lost else AVAILABLE, "reason": reason if lost else None})
    return rows


def rival_curves(targets: Targets, task: str, competing: str | None, train: Train) -> dict[tuple[int, int], Steps]:
    """Kaplan-Meier's estimate for the competing event among the training patients of each fold.

    It is empty where nothing competes.
    """
    if competing is None:
        return {}
    found = {}
    for key, patients in train.items():
        known = targets.take(patients)
        days = known.survival[task][0]
        use = np.isfinite(days)
        found[key] = kaplan_meier(days[use], competing_events(known, task, competing)[use].astype(float))
    return found


def crude(tables: FoldTables, rivals: dict[tuple[int, int], Steps]) -> FoldTables:
    """Predictions with curves of what is observed where events compete (`crude_survival`).

    They are as they are where nothing does.
    """
    found = dict(tables)
    for key, rival in rivals.items():
        days = sorted(int(c.removeprefix("surv_")) for c in tables.get(key, ()) if c.startswith("surv_"))
        if days:
            columns = [f"surv_{d}" for d in days]
            curves = crude_survival(tables[key][columns].to_numpy(), np.array(days, float), rival)
            found[key] = tables[key].assign(**dict(zip(columns, curves.T, strict=True)))
    return found


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
            folds.setdefault(metric, []).append(
                {"repeat": repeat, "fold": fold, "value": value, "n": len(label), "events": 0}
            )
    if not kept:
        lost = {"repeat": -1, "fold": -1, "status": MISSING, "reason": "the label of no test patient is known"}
        return [{"metric": m, **lost} for m in ("f1_macro", "balanced_accuracy", "brier")]
    rows = []
    repeats = [
        _call_scores(*(np.concatenate(v) for v in zip(*parts, strict=True)), len(classes)) for parts in kept.values()
    ]
    for metric, found in folds.items():
        value = float(np.mean([r[metric] for r in repeats]))
        interval = corrected_t(value, np.array([f["value"] for f in found]), folds_per_repeat(found))
        n = sum(f["n"] for f in found if f["repeat"] == found[0]["repeat"])
        # A t interval knows no bounds; Brier's score goes to 2.
        limits = (
            dict(
                zip(
                    ("low", "high"),
                    np.clip([interval.low, interval.high], 0, 2 if metric == "brier" else 1),
                    strict=True,
                )
            )
            if interval
            else {}
        )
        rows.append(
            {
                "metric": metric,
                "repeat": -1,
                "fold": -1,
                "value": value,
                **limits,
                "n": n,
                "events": 0,
                "status": AVAILABLE,
            }
        )
        rows += [{"metric": metric, **f, "status": AVAILABLE} for f in found]
    return rows


def _call_scores(label: np.ndarray, shares: np.ndarray, classes: int) -> dict[str, float]:
    """Over the classes that are present.

    The Brier score is the mean squared distance from the class (Brier 1950), 0 to 2.
    """
    called, present = shares.argmax(1), np.unique(label)
    recall = [(called[label == k] == k).mean() for k in present]
    return {
        "f1_macro": float(f1_score(label, called, labels=present, average="macro", zero_division=0)),
        "balanced_accuracy": float(np.mean(recall)),
        "brier": float(((shares - np.eye(classes)[label]) ** 2).sum(1).mean()),
    }


def leaky_rows(curves: pd.DataFrame) -> list[dict]:
    """C of the chance model at its best epoch on the test folds after the last epoch.

    It is the mean over seeds, and the range of 95 % of them.

    Parameters
    ----------
    curves : DataFrame
        ``finetune/leaky-chance``.
    """
    last = curves[(curves["arm"] == "leaky-chance") & (curves["x"] == curves["x"].max())]
    if last.empty:
        return []
    low, high = last["value"].quantile([0.025, 0.975])
    reason = (
        f"permuted outcomes, best of {int(last['x'].iloc[0])} epochs on each test fold: "
        f"mean and range of {len(last)} seeds"
    )
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


def unavailable_rows(
    reasons: dict[tuple[str, int], str], not_learnable: list[dict], predictions: pd.DataFrame, tasks: list[str]
) -> list[dict]:
    """Rows of what has no value.

    They are arms that could not be trained, and tasks that the training patients of a fold could not teach.

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
    return frame.sort_values(
        ["arm", "draw", "inputs", "task", "metric", "horizon_days", "repeat", "fold"], ignore_index=True
    )
