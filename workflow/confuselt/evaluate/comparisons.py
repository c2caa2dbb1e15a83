"""Rows of ``evaluate/comparisons``: what a second modality, pretraining and cells add, with verdicts."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from confuselt.evaluate.inner import InnerPredictions, inner_choice
from confuselt.evaluate.schema import COMPARISONS
from confuselt.evaluate.scores import Bootstrap, interval, score_label, score_survival, wide
from confuselt.finetune.targets import Targets

DETECTABLE = 3.24  # SE for 80 % power at the first Holm step of three
METHOD = "patient bootstrap within fold"
WANTED_C = 0.03  # difference of C for which the number of events is stated
# The three primary questions; the single arm that modality is compared with is chosen on inner data.
PRIMARY = {
    "modality": ("both-scratch-cells", ("wsi-scratch-cells", "rna-scratch")),
    "pretraining": ("wsi-pretrained-cells", ("wsi-scratch-cells",)),
    "cells": ("wsi-pretrained-cells", ("wsi-pretrained-nocells",)),
}
BESIDE = (
    ("modality", "both-pretrained-cells", ("wsi-pretrained-cells", "rna-pretrained")),
    ("modality", "both-scratch-nocells", ("wsi-scratch-nocells", "rna-scratch")),
    ("modality", "both-pretrained-nocells", ("wsi-pretrained-nocells", "rna-pretrained")),
    ("pretraining", "wsi-pretrained-nocells", ("wsi-scratch-nocells",)),
    ("pretraining", "both-pretrained-cells", ("both-scratch-cells",)),
    ("pretraining", "both-pretrained-nocells", ("both-scratch-nocells",)),
    ("pretraining", "rna-pretrained", ("rna-scratch",)),
    ("cells", "wsi-scratch-cells", ("wsi-scratch-nocells",)),
    ("cells", "both-pretrained-cells", ("both-pretrained-nocells",)),
    ("cells", "both-scratch-cells", ("both-scratch-nocells",)),
)
SINGLE = (("both-pretrained-cells", "wsi", "wsi-pretrained-cells"), ("both-pretrained-cells", "rna", "rna-pretrained"))


def natural_inputs(arm: str) -> str:
    """Input pattern that an arm was made for."""
    return arm.split("-")[0]


def holm(p: list[float]) -> list[float]:
    """Holm's adjusted p-values; NaN (a planned contrast that could not be made) stays NaN and still counts."""
    adjusted, running = [np.nan] * len(p), 0.0
    order = sorted((i for i, v in enumerate(p) if np.isfinite(v)), key=lambda i: p[i])
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = running
    return adjusted


def verdict(low: float, high: float, p_holm: float, delta: float) -> str:
    """yes: interval above 0 and p_holm at most .05; no: interval within ± delta; else cannot tell."""
    if low > 0 and p_holm <= 0.05:
        return "yes"
    if -delta < low and high < delta:
        return "no"
    return "cannot tell"


def compare(predictions: pd.DataFrame, targets: Targets, inner: InnerPredictions, reasons: dict[str, str], bootstrap: Bootstrap, cfg: dict) -> pd.DataFrame:
    """All contrasts of all tasks.

    Parameters
    ----------
    predictions : DataFrame
        Draw 0 of the arms.
    inner : dict
        Arm to its predictions of the inner patients per (repeat, fold).
    reasons : dict
        Arm to why it is not available.
    cfg : dict
        ``evaluate.min_events``, ``evaluate.delta_c``, ``evaluate.delta_auc``.
    """
    rows = []
    for task in (*targets.survival, *targets.labels):
        metric, delta = ("harrell_c", cfg["evaluate.delta_c"]) if task in targets.survival else ("auc_macro", cfg["evaluate.delta_auc"])
        primary = []
        for question, (arm, against) in PRIMARY.items():
            primary.append(_contrast(question, arm, natural_inputs(arm), against, predictions, targets, task, inner, reasons, bootstrap, cfg))
        for row, adjusted in zip(primary, holm([r["p"] for r in primary]), strict=True):
            told = row["status"] == "ok"
            rows.append(
                {
                    **row,
                    "metric": metric,
                    "family": "primary",
                    "p_holm": adjusted,
                    "verdict": verdict(row["low"], row["high"], adjusted, delta) if told else "cannot tell",
                }
            )
        beside = [_contrast(q, a, natural_inputs(a), b, predictions, targets, task, inner, reasons, bootstrap, cfg) for q, a, b in BESIDE]
        beside += [_contrast("single-input", a, i, (b,), predictions, targets, task, inner, reasons, bootstrap, cfg) for a, i, b in SINGLE]
        rows += [{**r, "metric": metric, "family": "exploratory", "p": np.nan, "p_holm": np.nan, "verdict": None} for r in beside]
    return pd.DataFrame(rows, columns=list(COMPARISONS.columns))


def _contrast(
    question: str,
    arm: str,
    inputs: str,
    against: tuple[str, ...],
    predictions: pd.DataFrame,
    targets: Targets,
    task: str,
    inner: InnerPredictions,
    reasons: dict[str, str],
    bootstrap: Bootstrap,
    cfg: dict,
) -> dict:
    other = inner_choice(against, task, inner, targets)
    row = {
        "question": question,
        "arm_a": arm,
        "arm_b": other or " or ".join(against),
        "inputs_a": inputs,
        "inputs_b": natural_inputs(other or against[0]),
        "task": task,
        "method": METHOD,
    }
    row |= dict.fromkeys(("difference", "low", "high", "p", "share_won", "detectable", "events_needed"), np.nan) | {"status": "not available"}
    lost = [f"{a}: {reasons[a]}" for a in (arm, *against) if a in reasons and (a == arm or other is None)]
    lost += [f"{a} is not among finetune.arms" for a in (arm, *against) if a not in reasons and a not in inner and (a == arm or other is None)]
    if lost:
        return {**row, "reason": "; ".join(lost)}
    sides = [predictions[(predictions["arm"] == a) & (predictions["inputs"] == i)] for a, i in ((arm, inputs), (other, row["inputs_b"]))]
    both = set(sides[0]["patient_id"]) & set(sides[1]["patient_id"])
    tables = [wide(side, task) for side in sides]
    common, every = tables[0].keys() & tables[1].keys(), tables[0].keys() | tables[1].keys()
    if not common:
        return {**row, "reason": f"no fold in which both sides could learn {task}"}
    score = score_survival if task in targets.survival else score_label
    a, b = (score({k: table[k] for k in common}, targets, task, bootstrap, both) for table in tables)
    row |= {"n": a.n, "events": a.events}
    if task in targets.survival and a.events < cfg["evaluate.min_events"]:
        return {**row, "reason": f"described, not compared: {a.events} events, {cfg['evaluate.min_events']} needed (evaluate.min_events)"}
    difference, draws = a.value - b.value, a.draws - b.draws
    if not np.isfinite(difference):
        return {**row, "reason": "no comparable pair of patients"}
    low, high = interval(draws)
    error = float(np.nanstd(draws))
    p = float(2 * norm.sf(abs(difference) / error)) if error > 0 else 1.0
    repeats: dict[int, list[float]] = {}
    for x, y in zip(a.folds, b.folds, strict=True):
        repeats.setdefault(x["repeat"], []).append(x["value"] - y["value"])
    won = [np.nanmean(d) > 0 for d in repeats.values() if np.isfinite(d).any()]
    needed = a.events * (DETECTABLE * error / WANTED_C) ** 2 if task in targets.survival else np.nan
    return {
        **row,
        "difference": difference,
        "low": low,
        "high": high,
        "p": p,
        "share_won": float(np.mean(won)),
        "detectable": DETECTABLE * error,
        "events_needed": needed,
        "status": "ok",
        "reason": f"over the {len(common)} of {len(every)} folds that both sides have" if len(common) < len(every) else None,
    }
