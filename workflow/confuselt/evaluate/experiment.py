"""One experiment (or one control of it) as `evaluate` sees it: predictions, folds, outcomes, what was not available."""

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.evaluate.resample import Resampling
from confuselt.evaluate.retrieval import Gallery
from confuselt.evaluate.schema import PREDICTIONS
from confuselt.evaluate.scores import Scorer
from confuselt.finetune.schema import CURVES
from confuselt.finetune.targets import read_targets
from confuselt.learn.checkpoint import load_checkpoint
from confuselt.pretrain.pairs import embed_pairs
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.tables import empty_table, read_table


class Experiment:
    """Predictions of a run beside its own folds and outcomes.

    Parameters
    ----------
    predictions, models : list of Path
        Outputs of `finetune`, in the same order.
    folds, outcomes : Path
    cfg : dict
        ``evaluate.draws``, ``seed``, ``tasks.*``.
    control : str, optional
        ``<control>-<draw>``: the arm is then named after the control.

    Attributes
    ----------
    predictions : DataFrame
    scorer : Scorer
    targets : Targets
    roles : dict
        (repeat, fold) to role to patients.
    site : dict of str to str
        Site of each patient that has one.
    train : dict
        (repeat, fold) to training and inner patients.
    inner : dict of str to dict of (int, int) to dict
        Arm to its predictions of the inner patients per (repeat, fold).
    reasons : dict of (str, int) to str
        (arm, draw) that is not available.
    not_learnable : list of dict
        ``arm, draw, task, repeat, fold, reason`` of what the training patients of a fold could not teach.
    """

    def __init__(
        self,
        predictions: list[Path],
        models: list[Path],
        folds: Path,
        outcomes: Path,
        cfg: dict,
        control: str | None = None,
    ) -> None:
        name, _, draw = control.rpartition("-") if control else (None, None, "0")
        tables = [read_table(p, PREDICTIONS) for p in predictions]
        filled = [t for t in tables if len(t)]
        self.predictions = pd.concat(filled, ignore_index=True) if filled else empty_table(PREDICTIONS)
        self.targets = read_targets(pd.read_parquet(outcomes), cfg)
        self._files = (folds, outcomes)
        table = read_table(folds, FOLDS)
        self.roles = {
            key: read_roles(table, *key) for key in sorted(set(zip(table["repeat"], table["fold"], strict=True)))
        }
        self.train = {key: [*r["train"], *r["inner"]] for key, r in self.roles.items()}
        known = table[["patient_id", "site"]].dropna().drop_duplicates("patient_id")
        self.site = dict(zip(known["patient_id"], known["site"], strict=True))
        self.inner, self.reasons, self.not_learnable = {}, {}, []
        for path in models:
            content, repeat = load_checkpoint(path), int(path.stem[1:])
            arm = name or content["arm"]
            if content["status"] != "ok":
                self.reasons[arm, int(draw)] = content["reason"]
            for fold, facts in enumerate(content["folds"]):
                if "inner_predictions" in facts:
                    self.inner.setdefault(arm, {})[repeat, fold] = facts["inner_predictions"]
                lost = facts.get("not_learnable", {})
                self.not_learnable += [
                    {"arm": arm, "draw": int(draw), "task": t, "repeat": repeat, "fold": fold, "reason": r}
                    for t, r in lost.items()
                ]
        if name:
            self.predictions = self.predictions.assign(arm=name, draw=int(draw))
        self.resampling = Resampling(_bootstrap_folds(self.roles), self.site, cfg["evaluate.draws"], cfg["seed"])

    @cached_property
    def scorer(self) -> Scorer:
        """Blocks of every arm, made when they are first asked for."""
        return Scorer(self.predictions, self.targets, self.resampling)

    def shares(self, other: "Experiment") -> bool:
        """Whether both have the same folds and outcomes."""
        return self._files == other._files

    def join(self, control: "Experiment") -> None:
        """Take in the predictions of a control, so that it can be compared with the arms.

        It shares folds and outcomes.
        """
        self.predictions = pd.concat([self.predictions, control.predictions], ignore_index=True)


def _bootstrap_folds(roles: dict[tuple[int, int], dict[str, list[str]]]) -> list[list[str]]:
    """Test folds of the first repeat; patients that only a later repeat tests (folds from a file) are one more."""
    first = [r["test"] for (repeat, _), r in roles.items() if repeat == min(roles)[0]]
    known = {p for f in first for p in f}
    return [*first, sorted({p for r in roles.values() for p in r["test"]} - known)]


def model_of(path: Path) -> tuple[str, int]:
    """Name and draw of the model that a file of `pretrain` belongs to.

    The name is its stream set, or the control that it is a draw of.
    """
    run = path.parents[2]
    if run.parent.name != "controls":
        return path.parent.name, 0
    control, _, draw = run.name.rpartition("-")
    return control, int(draw)


def galleries(
    store: Path, rna: list[Path], checkpoints: list[Path], models: list[Path], ours: Experiment
) -> tuple[list[Gallery], list[dict]]:
    """Embeddings of the test pairs under every pretrained model and under CCA, and which of them were not available."""
    by_fold = {p.stem: p for p in rna}
    found, lost = [], []
    for path in checkpoints:
        model, draw = model_of(path)
        repeat, fold = (int(v) for v in path.stem[1:].split("f"))
        content = load_checkpoint(path)
        key = {"model": model, "draw": draw, "repeat": repeat, "fold": fold}
        if content["status"] != "ok":
            lost.append({**key, "reason": content["reason"]})
            continue
        patients, wsi, genes = embed_pairs(content, store, by_fold[path.stem], ours.roles[repeat, fold]["test"])
        if len(patients) < 2:
            lost.append({**key, "reason": _few(patients)})
            continue
        if not (np.isfinite(wsi).all() and np.isfinite(genes).all()):
            lost.append({**key, "reason": "the embedding of a test patient is NaN or infinite"})
            continue
        found.append(Gallery(model, draw, repeat, fold, patients, wsi, genes))
    for path in models:
        content, repeat = load_checkpoint(path), int(path.stem[1:])
        if content["arm"] != "cca":
            continue
        if content["status"] != "ok":
            lost.append({"model": "cca", "draw": 0, "repeat": repeat, "fold": -1, "reason": content["reason"]})
        for fold, facts in enumerate(content["folds"]):
            if len(facts["patients"]) < 2:
                lost.append(
                    {"model": "cca", "draw": 0, "repeat": repeat, "fold": fold, "reason": _few(facts["patients"])}
                )
                continue
            found.append(Gallery("cca", 0, repeat, fold, facts["patients"], facts["wsi"].numpy(), facts["rna"].numpy()))
    return found, lost


def _few(patients: list[str]) -> str:
    return f"{len(patients)} test patients of the fold have both a slide and RNA"


def history_curves(histories: list[Path]) -> pd.DataFrame:
    """Pretraining losses and inner recall by epoch, as curves."""
    rows = []
    for path in histories:
        (model, draw), (repeat, fold) = model_of(path), (int(v) for v in path.stem[1:].split("f"))
        table = pd.read_parquet(path).melt("epoch", ["loss", "inner_loss", "inner_recall"], "metric", "value")
        table = table.dropna(subset=["value"])  # the inner part is looked at now and then
        rows.append(
            table.rename(columns={"epoch": "x"}).assign(
                curve="pretraining", arm=model, draw=draw, repeat=repeat, fold=fold
            )
        )
    filled = [r for r in rows if len(r)]
    return pd.concat(filled, ignore_index=True).reindex(columns=list(CURVES.columns)) if filled else empty_table(CURVES)
