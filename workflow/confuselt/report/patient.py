"""A page for one patient: what every stage made of them, predictions, slides in layers, whom they resemble."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from confuselt.acquire.units import DAYS_PER
from confuselt.evaluate.attention import attention, parts
from confuselt.learn.checkpoint import load_checkpoint
from confuselt.report.known import check_known
from confuselt.report.layers import Layered, layered
from confuselt.report.neighbours import nearest
from confuselt.report.page import rendered
from confuselt.report.patient_figures import classes_figure, survival_figure
from confuselt.report.section import Content, Section, pictures

SLIDE_ARMS = tuple(
    f"{modality}-{start}-{streams}"
    for modality in ("wsi", "both")
    for start in ("pretrained", "scratch")
    for streams in ("cells", "nocells")
)


@dataclass(frozen=True)
class PatientSources:
    """Files that the page is made of; of models and RNA the first repeat."""

    predictions: Path
    folds: Path
    outcomes: Path
    patients: Path
    slides: Path
    tile_index: Path
    cells_index: Path
    rna_index: Path
    store: Path
    arm_models: list[Path]
    checkpoints: list[Path]
    profiles: list[Path]
    grids: Path | None = None


@dataclass(frozen=True)
class Patient:
    """One patient of an experiment.

    Attributes
    ----------
    id : str
    sources : PatientSources
    cfg : dict
        Settings of ``write_patient``.
    """

    id: str
    sources: PatientSources
    cfg: dict

    @cached_property
    def row(self) -> pd.Series:
        """Of ``acquire/patients``; ValueError names ids alike where there is none."""
        check_known(self.sources.patients, self.id)
        return pd.read_parquet(self.sources.patients).set_index("patient_id").loc[self.id]

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """``acquire/outcomes`` by patient."""
        return pd.read_parquet(self.sources.outcomes).set_index("patient_id")

    @property
    def outcome(self) -> pd.Series:
        """Of ``acquire/outcomes``; nothing is known of one without a clinical row."""
        return self.outcomes.reindex([self.id]).iloc[0]

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """All out-of-fold predictions of no control."""
        table = pd.read_parquet(self.sources.predictions)
        return table[table["draw"] == 0]

    @cached_property
    def folds(self) -> pd.DataFrame:
        """``split/folds`` of the first repeat."""
        table = pd.read_parquet(self.sources.folds)
        return table[table["repeat"] == 0]

    @property
    def fold(self) -> int | None:
        """Of the first repeat, the one in which they are tested; None where they are in none."""
        own = self.folds[(self.folds["patient_id"] == self.id) & (self.folds["role"] == "test")]
        return int(own["fold"].iloc[0]) if len(own) else None


def _who(patient: Patient) -> Content:
    row, sources, cfg = patient.row, patient.sources, patient.cfg
    slides = _of(sources.slides, patient.id)
    tiles, cells = (
        _of(path, patient.id).set_index("slide_id").reindex(slides["slide_id"])
        for path in (sources.tile_index, sources.cells_index)
    )
    listed = [
        {
            "slide": slide,
            "tiles": tiles.loc[slide, "n"],
            "cells": cells.loc[slide, "n"],
            "reason": "; ".join(r for r in (tiles.loc[slide, "reason"], cells.loc[slide, "reason"]) if pd.notna(r)),
        }
        for slide in slides["slide_id"]
    ]
    outcomes = []
    for task in cfg["tasks.survival"]:
        days, event = (patient.outcome[f"{task['name']}_{column}"] for column in ("days", "event"))
        known = f"{'event' if event == 1 else 'no event'} after {days / DAYS_PER['years']:.2f} years"
        outcomes.append({"task": task["name"], "said": "not known" if pd.isna(days) else known})
    for task in cfg["tasks.labels"]:
        label = patient.outcome[f"label_{task['name']}"]
        outcomes.append({"task": task["name"], "said": "not known" if pd.isna(label) else label})
    site = row["site"] if pd.notna(row["site"]) else "not known"
    has = f"{len(slides)} slide(s), {'RNA' if row['rna'] else 'no RNA'}, site {site}"
    if row["status"] != "ok":
        result = f"Left out: {row['reason']}."
    elif patient.fold is None:
        result = f"{has}; in no test fold."
    else:
        result = f"{has}; tested in fold {patient.fold} of the first repeat."
    return Content(result, {"slides": listed, "rna": _rna(patient), "outcomes": outcomes}, {})


def _of(path: Path, patient: str) -> pd.DataFrame:
    table = pd.read_parquet(path)
    return table[table["patient_id"] == patient]


def _rna(patient: Patient) -> list[dict]:
    """Each sample, its depth, and which share of all samples is less deep."""
    index = pd.read_parquet(patient.sources.rna_index)
    column = "total" if patient.cfg["rna.matrix"] == "counts" else "median"
    depths = index.loc[index["status"] == "ok", column].to_numpy(float)
    found = []
    for row in index[index["patient_id"] == patient.id].to_dict("records"):
        below = float((depths < row[column]).mean()) if len(depths) and pd.notna(row[column]) else None
        reason = row["reason"] if pd.notna(row["reason"]) else ""
        depth = "–" if pd.isna(row[column]) else f"{row[column]:,.0f}" if column == "total" else f"{row[column]:.2f}"
        found.append({"sample": row["sample_id"], "depth": depth, "below": below, "reason": reason})
    return found


def _predicted(patient: Patient) -> Content:
    own = patient.predictions[patient.predictions["patient_id"] == patient.id]
    rows = list(_ranks(patient.predictions, own, patient.cfg))
    primary = patient.cfg["evaluate.primary"]
    best = next((r for r in rows if r["task"] == primary and r["inputs"] == "both"), rows[0] if rows else None)
    result = (
        f"{best['arm']} with {best['inputs']} puts the risk of {best['task']} above that of {best['rank']:.0%} of the "
        "other test patients."
        if best
        else (_called(own, patient.cfg) if len(own) else "No model was tested on this patient.")
    )
    survival = survival_figure(own, patient.outcome, primary)
    classes = classes_figure(own, [task["name"] for task in patient.cfg["tasks.labels"]])
    return Content(
        result,
        {"rows": rows},
        pictures(
            survival=(survival, f"Predicted probability to be without the event of {primary}, by arm", own),
            classes=(classes, "Predicted class probabilities by arm"),
        ),
    )


def _called(own: pd.DataFrame, cfg: dict) -> str:
    """The most probable class of the first label, where no risk has a rank.

    By what has both inputs, if anything has, and a pretrained arm before others.
    """
    task = next((t["name"] for t in cfg["tasks.labels"] if (own["task"] == t["name"]).any()), None)
    if task is None:
        return "Nobody else was tested in the same fold, so that the risk of this patient has no rank."
    shares = own[own["task"] == task].groupby(["inputs", "arm", "output"])["value"].mean()
    inputs, arm = min(
        (key[:2] for key in shares.index), key=lambda key: (key[0] != "both", "pretrained" not in key[1], key)
    )
    output = shares[inputs, arm].idxmax()
    name, share = output.removeprefix("p_"), shares[inputs, arm][output]
    return f"{arm} with {inputs} takes {name} for the most probable {task} ({share:.0%})."


def _ranks(all_rows: pd.DataFrame, own: pd.DataFrame, cfg: dict) -> Iterator[dict]:
    """Per arm, inputs and endpoint: share of the fold's other test patients at lower risk, mean over repeats."""
    risks, mine = all_rows[all_rows["output"] == "risk"], own[own["output"] == "risk"]
    keys = ["arm", "inputs", "task", "repeat", "fold"]
    together = mine.merge(risks, on=keys, suffixes=("", "_other"))
    together = together[together["patient_id"] != together["patient_id_other"]]
    lower = (together["value_other"] < together["value"]).groupby([together[k] for k in ("task", "arm", "inputs")])
    order = [task["name"] for task in cfg["tasks.survival"]]
    ranks = lower.mean()
    for task, arm, inputs in sorted(ranks.index, key=lambda name: (order.index(name[0]), name[1:])):
        yield {"task": task, "arm": arm, "inputs": inputs, "rank": float(ranks[task, arm, inputs])}


def _slides(patient: Patient) -> Content:
    shown, arm, looked = _layers(patient)
    result = (
        f"{len(shown)} slide(s), with the attention of {arm}, which never saw this patient."
        if shown
        else ("No slide is shown: none was read here, or no arm that reads slides was trained.")
    )
    return Content(result, {"slides": shown, "looked_for": looked}, {})


def _layers(patient: Patient) -> tuple[list[Layered], str, str]:
    """Slides in layers, the arm, what its attention is for."""
    sources = patient.sources
    if sources.grids is None or patient.fold is None:
        return [], "", ""
    models = {m["arm"]: m for m in map(load_checkpoint, sources.arm_models) if m["status"] == "ok"}
    arm = next((name for name in SLIDE_ARMS if name in models), None)
    if arm is None:
        return [], "", ""
    part = next(iter(parts(models[arm], patient.fold)), None)
    if part is None:
        return [], "", ""
    found = attention(models[arm], patient.fold, sources.store, [patient.id], [part])[part]
    grids, cells = sources.grids.parent, sources.cells_index.parent
    drawn = {s: looked for s, looked in found.items() if (grids / f"{s}.png").is_file()}
    shown = [layered(slide, grids, looked, cells / f"{slide}.h5") for slide, looked in drawn.items()]
    return shown, arm, part


def _alike(patient: Patient) -> Content:
    rows: list[dict] = []
    if patient.fold is not None and patient.fold < len(patient.sources.checkpoints):
        test = patient.folds[(patient.folds["fold"] == patient.fold) & (patient.folds["role"] == "test")]["patient_id"]
        checkpoint = load_checkpoint(patient.sources.checkpoints[patient.fold])
        profiles = patient.sources.profiles[patient.fold]
        rows = nearest(checkpoint, patient.sources.store, profiles, patient.id, list(test))
    labels = [task["name"] for task in patient.cfg["tasks.labels"]]
    for row in rows:
        row["labels"] = [patient.outcomes.loc[row["patient"]].get(f"label_{label}") for label in labels]
    result = (
        f"Nearest in the joint space, of the test patients of the same fold: {rows[0]['patient']}."
        if rows
        else "Nothing to compare with: no pretrained model of this patient's fold sees them."
    )
    return Content(result, {"rows": rows, "labels": labels}, {})


HERE = Path(__file__).parent
SECTIONS = (
    Section("who", "Who it is", HERE / "patient_who.html.j2", _who),
    Section("predicted", "What is predicted", HERE / "patient_predicted.html.j2", _predicted),
    Section("slides", "Slides", HERE / "patient_slides.html.j2", _slides),
    Section("alike", "Whom they resemble", HERE / "patient_alike.html.j2", _alike),
)


def build_patient(patient: Patient) -> str:
    """HTML text."""
    title = f"patient {patient.id}, {patient.cfg['experiment']} on cohort {patient.cfg['cohort']}"
    html, _ = rendered(title, SECTIONS, patient, {"cfg": patient.cfg})
    return html
