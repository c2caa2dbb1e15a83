"""Counts and settings of a run in words: parts of the sentences that answer a checklist."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from confuselt.controls.names import CONTROLS, LEAKY
from confuselt.evaluate.plan import read_plan
from confuselt.finetune.arms import DEEP, parse_arm
from confuselt.report.run import Run
from confuselt.report.sections.people import cohort_facts, fold_table
from confuselt.tables import read_meta

YEAR = 365.25
MODALITIES = {"wsi": "gated attention over tiles", "rna": "a network of genes", "both": "both joined"}
# Metrics by what they are about, in the words of a table of results.
DISCRIMINATION = {
    "harrell_c": "Harrell's C",
    "uno_c": "Uno's C",
    "auc_time": "AUC by horizon",
    "auc_macro": "macro AUC",
}
OVERALL = {"brier": "Brier score", "ibs_skill": "integrated Brier score against Kaplan–Meier"}
CALLS = {"f1_macro": "F1", "balanced_accuracy": "balanced accuracy"}
CALIBRATION = {"observed_expected": "observed/expected", "calibration_slope": "calibration slope"}


def counted(n: int, word: str) -> str:
    """``1 fold``, ``5 folds``."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def listed(words: Iterable[str], none: str = "none") -> str:
    """``a, b and c``."""
    *first, last = list(words) or [none]
    return f"{', '.join(first)} and {last}" if first else last


def span(values: Iterable[float]) -> str:
    """Least and most of whole numbers, once where they are one."""
    low, high = min(values := list(values)), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def outcomes_in_words(run: Run) -> str:
    """Every endpoint with events and patients, every label with its classes."""
    facts = cohort_facts(run)
    endpoints = [f"{e['task']} ({counted(e['events'], 'event')} among {e['n']:,} patients)" for e in facts["endpoints"]]
    labels = [
        f"{x['task']} ({', '.join(f'{name} {n}' for name, n in x['classes'].items()) or 'no patient has a class'})"
        for x in facts["labels"]
    ]
    return listed([*endpoints, *labels])


def modalities_in_words(run: Run) -> str:
    """How many patients have slides, RNA, and both."""
    facts = cohort_facts(run)
    return (
        f"{facts['both']:,} have slides and RNA, {facts['slide only']:,} slides only, {facts['RNA only']:,} RNA only"
        + (f", {facts['neither']:,} neither" if facts["neither"] else "")
    )


def lacking(run: Run) -> dict[str, int]:
    """Patients who are used and lack an outcome, by task, where there are any."""
    facts = cohort_facts(run)
    known = {e["task"]: e["n"] for e in facts["endpoints"]}
    known |= {x["task"]: sum(x["classes"].values()) for x in facts["labels"]}
    return {task: facts["patients"] - n for task, n in known.items() if n < facts["patients"]}


def outcomes_lacking(run: Run) -> str:
    """The same as a sentence."""
    few = lacking(run)
    said = listed(f"{task} ({n:,} patients)" for task, n in few.items())
    return f"Outcomes are missing for {said}, who are not scored for them." if few else "No patient lacks an outcome."


def covariates(run: Run) -> dict[str, int]:
    """Clinical covariates, and how many of the patients who are used have each."""
    people = run.tables["patients"].query("status == 'ok'")["patient_id"]
    table = run.tables["covariates"].set_index("patient_id").reindex(people)
    names = [c for c in table if c.startswith("covariate_")]
    return {name.removeprefix("covariate_"): int(table[name].notna().sum()) for name in names}


def covariates_in_words(run: Run) -> str:
    """Their names with how many patients have each."""
    return listed((f"{name} (known for {n:,} patients)" for name, n in covariates(run).items()), "no covariates")


def fold_spans(run: Run) -> dict[str, str]:
    """Patients of a training, an inner and a test part over all folds."""
    return {role: span(fold[role] for fold in fold_table(run)) for role in ("train", "inner", "test")}


def events_per_fold(run: Run) -> str:
    """Events of each endpoint in a test fold; of a label nothing."""
    folds = fold_table(run)
    return listed(f"{name} {span(fold['events'][name] for fold in folds)}" for name in run.endpoints)


def folds_in_words(run: Run) -> str:
    """How patients were divided."""
    cfg = run.cfg
    held = "hold whole sites" if cfg["split.group"] == "site" else "hold single patients of all sites"
    made = "were read from a table" if cfg["split.from"] == "file" else held
    return f"{counted(cfg['split.repeats'], 'repeat')} of {counted(cfg['split.folds'], 'fold')}; folds {made}"


def follow_up(run: Run) -> str:
    """Median follow-up of the patients without an event, per endpoint, as a sentence."""
    outcomes = run.tables["outcomes"]
    outcomes = outcomes[outcomes["patient_id"].isin(set(run.tables["folds"]["patient_id"]))]
    said = []
    for name in run.endpoints:
        days = outcomes.loc[outcomes[f"{name}_event"] == 0, f"{name}_days"].dropna()
        said.append(f"{name} {days.median() / YEAR:.1f} years" if len(days) else f"{name} (nobody is without an event)")
    return f"Median follow-up of patients without an event: {listed(said)}."


def features_in_words(run: Run) -> str:
    """How many features each stream of slides has."""
    streams = [f"{b['width']:,} ({stream} stream)" for stream, b in run.bags.items() if b["width"]]
    return listed([*streams, *["a row per role of deep cell-type features"] * has_deep(run)], "no features")


def has_deep(run: Run) -> bool:
    """Whether an arm of deep cell-type features was planned."""
    return any(arm.endswith(DEEP) for arm in planned_arms(run))


def balanced_labels(run: Run) -> list[str]:
    """Labels that were called from RNA by medians of the whole cohort, test patients among them."""
    agreement = read_meta(run.sources.outcomes).get("agreement", {})
    return [task for task, found in agreement.items() if found["groups"]]


def has_rna(run: Run) -> bool:
    """Whether RNA of anybody could be used."""
    facts = cohort_facts(run)
    return facts["both"] + facts["RNA only"] > 0


def has_sites(run: Run) -> bool:
    """Whether the site of any patient is known."""
    return bool(run.tables["folds"]["site"].notna().any())


def several_sites(run: Run) -> bool:
    """Whether two sites or more are known, so that whole sites can be drawn."""
    return run.tables["folds"]["site"].nunique() > 1


def seen_before(run: Run) -> list[str]:
    """By what values of test patients may have reached a step before the folds were made, as sentences."""
    said = []
    if has_rna(run) and run.cfg["rna.scaled_outside"]:
        said.append("RNA was scaled over all patients, those tested too, before it came.")
    elif has_rna(run) and run.cfg["rna.matrix"] != "counts":
        said.append("How RNA was scaled before it came is not known.")
    if labels := balanced_labels(run):
        said.append(f"Medians of all patients were used to call {listed(labels)}.")
    return said


def from_rna(run: Run) -> list[str]:
    """Labels that are defined on RNA."""
    return [task["name"] for task in run.cfg["tasks.labels"] if task["from_rna"]]


def simulated(run: Run) -> bool:
    """Whether nobody of the cohort exists."""
    return run.cfg["acquire.source"] == "simulate"


def whole(run: Run, task: str | None = None) -> pd.DataFrame:
    """Metrics over folds that have a value, of a task or of all; of arms and baselines, no control among them."""
    metrics = run.tables["metrics"]
    metrics = metrics[~metrics["arm"].isin((*CONTROLS, LEAKY))]
    rows = metrics[(metrics["fold"] == -1) & (metrics["status"] == "ok") & metrics["metric"].notna()]
    return rows if task is None else rows[rows["task"] == task]


def scored(run: Run, names: dict[str, str], task: str | None = None) -> list[str]:
    """Which of some metrics have a value, in words."""
    there = set(whole(run, task)["metric"])
    return [word for name, word in names.items() if name in there]


def range_of(run: Run, task: str, metric: str) -> str:
    """Least and most of a metric over the arms and baselines of a task; '' where there is none."""
    rows = whole(run, task)
    values = rows.loc[(rows["metric"] == metric) & (rows["draw"] == 0), "value"].dropna()
    return f"{values.min():.2f} to {values.max():.2f}" if len(values) else ""


def planned_arms(run: Run) -> list[str]:
    """Arms that the plan in force trains."""
    return read_plan(run.sources.plan)["plan"]["finetune.arms"]


def arms_in_words(run: Run) -> str:
    """How many arms the plan trains, of which modalities, and how many are pretrained."""
    arms = [parse_arm(name) for name in planned_arms(run)]
    kinds = [word for kind, word in MODALITIES.items() if any(arm.modality == kind for arm in arms)]
    return f"{counted(len(arms), 'arm')} ({'; '.join(kinds)}), {sum(arm.pretrained for arm in arms)} of them pretrained"


def towers_in_words(run: Run) -> str:
    """What was trained, and how it began: pairs are what pretraining needs."""
    facts, arms = cohort_facts(run), [parse_arm(name) for name in planned_arms(run)]
    slides = facts["both"] + facts["slide only"] > 0 and any(arm.modality != "rna" for arm in arms)
    rna = has_rna(run) and any(arm.modality != "wsi" for arm in arms)
    tasks = ", ".join([*run.endpoints, *run.labels])
    if facts["both"] and any(arm.pretrained for arm in arms):
        return (
            "A slide tower (gated attention over tiles) and an RNA tower were pretrained with a symmetric contrastive "
            f"loss on the pairs of the training patients, without labels, and fine-tuned for {tasks}."
        )
    towers = ["a slide tower (gated attention over tiles)"] * slides + ["an RNA tower"] * rna
    named = listed(towers, "no tower")
    return f"{named[0].upper()}{named[1:]} {'were' if len(towers) > 1 else 'was'} trained from scratch for {tasks}."


def changed_arms(run: Run) -> list[str]:
    """Arms that were trained under another plan than the one in force."""
    plan = read_plan(run.sources.plan)["hash"]
    return sorted(arm for arm, model in run.models.items() if model["plan"] != plan)


def detectable(run: Run) -> str:
    """Differences that the planned contrasts of the task that decides would have shown; '' where none was made."""
    table = run.tables["comparisons"]
    rows = table[
        (table["family"] == "primary") & (table["status"] == "ok") & (table["task"] == run.cfg["evaluate.primary"])
    ]
    said = [
        f"{row['question']} {row['detectable']:.3f}"
        for row in rows.to_dict("records")
        if np.isfinite(row["detectable"]) and row["detectable"] < 1
    ]
    return listed(said, "")


def looked_at_by(run: Run) -> list[str]:
    """Covariates by which values are told within parts of the cohort."""
    told = set(_told_by(run))
    return [name for name in covariates(run) if name in told]


def not_looked_at(run: Run) -> str:
    """Where there is no such covariate: why, and by what else values stand."""
    others = _told_by(run)
    if not others:
        return "No part of the cohort is large enough"
    why = "No part by a covariate is large enough" if covariates(run) else "No covariate is known"
    return f"{why}; values stand by {listed(others)}"


def _told_by(run: Run) -> list[str]:
    """What parts the cohort so that some part has a value."""
    strata = run.tables["strata"]
    return list(dict.fromkeys(strata.loc[strata["status"] == "ok", "stratum"]))
