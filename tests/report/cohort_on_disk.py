"""A small cohort as the files that the report reads: with or without endpoints, labels, sites, slides of its own."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from confuselt.acquire.schema import COVARIATES, OUTCOMES, PATIENTS
from confuselt.config.root import Config
from confuselt.evaluate.plan import write_plan
from confuselt.evaluate.schema import COMPARISONS, METRICS, PREDICTIONS, RETRIEVAL, STRATA
from confuselt.finetune.schema import CURVES
from confuselt.report.run import TABLES, Run
from confuselt.report.sources import Sources
from confuselt.settings import settings
from confuselt.split.schema import FOLDS
from confuselt.tables import write_table

ROOT = Path(__file__).resolve().parents[2]
FOLDS_OF, REPEATS, PEOPLE = 3, 2, 60
SURVIVAL = [{"name": "os", "horizons": [365]}, {"name": "pfi", "competing": "os"}]
LABELS = [{"name": "pam50", "classes": ["Basal", "LumA"], "from_rna": True}]


@dataclass(frozen=True)
class Cohort:
    """What a cohort is like.

    Attributes
    ----------
    survival, labels : tuple of dict
        Tasks.
    sites : int
        0: none is known.
    torn : bool
        Whether sites are tested in several folds.
    cut : bool
        Whether slides were cut into tiles here.
    rna : bool
        Whether anybody has RNA.
    config : tuple of (str, dict)
        Other keys of the config, by block.
    """

    survival: tuple = tuple(SURVIVAL)
    labels: tuple = tuple(LABELS)
    sites: int = 6
    torn: bool = False
    cut: bool = False
    rna: bool = True
    config: tuple = ()

    @property
    def read(self) -> Config:
        """Its config."""
        names = [task["name"] for task in (*self.survival, *self.labels)]
        raw = {"tasks": {"survival": list(self.survival), "labels": list(self.labels)}, "cohort": "small"}
        raw |= {"evaluate": {"primary": names[0], "min_events": 20}, "seed": 23}
        raw |= {"split": {"folds": FOLDS_OF, "repeats": REPEATS}, "acquire": {"source": "local"}}
        for block, keys in self.config:
            raw[block] = {**raw.get(block, {}), **keys}
        return Config.model_validate(raw)


def run_of(folder: Path, cohort: Cohort) -> Run:
    """A run of a cohort, its files in a folder; no arm could be trained."""
    config, rng = cohort.read, np.random.default_rng(0)
    ids = [f"P{i:02d}" for i in range(PEOPLE)]
    site = [f"S{i % cohort.sites}" if cohort.sites else None for i in range(PEOPLE)]
    outcomes = pd.DataFrame({"patient_id": ids, "status": "ok", "reason": None, "site": site})
    for task in cohort.survival:
        outcomes[f"{task['name']}_days"] = rng.integers(100, 3000, PEOPLE).astype(float)
        outcomes[f"{task['name']}_event"] = (np.arange(PEOPLE) % 2).astype(float)
    if cohort.survival:
        outcomes.loc[:3, ["os_days", "os_event"]] = np.nan
    for task in cohort.labels:
        outcomes[f"label_{task['name']}"] = [task["classes"][int(i % 4 == 0)] for i in range(PEOPLE)]
    patients = outcomes[["patient_id", "status", "reason", "site"]].assign(slides=1, rna=1)
    patients.loc[PEOPLE - 1, ["status", "reason"]] = ["excluded", "no slide and no RNA"]
    names = [task["name"] for task in (*cohort.survival, *cohort.labels)]
    patients = patients.assign(**{f"has_{name}": True for name in names})
    ages = [str(40 + i) if i else None for i in range(PEOPLE)]
    covariates = pd.DataFrame({"patient_id": ids, "reason": None, "covariate_age": ages})
    write_table(outcomes, folder / "outcomes.parquet", OUTCOMES, {"codings": {}, "agreement": {}})
    write_table(patients, folder / "patients.parquet", PATIENTS)
    write_table(covariates, folder / "covariates.parquet", COVARIATES)
    write_table(_folds(ids[:-1], site[:-1], cohort), folder / "folds.parquet", FOLDS)
    known = ids[5:] if cohort.rna else []
    samples = pd.DataFrame({"sample_id": known, "patient_id": known, "status": "ok"})
    samples.to_parquet(folder / "rna_index.parquet")
    _write_scores(folder, names, {task["name"] for task in cohort.survival})
    write_plan(settings(ROOT / "workflow/scripts/evaluate/register_plan.py", config), folder / "plan.json")
    _write_store(folder / "store.h5", ids[:-3])
    unread = {name: folder / name for name in ("rna", "downloads", "slides", "tile_index", "cells_index", "benchmarks")}
    pd.DataFrame().to_parquet(folder / "downloads")
    kept = [*(name for name in TABLES if name != "downloads"), "rna_index"]
    sources = Sources(
        **{name: folder / f"{name}.parquet" for name in kept},
        **unread,
        plan=folder / "plan.json",
        store=folder / "store.h5",
        arm_models=[],
        reduced=[],
        others=[],
        grids=folder / "grids" if cohort.cut else None,
    )
    return Run(sources, settings(ROOT / "workflow/scripts/evaluate/write_report.py", config))


def _folds(ids: list[str], site: list[str | None], cohort: Cohort) -> pd.DataFrame:
    """Test folds by site, or by patient where sites are torn; the next fold's patients are the inner part."""
    own = np.arange(len(ids))
    if cohort.sites:
        own = own // cohort.sites if cohort.torn else own % cohort.sites
    rows = []
    for repeat in range(REPEATS):
        for fold in range(FOLDS_OF):
            away = (own // (1 + repeat) - fold) % FOLDS_OF
            role = np.array(["test", "inner", "train"])[away]
            rows.append({"repeat": repeat, "fold": fold, "patient_id": ids, "site": site, "role": role})
    return pd.concat([pd.DataFrame(row) for row in rows], ignore_index=True)


def _write_scores(folder: Path, names: list[str], endpoints: set[str]) -> None:
    """Metrics of one arm for each task; no comparison, nothing retrieved."""
    row = {"arm": "rna-scratch", "draw": 0, "inputs": "rna", "repeat": -1, "fold": -1, "status": "ok", "n": 59}
    metrics = [
        row | {"task": name, "metric": metric, "value": 0.61, "low": 0.5, "high": 0.7}
        for name in names
        for metric in (
            ("harrell_c", "observed_expected", "calibration_slope") if name in endpoints else ("auc_macro", "brier")
        )
    ]
    # What chance reaches on the test fold is no result.
    metrics += [
        r | {"arm": "leaky-chance", "value": 0.99} for r in metrics if r["metric"] in ("harrell_c", "auc_macro")
    ]
    for name, table, rows in (
        ("metrics", METRICS, metrics),
        ("comparisons", COMPARISONS, []),
        ("retrieval", RETRIEVAL, []),
        ("curves", CURVES, []),
        ("strata", STRATA, _parts(names, endpoints)),
        ("predictions", PREDICTIONS, []),
    ):
        types = {c: "object" if kind == "string" else "float64" for c, kind in table.columns.items()}
        frame = pd.DataFrame(rows, columns=list(table.columns)).astype(types)
        whole = {c: "Int64" for c, kind in table.columns.items() if kind == "int64"}
        frame.astype(whole).to_parquet(folder / f"{name}.parquet")


def _parts(names: list[str], endpoints: set[str]) -> list[dict]:
    """One arm within two parts by age."""
    row = {"stratum": "age", "arm": "rna-scratch", "inputs": "rna", "value": 0.6, "low": 0.5, "high": 0.7, "n": 30}
    return [
        row
        | {"task": name, "metric": "harrell_c" if name in endpoints else "auc_macro", "level": level, "status": "ok"}
        for name in names
        for level in ("under 60", "60 and more")
    ]


def _write_store(path: Path, owners: list[str]) -> None:
    """Two streams of one row a slide."""
    with h5py.File(path, "w") as file:
        file["patient_id"] = owners
        for stream, width in (("tile", 12), ("cells", 8)):
            file[f"{stream}/offsets"] = np.arange(len(owners) + 1)
            file[f"{stream}/features"] = np.zeros((len(owners), width), np.float16)
            file[stream].attrs["name"] = f"{stream} encoder"
