"""An experiment as the report reads it: what its files hold."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from confuselt.learn.checkpoint import load_checkpoint
from confuselt.report.cohort_page import left
from confuselt.report.provenance import provenance
from confuselt.report.sources import Sources

TABLES = (
    "predictions",
    "metrics",
    "comparisons",
    "retrieval",
    "curves",
    "strata",
    "folds",
    "outcomes",
    "covariates",
    "patients",
    "downloads",
)


@dataclass(frozen=True)
class Run:
    """What the sections are made of.

    Attributes
    ----------
    sources : Sources
    cfg : dict
        Settings of ``write_report``.
    """

    sources: Sources
    cfg: dict

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """`TABLES` by name; of patients, what every stage could use of them."""
        tables = {name: pd.read_parquet(getattr(self.sources, name)) for name in TABLES}
        with h5py.File(self.sources.store) as file:
            owners = list(file["patient_id"].asstr()[()])
        tables["patients"] = left(tables["patients"], owners, self.rna_index)
        return tables

    @cached_property
    def rna_index(self) -> pd.DataFrame:
        """``rna/index``."""
        return pd.read_parquet(self.sources.rna_index)

    @cached_property
    def models(self) -> dict[str, dict]:
        """Checkpoints of the arms that could be trained, first repeat, by name."""
        return {m["arm"]: m for m in map(load_checkpoint, self.sources.arm_models) if m["status"] == "ok"}

    @cached_property
    def bags(self) -> dict[str, dict]:
        """See `bag_sizes`."""
        return bag_sizes(self.sources.store, self.cfg)

    @cached_property
    def provenance(self) -> list[dict]:
        """See `confuselt.report.provenance`."""
        return provenance(self.sources, list(self.models.values()))

    @property
    def endpoints(self) -> list[str]:
        """Names of the survival tasks."""
        return [task["name"] for task in self.cfg["tasks.survival"]]

    @property
    def labels(self) -> list[str]:
        """Names of the labels."""
        return [task["name"] for task in self.cfg["tasks.labels"]]

    @property
    def primary(self) -> str | None:
        """The primary endpoint; a cohort may have labels and no endpoint."""
        return self.cfg["evaluate.primary"] if self.cfg["evaluate.primary"] in self.endpoints else None

    @property
    def headline(self) -> list[tuple[str, str]]:
        """Each task with the metric that an overview shows."""
        return [(name, "harrell_c") for name in self.endpoints] + [(name, "auc_macro") for name in self.labels]

    @property
    def first_tasks(self) -> list[str]:
        """The task that decides, and the first label."""
        known = [*self.endpoints, *self.labels]
        return [task for task in dict.fromkeys([self.cfg["evaluate.primary"], *self.labels[:1]]) if task in known]

    def with_cells(self, arm: str) -> str:
        """Name of an arm with cells, or without where there is only that."""
        return next((name for name in (f"{arm}-cells", f"{arm}-nocells") if name in self.models), arm)


def bag_sizes(store: Path, cfg: dict) -> dict[str, dict]:
    """Per stream: slides, rows of the largest bag, width, name, cohorts that its model saw.

    What a model is known to have seen stands in the store; ``embed.trained_on`` and ``cells.trained_on`` add to it.
    """
    found = {}
    with h5py.File(store) as file:
        for stream in ("tile", "cells"):
            rows = np.diff(file[stream]["offsets"][()])
            attrs = file[stream].attrs
            stated = cfg["embed.trained_on" if stream == "tile" else "cells.trained_on"]
            found[stream] = {
                "slides": int((rows > 0).sum()),
                "largest": int(rows.max()) if len(rows) else 0,
                "width": int(file[stream]["features"].shape[1]),
                "name": str(attrs.get("name", "")),
                "trained_on": list(dict.fromkeys([*json.loads(attrs.get("trained_on", "[]")), *stated])),
            }
    return found
