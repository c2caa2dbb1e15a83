"""The three answers in words, and what these data cannot answer."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from confuselt.controls.names import WITHOUT
from confuselt.evaluate.intervals import useless
from confuselt.report.planted import events
from confuselt.report.questions import questions

SMALL = "described, not compared: "  # how the reason of a contrast begins for which there are too few events
ABSENT = " is not among the arms of this run"
METRIC_WORDS = {"harrell_c": "C-index", "auc_macro": "macro AUC", "recall": "recall@k of pretraining"}


def answers(comparisons: pd.DataFrame, cfg: dict) -> list[dict]:
    """One paragraph per planned question: the primary endpoint first, then every other task.

    Parameters
    ----------
    comparisons : DataFrame
    cfg : dict
        ``evaluate.primary, evaluate.plan``.

    Returns
    -------
    list of dict
        ``question``, ``asked`` (what is set against what), ``verdict`` and ``number`` (of the primary endpoint; None
        where it was not compared), ``lines``: a sentence per task, but for those with too few events, of which
        `too_small` tells once for all questions.
    """
    primary = comparisons[comparisons["family"] == "primary"]
    tasks = sorted(set(primary["task"]), key=lambda t: (t != cfg["evaluate.primary"], t))
    found = []
    for name, question in questions(cfg["evaluate.plan"]["contrasts"]).items():
        asked = [primary[(primary["question"] == name) & (primary["task"] == t)] for t in tasks]
        rows = [a.iloc[0] for a in asked if len(a)]
        told = bool(rows) and rows[0]["task"] == cfg["evaluate.primary"] and rows[0]["status"] == "ok"
        verdict = rows[0]["verdict"] if told else "not compared"
        lines = [_sentence(r) for r in rows if r["status"] == "ok"] + _why_not(
            [r for r in rows if r["status"] != "ok" and not r["reason"].startswith(SMALL)]
        )
        found.append(
            {
                "question": question.asks,
                "asked": question.sides,
                "verdict": verdict,
                "number": f"{METRIC_WORDS[rows[0]['metric']]} {_numbers(rows[0], 2)}" if told else None,
                "lines": lines or ["No task has enough events." if rows else "No task was available."],
            }
        )
    return found


def _why_not(rows: list[pd.Series]) -> list[str]:
    """A sentence per reason for tasks that were not compared."""
    tasks: dict[str, list[str]] = {}
    for row in rows:
        tasks.setdefault(f"not compared ({row['arm_a']} against {row['arm_b']}): {row['reason']}.", []).append(
            row["task"]
        )
    return [f"{', '.join(names)}: {said}" for said, names in tasks.items()]


def _sentence(row: pd.Series) -> str:
    sides = f"{row['arm_a']} against {row['arm_b']}"
    metric = METRIC_WORDS[row["metric"]]
    counted = f", {int(row['events'])} events" if row["events"] else ""
    interval = (
        "no interval: it would hold every difference there can be"
        if useless(row["low"], row["high"])
        else f"95 % interval {row['low']:+.3f} to {row['high']:+.3f}"
    )
    said = {
        "yes": "yes, it helps",
        "no": "no, any difference is smaller than the margin",
        "cannot tell": (
            "cannot tell; the interval lies below 0, so it may do harm" if row["high"] < 0 else "cannot tell"
        )
        + f"; {_missed(row['detectable'])}"
        + (f"; to see 0.03 it {events(row)}" if np.isfinite(row["events_needed"]) else ""),
    }[row["verdict"]]
    return (
        f"{row['task']} ({metric}): {sides} differs by {row['difference']:+.3f} ({interval}, "
        f"{int(row['n'])} patients{counted}): {said}."
    )


def _missed(detectable: float) -> str:
    """What could not be seen; C, AUC and R@10 are at most 1, so that a larger limit says nothing."""
    return (
        "no difference, however large, could be seen here"
        if detectable >= 1
        else f"a difference under {detectable:.3f} would be missed here"
    )


def joint_model(comparisons: pd.DataFrame) -> list[str]:
    """Is the one checkpoint for every input pattern as good as arms trained for one modality?

    A sentence per task and modality that could be compared.
    """
    said = {"yes": "non-inferior", "no": "inferior", "cannot tell": "cannot tell"}
    rows = comparisons[(comparisons["question"] == "single-input") & (comparisons["status"] == "ok")]
    return [
        (
            f"{r['task']}: {r['arm_a']} with {r['inputs_a']} alone against {r['arm_b']}: "
            f"{_numbers(r)}: {said[r['verdict']]}."
        )
        for r in rows.to_dict("records")
    ]


def _numbers(row: Mapping, digits: int = 3) -> str:
    """Difference with its interval, where that says something."""
    value, low, high = (f"{row[name]:+.{digits}f}" for name in ("difference", "low", "high"))
    return value if useless(row["low"], row["high"]) else f"{value} ({low} to {high})"


def not_compared(comparisons: pd.DataFrame) -> list[str]:
    """Why contrasts were not made: a sentence per reason, not one per contrast."""
    rows = comparisons[comparisons["status"] != "ok"]
    reasons = rows["reason"].astype(str)  # of no row at all it may be a column of numbers
    small, absent = reasons.str.startswith(SMALL), reasons.str.contains(ABSENT, regex=False)
    said = too_small(comparisons)
    for task, part in rows[small & rows["task"].isin(_compared(comparisons))].groupby("task", sort=True):
        said.append(f"{task}: {len(part)} contrasts are over too few events: {part['reason'].iloc[0]}.")
    if absent.any():
        arms = sorted(
            {part.removesuffix(ABSENT) for r in reasons[absent] for part in r.split("; ") if part.endswith(ABSENT)}
        )
        said.append(
            f"{int(absent.sum())} contrasts with arms that this run does not train ({', '.join(arms)}) are left out."
        )
    for reason, part in rows[~small & ~absent].groupby("reason", sort=True):
        said.append(f"{', '.join(sorted(set(part['task'])))}: {len(part)} contrasts are not available: {reason}.")
    return said


def too_small(comparisons: pd.DataFrame) -> list[str]:
    """Endpoints with too few events to compare anything, in one sentence."""
    few = comparisons["reason"].astype(str).str.startswith(SMALL) & (comparisons["status"] != "ok")
    # Some arms test fewer patients than others: of such a task the other contrasts stand.
    rows = comparisons[few & ~comparisons["task"].isin(_compared(comparisons))]
    if rows.empty:
        return []
    needed = re.search(r"(\d+) needed", rows.iloc[0]["reason"]).group(1)
    counted = {t: sorted(set(part["events"].astype(int))) for t, part in rows.groupby("task", sort=True)}
    each = ", ".join(f"{t} ({n[0]}{f' to {n[-1]}' if len(n) > 1 else ''} events)" for t, n in counted.items())
    return [
        (
            f"Too few events to compare anything on {each}: "
            f"{needed} are needed (evaluate.min_events), so they are described, not compared."
        )
    ]


def _compared(comparisons: pd.DataFrame) -> set[str]:
    """Tasks of which some contrast was made."""
    return set(comparisons.loc[comparisons["status"] == "ok", "task"])


def without_pam50(comparisons: pd.DataFrame, dropped: list[dict[str, int]]) -> list[str]:
    """What pretraining is worth for PAM50 when it sees none of the genes that define it.

    Parameters
    ----------
    comparisons : DataFrame
    dropped : list of dict
        Per fold: genes ``named`` (PAM50's), ``followers`` of these, and ``left``.
    """
    if not dropped:
        return []
    mean = {k: f"{np.mean([d[k] for d in dropped]):.0f}" for k in ("named", "followers", "left")}
    lines = [
        (
            f"Left out: {mean['named']} genes of PAM50 and {mean['followers']} that follow one of them in the training "
            f"patients (mean of folds); {mean['left']} stay. "
            "Both were looked for among the genes that the normaliser of the fold chose."
        )
    ]
    rows = comparisons[(comparisons["task"] == "pam50") & (comparisons["question"] == "pretraining")]
    for row in rows[(rows["arm_a"] == WITHOUT) | (rows["arm_b"] == WITHOUT)].to_dict("records"):
        said = _numbers(row) if row["status"] == "ok" else f"not available ({row['reason']})"
        lines.append(f"{row['arm_a']} against {row['arm_b']}: {said}.")
    return lines


def cannot_answer(tables: dict[str, pd.DataFrame], bags: dict[str, dict], cfg: dict) -> list[str]:
    """What a reader must not take from this report."""
    said = []
    if max(b["largest"] for b in bags.values()) == 1:
        said.append(
            "Every bag has one row, so attention is 1 everywhere: "
            "these data say nothing about attention-based MIL (ABMIL), "
            "and the cells question is a proxy (slide-level cell features beside slide-level tissue features)."
        )
    where = (
        "It was scaled over all patients before it came here, test patients included"
        if cfg["rna.scaled_outside"]
        else "How it was scaled is not known to this workflow"
    )
    if cfg["rna.matrix"] == "normalised":
        said.append(f"The RNA matrix was ready-made. {where}; no leak-free claim is made for arms that see RNA.")
    for stream, facts in bags.items():
        if facts["trained_on"]:
            said.append(
                f"The {stream} stream ('{facts['name']}') comes from models trained on "
                f"{', '.join(facts['trained_on'])}; numbers on the same patients may be optimistic."
            )
    tested = tables["outcomes"][tables["outcomes"]["patient_id"].isin(set(tables["folds"]["patient_id"]))]
    for task in cfg["tasks.survival"]:
        events = int(tested[f"{task['name']}_event"].sum())
        if 0 < events < cfg["evaluate.min_events"]:
            said.append(
                f"{task['name']} has {events} events, fewer than {cfg['evaluate.min_events']}: "
                "it is described, not compared."
            )
    for name in (t["name"] for t in cfg["tasks.labels"] if t["from_rna"]):
        said.append(
            (
                f"{name} is defined on RNA: arms that see RNA predict the label from its own source. "
                "Their AUC is a ceiling, never evidence; pretraining on RNA sees that source too."
            )
            # Leaving the defining genes out is known for one signature only.
            + ("" if name == "pam50" else " No control leaves out the genes that define it.")
        )
    said.append(
        "Label-free pretraining means free of survival labels and subtypes; it is not free of what RNA says about them."
    )
    if cfg["acquire.source"] == "simulate":
        said.append(
            "This cohort is simulated: its numbers show that the workflow runs, "
            "not how well anything works on patients."
        )
    if torn := torn_sites(tables["folds"]):
        said.append(
            f"Folds do not keep sites apart (sites tested in more than one fold: {torn}): "
            "site effects may leak from training to test patients."
        )
    if tables["folds"]["site"].isna().all():
        said.append("No site is known: nothing can be said about site effects, and folds cannot keep sites apart.")
    return said


def torn_sites(folds: pd.DataFrame) -> int:
    """Sites whose patients are tested in more than one fold of a repeat, whatever the config says."""
    test = folds[(folds["role"] == "test") & folds["site"].notna()]
    return int((test.groupby(["site", "repeat"])["fold"].nunique() > 1).groupby("site").any().sum())
