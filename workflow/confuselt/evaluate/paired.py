"""Two experiments side by side: values of both, and differences over the folds that test the same patients.

Nothing is trained and no outcome is read: a difference is taken fold by fold from ``evaluate/metrics``, and its
interval is the corrected resampled t.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from confuselt.controls.names import LEAKY
from confuselt.evaluate.intervals import corrected_t
from confuselt.evaluate.schema import METRICS, PREDICTIONS, RETRIEVAL
from confuselt.evaluate.scores import folds_per_repeat
from confuselt.stamp import config_hash
from confuselt.tables import read_table

RETRIEVED = "retrieval"  # stands as the task of recall
OF_SOME, NONE = ("horizon_days", "k"), -1.0  # parts of a key that some metrics alone have; those that have none
SPEARMAN, KAPPA = "Spearman's correlation", "Cohen's kappa"
LEAST = 3  # patients of which it is said how alike their predictions are
KEY = ["arm", "inputs", "task", "metric", "horizon_days", "k"]
NUMBERS = ["first", "first_low", "first_high", "second", "second_low", "second_high", "difference", "low", "high", "p"]
COLUMNS = [*KEY, *NUMBERS, "folds", "of", "n", "reason"]


@dataclass(frozen=True)
class Evaluated:
    """What `evaluate` said of one experiment.

    Attributes
    ----------
    name : str
    predictions, metrics, retrieval : DataFrame
        Its tables, without controls and without what was made for sensitivity.
    """

    name: str
    predictions: pd.DataFrame
    metrics: pd.DataFrame
    retrieval: pd.DataFrame

    @classmethod
    def read(cls, name: str, folder: Path) -> "Evaluated":
        """Of an experiment's folder ``evaluate``."""
        predictions = read_table(folder / "predictions.parquet", PREDICTIONS)
        metrics = read_table(folder / "metrics.parquet", METRICS)
        retrieval = read_table(folder / "retrieval.parquet", RETRIEVAL)
        return cls(
            name,
            predictions[(predictions["draw"] == 0) & (predictions["missing_rate"] == 0)],
            metrics[
                (metrics["draw"] == 0)
                & (metrics["arm"] != LEAKY)
                & metrics["metric"].notna()
                & ~(metrics["missing_rate"] > 0)
            ],
            retrieval[(retrieval["draw"] == 0) & (retrieval["stratum"] == "all")],
        )

    def values(self) -> pd.DataFrame:
        """Every value: `KEY`, ``repeat, fold`` (-1: over folds), ``value, low, high, n, events``."""
        found = self.retrieval.assign(
            arm=self.retrieval["model"],
            inputs=self.retrieval["direction"],
            task=RETRIEVED,
            metric="recall",
            value=self.retrieval["recall"],
        )
        rows = pd.concat([part for part in (self.metrics, found) if len(part)] or [self.metrics], ignore_index=True)
        rows = rows[rows["status"] == "ok"].assign(repeat=rows["repeat"].fillna(-1), fold=rows["fold"].fillna(-1))
        numbers = ["horizon_days", "k", "repeat", "fold", "value", "low", "high", "n", "events"]
        rows = rows.reindex(columns=[*KEY, "repeat", "fold", *numbers[4:]]).astype(dict.fromkeys(numbers, float))
        return rows.fillna(dict.fromkeys(OF_SOME, NONE))

    def tested(self) -> dict[tuple[str, str, str], dict[tuple[int, int], str]]:
        """Hash of the patients that a fold tests, by arm, inputs and task, then by repeat and fold."""
        place, found = ["arm", "inputs", "task", "repeat", "fold"], {}
        rows = self.predictions[[*place, "patient_id"]].drop_duplicates()
        for (*what, repeat, fold), people in rows.groupby(place)["patient_id"]:
            found.setdefault(tuple(what), {})[int(repeat), int(fold)] = config_hash(sorted(people))
        return found

    def together(self) -> dict[tuple[int, int], str]:
        """The same of the patients that any arm is tested on, by repeat and fold."""
        rows = self.predictions[["repeat", "fold", "patient_id"]].drop_duplicates()
        return {
            (int(repeat), int(fold)): config_hash(sorted(people))
            for (repeat, fold), people in rows.groupby(["repeat", "fold"])["patient_id"]
        }

    def classes(self) -> dict[tuple[str, str, str], set[str]]:
        """Classes that are predicted (of an endpoint none), by arm, inputs and task."""
        rows = self.predictions[["arm", "inputs", "task", "output"]].drop_duplicates()
        return {
            what: {output for output in outputs if output.startswith("p_")}
            for what, outputs in rows.groupby(["arm", "inputs", "task"])["output"]
        }

    @property
    def folds(self) -> int:
        """Folds of a repeat."""
        return folds_per_repeat(self.predictions[["repeat", "fold"]].drop_duplicates().to_dict("records"))


def paired(first: Evaluated, second: Evaluated) -> pd.DataFrame:
    """A row per arm, inputs, task and metric of either experiment.

    Returns
    -------
    DataFrame
        `COLUMNS`. ``difference`` (second minus first), ``low``, ``high`` and ``p`` are over ``folds`` of ``of`` folds:
        those that test the same patients in both, as many of them with an event; without such folds ``reason`` says
        why. ``n``: test patients of the first repeat of these folds.
    """
    sides = [dict(list(side.values().groupby(KEY))) for side in (first, second)]
    same, rows = _same_folds(first, second), []
    classes = [side.classes() for side in (first, second)]
    nothing = pd.DataFrame(columns=["repeat", "fold", "value", "low", "high", "n", "events"])
    for key in sorted({*sides[0], *sides[1]}):
        parts = [side.get(key, nothing) for side in sides]
        row = dict(zip(KEY, key, strict=True))
        for name, part in zip(("first", "second"), parts, strict=True):
            whole = part[part["fold"] == -1]
            if len(whole):
                numbers = whole.iloc[0]
                row |= {name: numbers["value"], f"{name}_low": numbers["low"], f"{name}_high": numbers["high"]}
        what = row["arm"], row["inputs"], row["task"]
        folds = same.get(RETRIEVED if row["task"] == RETRIEVED else what, set())
        if absent := [side.name for side, part in zip((first, second), parts, strict=True) if part.empty]:
            rows.append(row | {"folds": 0, "of": 0, "reason": f"not in {absent[0]}"})
        elif classes[0].get(what) != classes[1].get(what):
            rows.append(row | {"folds": 0, "of": 0, "reason": "the classes differ"})
        else:
            rows.append(row | _difference(*parts, folds, max(first.folds, second.folds)))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["reason"] = table["reason"].astype(object).where(table["reason"].notna(), None)
    return table.assign(**{name: table[name].where(table[name] != NONE) for name in OF_SOME})


def _same_folds(first: Evaluated, second: Evaluated) -> dict[object, set[tuple[int, int]]]:
    """Folds that test the same patients, by arm, inputs and task; of retrieval, those that do for all of these.

    Experiments without an arm in common are told apart by all patients of a fold.
    """
    ours, theirs = first.tested(), second.tested()
    same = {
        what: {fold for fold, patients in ours[what].items() if theirs[what].get(fold) == patients}
        for what in ours
        if what in theirs
    }
    if same:
        return {**same, RETRIEVED: set.intersection(*same.values())}
    return {RETRIEVED: {fold for fold, _ in first.together().items() & second.together().items()}}


def _difference(first: pd.DataFrame, second: pd.DataFrame, same: set[tuple[int, int]], per_repeat: int) -> dict:
    """Numbers of a row: mean over the folds that test the same patients, with the corrected t of that many a repeat."""
    by_fold = [part[part["fold"] >= 0].set_index(["repeat", "fold"]) for part in (first, second)]
    if any(part.empty for part in by_fold):
        return {"folds": 0, "of": 0, "reason": "has no value by fold"}
    facts = {"folds": 0, "of": max(map(len, by_fold))}
    common = by_fold[0].index.intersection(by_fold[1].index)
    a, b = (part.loc[common] for part in by_fold)
    alike = (a["n"] == b["n"]) & (a["events"].fillna(0) == b["events"].fillna(0))
    kept = [fold for fold in common if fold in same and alike[fold]]
    if not kept:
        return facts | {"reason": "no fold tests the same patients with as many events"}
    gaps = (b["value"] - a["value"])[kept].dropna()
    if gaps.empty:
        return facts | {"reason": "no fold has a value in both"}
    # Of repeats that have different folds in common each counts alike.
    value = float(gaps.groupby(level=0).mean().mean())
    wide = corrected_t(value, gaps.to_numpy(), per_repeat)
    told = {"low": wide.low, "high": wide.high, "p": wide.p} if wide else {"reason": "one fold gives no interval"}
    n = a["n"].loc[[fold for fold in gaps.index if fold[0] == gaps.index[0][0]]].sum()
    return facts | {"folds": len(gaps), "difference": value, "n": n} | told


def agreement(first: Evaluated, second: Evaluated) -> pd.DataFrame:
    """How alike the out-of-fold predictions of patients are that both experiments test.

    Returns
    -------
    DataFrame
        ``arm, inputs, task, measure, value, n, reason``: Spearman's correlation of risks, Cohen's kappa of most
        probable classes, or why there is none; means over repeats are what is compared.
    """
    rows, sides = [], [_mean_predictions(side.predictions) for side in (first, second)]
    for key in sorted(set(sides[0]) & set(sides[1])):
        people = sides[0][key].index.intersection(sides[1][key].index)
        told = {"n": len(people)} | _alike(*(side[key].loc[people] for side in sides))
        rows.append(dict(zip(("arm", "inputs", "task"), key, strict=True)) | told)
    return pd.DataFrame(rows, columns=["arm", "inputs", "task", "measure", "value", "n", "reason"])


def _alike(first: pd.DataFrame, second: pd.DataFrame) -> dict:
    """Measure and value for the same patients, or a reason."""
    risks = ["risk" in side for side in (first, second)]
    if len(first) < LEAST:
        return {"reason": f"fewer than {LEAST} patients are tested by both"}
    if first.empty or second.empty:
        return {"reason": "predictions of some patients are missing"}
    if all(risks):
        if min(first["risk"].nunique(), second["risk"].nunique()) == 1:
            return {"measure": SPEARMAN, "reason": "cannot be said: the same risk for everybody"}
        return {"measure": SPEARMAN, "value": float(spearmanr(first["risk"], second["risk"])[0])}
    if any(risks):
        return {"reason": "one predicts risks, the other classes"}
    called = [side.idxmax(axis=1) for side in (first, second)]
    if pd.concat(called).nunique() == 1:
        return {"measure": KAPPA, "reason": "cannot be said: the same class for everybody"}
    return {"measure": KAPPA, "value": float(cohen_kappa_score(*called))}


def _mean_predictions(predictions: pd.DataFrame) -> dict[tuple[str, str, str], pd.DataFrame]:
    """Patients x outputs, mean over repeats, by arm, inputs and task."""
    wanted = predictions[(predictions["output"] == "risk") | predictions["output"].str.startswith("p_")]
    # Risks have no unit: within a fold their ranks are what a C-index sees.
    fold = ["arm", "inputs", "task", "repeat", "fold", "output"]
    ranked = wanted.groupby(fold)["value"].rank(pct=True).where(wanted["output"] == "risk", wanted["value"])
    mean = wanted.assign(value=ranked).groupby(["arm", "inputs", "task", "patient_id", "output"])["value"].mean()
    wide = mean.unstack("output")
    return {key: part.droplevel([0, 1, 2]).dropna(axis=1) for key, part in wide.groupby(level=[0, 1, 2])}
