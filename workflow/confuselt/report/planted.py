"""What a simulated cohort holds, read from its config, and which answers say otherwise."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from confuselt.evaluate.verdicts import NO, OPEN, YES

FAR = 20  # so many times the events of a cohort are no number to plan by
WORDS = {"modality": "a second modality", "pretraining": "pretraining", "cells": "cells"}


@dataclass(frozen=True)
class Truth:
    """What the simulator makes of a question.

    Attributes
    ----------
    helps : bool or None
        True: it must help; False: it cannot; None: neither is planted.
    why : str
    """

    helps: bool | None
    why: str


def planted(slides: bool, cfg: dict) -> dict[str, Truth]:
    """Question to truth.

    Parameters
    ----------
    slides : bool
        Slides were drawn (else the cohort came as features).
    cfg : dict
        ``simulate.*``: ``effect``, ``modalities``, ``cells``, ``shared``.
    """
    if cfg["simulate.effect"] == 0:
        return dict.fromkeys(WORDS, Truth(False, "outcomes depend on nothing"))
    twice = cfg["simulate.modalities"] == "redundant"
    modality = (
        Truth(False, "slides and RNA show the same")
        if twice
        else Truth(True, "slides and RNA each show a part of the truth that the other does not")
    )
    if slides:
        cells = Truth(None, "they are of nuclei on the pixels that tile features see too")
    elif cfg["simulate.cells"] == "redundant":
        cells = Truth(False, "they are the tile features in other coordinates")
    else:
        cells = (
            Truth(None, "tiles show the same")
            if twice
            else Truth(True, "they show a part of the truth that tiles do not")
        )
    if cfg["simulate.shared"] == "irrelevant":
        pretraining = Truth(False, "what slides and RNA both show carries no outcome")
    else:
        pretraining = Truth(None, "what it finds is in the slides")
    return {"modality": modality, "pretraining": pretraining, "cells": cells}


def sentence(truth: dict[str, Truth], effect: float) -> str:
    """What was planted, in one sentence."""
    said = []
    for helps, words in ((True, "{} must help"), (False, "{} cannot help"), (None, "neither is planted for {}")):
        named = [f"{WORDS[q]} ({t.why})" for q, t in truth.items() if t.helps is helps]
        if named:
            said.append(words.format(" and ".join(named)))
    return f"Planted with effect {effect:g}: {'; '.join(said)}."


def needed(comparisons: pd.DataFrame, task: str) -> str:
    """What those questions would need that were left open on a task, in one sentence; empty where none was."""
    rows = comparisons[
        (comparisons["family"] == "primary") & (comparisons["task"] == task) & (comparisons["status"] == "ok")
    ]
    said = [
        f"{WORDS[r['question']]} {events(r)}"
        for r in rows.to_dict("records")
        if r["verdict"] == OPEN and np.isfinite(r["events_needed"])
    ]
    return f"To tell a difference of 0.03 on {task} apart from none: {', '.join(said)}." if said else ""


def events(row: dict) -> str:
    """Events that a contrast would need, beside those there are."""
    if row["events_needed"] > FAR * row["events"]:
        return f"would need far more patients than this cohort has ({int(row['events'])} events)"
    return f"would need {row['events_needed']:.0f} events (here {int(row['events'])})"


def against(truth: dict[str, Truth], comparisons: pd.DataFrame) -> list[str]:
    """Planned answers that say the opposite of what was planted.

    What cells do for retrieval is no outcome, and not judged.
    """
    rows = comparisons[
        (comparisons["family"] == "primary") & (comparisons["status"] == "ok") & (comparisons["task"] != "retrieval")
    ]
    wrong = {True: NO, False: YES}
    return [
        (
            f"{r['task']}: '{r['verdict']}' for {WORDS[r['question']]}, "
            f"which {'must' if truth[r['question']].helps else 'cannot'} help"
        )
        for r in rows.to_dict("records")
        if r["question"] in truth and wrong.get(truth[r["question"]].helps) == r["verdict"]
    ]
