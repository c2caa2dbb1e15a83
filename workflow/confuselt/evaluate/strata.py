"""How well within parts of the cohort: by every covariate, by class of every label, by site.

Parts are described, none was planned: nothing here tests whether a model serves one part better than another.
"""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from confuselt.evaluate.comparisons import natural_inputs
from confuselt.evaluate.scores import Block, Scorer
from confuselt.finetune.arms import ARMS

LEAST = 10  # events in a part under which nothing is said of it; of a label, patients beside its largest class
PARTS = 3  # of a covariate that is a number: thirds of the patients
SUBSTAGE = re.compile(r"(stage\s+)?(0|i{1,3}|iv|x)[abc]?", re.IGNORECASE)


def strata_rows(scorer: Scorer, outcomes: pd.DataFrame, covariates: pd.DataFrame, tasks: list[str]) -> list[dict]:
    """C of an endpoint, macro AUC of a label, within each part of the cohort.

    Parameters
    ----------
    scorer : Scorer
    outcomes, covariates : DataFrame
        ``acquire/outcomes`` and ``acquire/covariates``.
    tasks : list of str
        Of which it is said.

    Returns
    -------
    list of dict
        Rows of ``evaluate/strata``: patients, events and whether they are enough are those that the arm tests.
    """
    tested, rows = [k for k in scorer.made() if k[1] == 0 and (k[0] in ARMS or k[0] == "clinical")], []
    cohort = parts_of_cohort(outcomes, covariates)
    for task in tasks:
        arms = sorted({arm for arm, _, inputs, t in tested if t == task and inputs == natural_inputs(arm)})
        metric = "harrell_c" if task in scorer.targets.survival else "auc_macro"
        for stratum, parts in cohort.items():
            if stratum == task or not arms:
                continue
            for level, people in parts.groupby(parts, observed=True).groups.items():
                key = {"task": task, "metric": metric, "stratum": stratum, "level": str(level)}
                rows += _rows_of_part(scorer, arms, key, frozenset(people))
    return rows


def _rows_of_part(scorer: Scorer, arms: list[str], key: dict, people: frozenset[str]) -> Iterator[dict]:
    task, comparable = key["task"], {}
    what = "events" if task in scorer.targets.survival else "patients beside the largest class"
    for arm in arms:
        inputs = natural_inputs(arm)
        tables = {fold: t[t.index.isin(people)] for fold, t in scorer.tables(arm, 0, inputs, task).items()}
        tested = scorer.patients(arm, 0, inputs, task)
        n, events = counted(scorer, task, people & tested)
        row = key | {"arm": arm, "inputs": inputs, "n": n, "events": events}
        if events < LEAST:
            yield row | {"status": "too small", "reason": f"{events} {what}, {LEAST} needed"}
        elif gone := sorted(classes_of(scorer, task, tested) - classes_of(scorer, task, people & tested)):
            # A mean over fewer classes is no value to set beside that of the whole cohort.
            yield row | {"status": "not available", "reason": f"no patient of {', '.join(gone)}"}
        else:
            yield row | _numbers(scorer.part(tables, task, comparable))


def _numbers(block: Block) -> dict:
    if not np.isfinite(block.value):
        return {"status": "not available", "reason": "no comparable pair of patients"}
    low, high = block.interval().bounded
    return {"value": block.value, "low": low, "high": high, "status": "ok"}


def counted(scorer: Scorer, task: str, people: frozenset[str]) -> tuple[int, int]:
    """Patients with the outcome; those with an event, or of a label, beside its largest class."""
    known = scorer.targets.take([p for p in scorer.targets.patients if p in people])
    if task in scorer.targets.survival:
        days, event = known.survival[task]
        use = np.isfinite(days)
        return int(use.sum()), int(event[use].sum())
    label = known.labels[task][known.labels[task] >= 0]
    return len(label), int(len(label) - np.bincount(label).max(initial=0))


def classes_of(scorer: Scorer, task: str, people: frozenset[str]) -> set[str]:
    """Classes of a label that patients have; of an endpoint none."""
    if task in scorer.targets.survival:
        return set()
    label = scorer.targets.take([p for p in scorer.targets.patients if p in people]).labels[task]
    return {scorer.targets.classes[task][k] for k in set(label[label >= 0])}


def parts_of_cohort(outcomes: pd.DataFrame, covariates: pd.DataFrame) -> dict[str, pd.Series]:
    """Part of every patient that has one, by the name of what parts them.

    Returns
    -------
    dict of str to Series of str
        Index: patients. Covariates that are numbers in thirds, in their order; stages without their letters; classes
        of labels; sites.
    """
    usable = outcomes[outcomes["status"] == "ok"].set_index("patient_id")
    told = covariates[covariates["patient_id"].isin(usable.index)].set_index("patient_id")
    found = {
        column.removeprefix("covariate_"): parts_of_covariate(told[column].dropna())
        for column in told
        if column.startswith("covariate_")
    }
    labels = {c.removeprefix("label_"): usable[c].dropna() for c in usable if c.startswith("label_")}
    parted = labels | {"site": usable["site"].dropna().astype(str)}
    # A covariate may have the name of a label.
    found = {f"{name} (covariate)" if name in parted else name: parts for name, parts in found.items()} | parted
    return {name: parts for name, parts in found.items() if parts.nunique() > 1}


def parts_of_covariate(values: pd.Series) -> pd.Series:
    """Parts by one covariate: thirds of numbers with more than three values, else its levels.

    Parameters
    ----------
    values : Series of str
        As ``acquire/covariates`` keeps them.
    """
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().all() and numbers.nunique() > PARTS:
        thirds = numbers.quantile([i / PARTS for i in range(1, PARTS)])
        if (numbers % 1 == 0).all():
            thirds = np.ceil(thirds)
        # Of a number that nearly all have, or of the least, no part begins.
        cuts = sorted({cut for cut in thirds if cut > numbers.min()}) or [numbers[numbers > numbers.min()].min()]
        names = [f"under {cuts[0]:g}", *(f"{a:g} to under {b:g}" for a, b in zip(cuts, cuts[1:], strict=False))]
        names.append(f"{cuts[-1]:g} and more")
        parts = pd.Categorical.from_codes(np.digitize(numbers, cuts), names, ordered=True)
        return pd.Series(parts, values.index)
    if len(values) and values.map(lambda value: SUBSTAGE.fullmatch(value.strip()) is not None).all():
        stage = values.str.strip().str.upper().str.replace(r"^STAGE\s+|[ABC]$", "", regex=True)
        return "Stage " + stage
    return values
