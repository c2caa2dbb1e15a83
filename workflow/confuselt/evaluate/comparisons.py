"""Rows of ``evaluate/comparisons``: what a second modality, pretraining and cells add, with verdicts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from confuselt.controls.names import CONTROLS, SHUFFLED_CELLS, WITHOUT, base_arm, base_modality
from confuselt.evaluate.inner import InnerPredictions, inner_choice
from confuselt.evaluate.intervals import detectable
from confuselt.evaluate.retrieval import Gallery, common_galleries, recall_block
from confuselt.evaluate.schema import COMPARISONS
from confuselt.evaluate.scores import Block, Scorer
from confuselt.evaluate.verdicts import events_needed, holm, non_inferior, verdict
from confuselt.finetune.arms import DEEP, PLUS, singles, streams_word

WANTED_C = 0.03  # difference of C for which the number of events is stated
# Input pattern of what is no arm of its own; controls have that of their base arm.
NATURAL = {"clinical": "clinical", "late-fusion": "both", "pca-cox": "both", "mean-pool": "wsi"} | {
    control: base_modality(control) for control in CONTROLS
}
PRIMARY, BESIDE, MARGIN = "primary", "exploratory", "non-inferiority"


@dataclass(frozen=True)
class Contrast:
    """One question put to two arms.

    Attributes
    ----------
    question, family : str
    arm : str
    inputs : str
        What `arm` is tested with.
    against : tuple of str
        The other side; where there are several, the one that is better on inner data.
    """

    question: str
    family: str
    arm: str
    inputs: str
    against: tuple[str, ...]


def natural_inputs(arm: str) -> str:
    """Input pattern that an arm was made for."""
    if arm in NATURAL:
        return NATURAL[arm]
    return arm.removeprefix(PLUS).split("-")[0]


def planned(plan: dict) -> list[Contrast]:
    """The three primary contrasts of the analysis plan (``evaluate.plan``)."""
    return [
        Contrast(q, PRIMARY, c["arm"], natural_inputs(c["arm"]), tuple(c["against"]))
        for q, c in plan["contrasts"].items()
    ]


def beside(arms: list[str], cells: bool) -> list[Contrast]:
    """The same questions for other arms, controls and baselines, and the joint model with one input.

    The former are exploratory, the latter is non-inferiority.

    Parameters
    ----------
    arms : list of str
        Everything that was asked for: contrasts with baselines and controls follow from it.
    cells : bool
        Whether the cohort has a cells stream: late fusion and controls are made of arms with it, else without.
    """
    word = streams_word(cells)
    questions = [
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
    ]
    for start in ("wsi-scratch", "wsi-pretrained", "both-scratch", "both-pretrained"):
        if f"{start}-{DEEP}" in arms:
            questions += [("cells", f"{start}-{DEEP}", (f"{start}-{than}",)) for than in ("cells", "nocells")]
    if "late-fusion" in arms:
        questions += [
            ("modality", "late-fusion", singles(cells)),
            ("modality", f"both-scratch-{word}", ("late-fusion",)),
        ]
    if SHUFFLED_CELLS in arms:
        questions.append(("cells", base_arm(SHUFFLED_CELLS, cells), (SHUFFLED_CELLS,)))
    if "mispaired" in arms:
        questions.append(("pretraining", base_arm("mispaired", cells), ("mispaired",)))
    if WITHOUT in arms:
        questions += [
            ("pretraining", WITHOUT, (f"wsi-scratch-{word}",)),
            ("pretraining", base_arm(WITHOUT, cells), (WITHOUT,)),
        ]
    questions += [("clinical", arm, ("clinical",)) for arm in arms if arm.startswith(PLUS)]
    found = [Contrast(q, BESIDE, a, natural_inputs(a), b) for q, a, b in questions]
    joint, single = f"both-pretrained-{word}", (("wsi", f"wsi-pretrained-{word}"), ("rna", "rna-pretrained"))
    return found + [Contrast("single-input", MARGIN, joint, inputs, (arm,)) for inputs, arm in single]


def compare(
    scorer: Scorer, inner: InnerPredictions, reasons: dict[str, str], arms: list[str], cells: bool, cfg: dict
) -> list[dict]:
    """All contrasts of all tasks.

    Parameters
    ----------
    scorer : Scorer
        The main run, with the controls that share its folds and outcomes.
    inner : dict
        Arm to its predictions of the inner patients per (repeat, fold).
    reasons : dict
        Arm to why it is not available.
    arms : list of str
        Arms, baselines and controls that were asked for.
    cells : bool
        See `beside`.
    cfg : dict
        ``evaluate.min_events``, ``evaluate.plan``.
    """
    plan, rows = cfg["evaluate.plan"], []
    for task in (*scorer.targets.survival, *scorer.targets.labels):
        survives = task in scorer.targets.survival
        metric, delta, margin = (
            ("harrell_c", plan["delta_c"], plan["margin_c"])
            if survives
            else ("auc_macro", plan["delta_auc"], plan["margin_auc"])
        )
        found = [(c, _contrast(c, scorer, task, inner, reasons, cfg)) for c in (*planned(plan), *beside(arms, cells))]
        rows += [{**r, "task": task, "metric": metric} for r in judge(found, delta, margin, plan["alpha"])]
    return rows


def judge(found: list[tuple[Contrast, dict]], delta: float, margin: float, alpha: float) -> list[dict]:
    """Rows with Holm's p over the primary contrasts and verdicts; exploratory ones get neither."""
    adjusted = iter(holm([row["p"] for c, row in found if c.family == PRIMARY]))
    rows = []
    for contrast, row in found:
        told = row["status"] == "ok"
        said: dict = {"family": contrast.family, "p": np.nan, "p_holm": np.nan, "verdict": None}
        if contrast.family == PRIMARY:
            p = next(adjusted)
            said |= {
                "p": row["p"],
                "p_holm": p,
                "verdict": verdict(row["low"], row["high"], p, delta, alpha) if told else "cannot tell",
            }
        elif contrast.family == MARGIN:
            said["verdict"] = non_inferior(row["low"], row["high"], margin) if told else "cannot tell"
        rows.append({**row, **said})
    return rows


def difference(a: Block, b: Block, alpha: float, tests: int) -> dict:
    """Numbers of a row: paired difference, widest of three intervals, p, share of repeats won, detectable difference.

    Parameters
    ----------
    a, b : Block
    alpha : float
        ``evaluate.plan.alpha``.
    tests : int
        Planned contrasts of the task.
    """
    gap = a.minus(b)
    wide, least = gap.interval(), detectable(gap.intervals(), alpha, tests)
    repeats: dict[int, list[float]] = {}
    for fold in gap.folds:
        repeats.setdefault(fold["repeat"], []).append(fold["value"])
    won = [np.nanmean(d) > 0 for d in repeats.values() if np.isfinite(d).any()]
    return {
        "difference": gap.value,
        "low": float(np.clip(wide.low, -1, 1)),  # a t interval knows no bounds
        "high": float(np.clip(wide.high, -1, 1)),
        "method": wide.method,
        "p": wide.p,
        "share_won": float(np.mean(won)) if won else np.nan,
        "detectable": least,
        "events_needed": events_needed(a.events, least, WANTED_C) if a.events else np.nan,
        "n": a.n,
        "events": a.events,
    }


def _contrast(
    contrast: Contrast, scorer: Scorer, task: str, inner: InnerPredictions, reasons: dict[str, str], cfg: dict
) -> dict:
    arm, against = contrast.arm, contrast.against
    other, chosen = (against[0], None) if len(against) == 1 else inner_choice(against, task, inner, scorer.targets)
    row = _empty_row(contrast, other)
    # All of the other side, or "the better of" would be the better of what happens to be there.
    missing = [a for a in (arm, *against) if a in reasons or not _made(scorer, a)]
    if missing:
        return row | {
            "reason": "; ".join(
                f"{a}: {reasons[a]}" if a in reasons else f"{a} is not among the arms of this run" for a in missing
            )
        }
    if other is None:
        return row | {"reason": f"none of {' and '.join(against)} has inner predictions to be chosen by"}
    sides = [(arm, contrast.inputs), (other, row["inputs_b"])]
    tables = [_draws_of(scorer, a, i, task) for a, i in sides]
    if not all(tables):
        return row | {"reason": f"no fold in which both sides could learn {task}"}
    made = [scorer.tables(a, d, i, task) for (a, i), draws in zip(sides, tables, strict=True) for d in draws]
    common, every = set.intersection(*(set(t) for t in made)), set.union(*(set(t) for t in made))
    if not common:
        return row | {"reason": f"no fold in which both sides could learn {task}"}
    both = {k: frozenset.intersection(*(frozenset(t[k].index) for t in made)) for k in sorted(common)}
    a, b = (
        average([scorer.block(arm, d, i, task, both) for d in draws])
        for (arm, i), draws in zip(sides, tables, strict=True)
    )
    row |= {"n": a.n, "events": a.events}
    if task in scorer.targets.survival and a.events < cfg["evaluate.min_events"]:
        return row | {
            "reason": (
                f"described, not compared: {a.events} events, {cfg['evaluate.min_events']} needed (evaluate.min_events)"
            )
        }
    if not np.isfinite(a.value - b.value):
        return row | {"reason": "no comparable pair of patients"}
    partly = f"over the {len(common)} of {len(every)} folds that both sides have" if len(common) < len(every) else None
    tested = difference(a, b, cfg["evaluate.plan"]["alpha"], len(cfg["evaluate.plan"]["contrasts"]))
    return row | tested | {"status": "ok", "reason": "; ".join(filter(None, (chosen, partly))) or None}


def _empty_row(contrast: Contrast, other: str | None) -> dict:
    names = {
        "question": contrast.question,
        "arm_a": contrast.arm,
        "arm_b": other or " or ".join(contrast.against),
        "inputs_a": contrast.inputs,
        "inputs_b": natural_inputs(other or contrast.against[0]),
    }
    return (
        names
        | dict.fromkeys(("difference", "low", "high", "p", "share_won", "detectable", "events_needed"), np.nan)
        | {"status": "not available"}
    )


def _made(scorer: Scorer, arm: str) -> bool:
    return any(a == arm for a, *_ in scorer.made())


def _draws_of(scorer: Scorer, arm: str, inputs: str, task: str) -> list[int]:
    """Draws of a control, [0] of an arm."""
    return [d for a, d, i, t in scorer.made() if (a, i, t) == (arm, inputs, task)]


def average(blocks: list[Block]) -> Block:
    """Mean over the draws of a control."""
    if len(blocks) == 1:
        return blocks[0]
    first = blocks[0]
    folds = [{**f, "value": float(np.mean([b.folds[i]["value"] for b in blocks]))} for i, f in enumerate(first.folds)]
    sites = None if first.sites is None else np.mean([b.sites for b in blocks], 0)
    return Block(
        float(np.mean([b.value for b in blocks])),
        np.mean([b.patients for b in blocks], 0),
        sites,
        folds,
        first.n,
        first.events,
    )


def compare_retrieval(galleries: list[Gallery], lost: list[dict], scorer: Scorer, cells: bool, cfg: dict) -> list[dict]:
    """Recall@k of models of pretraining.

    Do cells help (primary), and is the model of all streams more than CCA or mispaired pairs (exploratory)?
    """
    plan = cfg["evaluate.plan"]
    by_model: dict[str, dict[int, list[Gallery]]] = {}
    for gallery in galleries:
        by_model.setdefault(gallery.model, {}).setdefault(gallery.draw, []).append(gallery)
    reasons = {r["model"]: r["reason"] for r in lost}
    whole = "tile-cells" if cells else "tile"
    questions = [
        ("cells", PRIMARY, "tile-cells", "tile"),
        ("pretraining", BESIDE, whole, "cca"),
        ("pretraining", BESIDE, whole, "mispaired"),
    ]
    tests, found = sum(family == PRIMARY for _, family, *_ in questions), []
    for question, family, model, other in questions:
        contrast = Contrast(question, family, model, "both", (other,))
        row = _empty_row(contrast, other) | {"inputs_b": "both"}
        absent = [m for m in (model, other) if m not in by_model]
        if absent:
            row["reason"] = "; ".join(f"{m}: {reasons.get(m, 'not among the models of this run')}" for m in absent)
        else:
            (ours,) = by_model[model].values()
            pairs = _same_folds([common_galleries(ours, theirs) for theirs in by_model[other].values()])
            a, b = (
                average([recall_block(pair[side], plan["k"], scorer.resampling) for pair in pairs]) for side in (0, 1)
            )
            told = np.isfinite(a.value) and np.isfinite(b.value)
            row |= (
                difference(a, b, plan["alpha"], tests) | {"status": "ok"}
                if told
                else {"reason": "no fold in which both models have two test pairs"}
            )
        found.append((contrast, row))
    judged = judge(found, plan["delta_recall"], np.nan, plan["alpha"])
    return [{**r, "task": "retrieval", "metric": "recall", "k": plan["k"]} for r in judged]


def _same_folds(pairs: list[tuple[list[Gallery], list[Gallery]]]) -> list[tuple[list[Gallery], list[Gallery]]]:
    """Galleries of the folds that every draw of a control has."""
    kept = set.intersection(*({(g.repeat, g.fold) for g in a} for a, _ in pairs))
    return [tuple([g for g in side if (g.repeat, g.fold) in kept] for side in pair) for pair in pairs]


def comparisons_table(rows: list[dict]) -> pd.DataFrame:
    """Columns of ``evaluate/comparisons``."""
    return pd.DataFrame(rows, columns=list(COMPARISONS.columns))
