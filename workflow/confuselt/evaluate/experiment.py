"""One experiment (or one control of it) as `evaluate` sees it: predictions, folds, outcomes, what was not available."""

from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.evaluate.names import BASELINES
from confuselt.evaluate.retrieval import Gallery
from confuselt.evaluate.schema import CURVES, PREDICTIONS
from confuselt.evaluate.scores import Bootstrap
from confuselt.finetune.targets import read_targets
from confuselt.model.checkpoint import load_checkpoint
from confuselt.model.encoders import StreamScaler
from confuselt.pack.bags import Bags
from confuselt.pretrain.retrieval import embed_patients, embed_profiles
from confuselt.pretrain.train import load_encoders
from confuselt.rna.profiles import read_profiles
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.tables import empty_table, read_table


class Experiment:
    """Predictions of a run beside its own folds and outcomes.

    Parameters
    ----------
    predictions, models : list of Path
        Outputs of `finetune`, in the same order.
    folds, clinical : Path
    cfg : dict
        ``evaluate.draws``, ``seed``, ``tasks.*``.
    control : str, optional
        ``<control>-<draw>``: the arm is then named after the control.

    Attributes
    ----------
    predictions : DataFrame
    targets : Targets
    roles : dict
        (repeat, fold) to role to patients.
    train : dict
        (repeat, fold) to training and inner patients.
    inner : dict of str to dict of str to float
        Mean inner loss per arm and task.
    reasons : dict of (str, int) to str
        (arm, draw) that is not available.
    """

    def __init__(self, predictions: list[Path], models: list[Path], folds: Path, clinical: Path, cfg: dict, control: str | None = None) -> None:
        name, _, draw = control.rpartition("-") if control else (None, None, "0")
        tables = [read_table(p, PREDICTIONS) for p in predictions]
        filled = [t for t in tables if len(t)]
        self.predictions = pd.concat(filled, ignore_index=True) if filled else empty_table(PREDICTIONS)
        self.targets = read_targets(pd.read_parquet(clinical), cfg)
        table = read_table(folds, FOLDS)
        self.roles = {key: read_roles(table, *key) for key in sorted(set(zip(table["repeat"], table["fold"], strict=True)))}
        self.train = {key: [*r["train"], *r["inner"]] for key, r in self.roles.items()}
        self.bootstrap = Bootstrap(cfg["evaluate.draws"], cfg["seed"])
        for (repeat, fold), roles in self.roles.items():
            self.bootstrap.add_fold(repeat, fold, roles["test"])
        self.inner, self.reasons = {}, {}
        for path in models:
            content = load_checkpoint(path)
            arm = name or content["arm"]
            if content["status"] != "ok":
                self.reasons[arm, int(draw)] = content["reason"]
            elif content["arm"] not in BASELINES:
                losses = pd.DataFrame([f["inner"] for f in content["folds"]])
                self.inner[arm] = losses.mean().to_dict()
        if name:
            self.predictions = self.predictions.assign(arm=name, draw=int(draw))
        self.arms = sorted(set(zip(self.predictions["arm"], self.predictions["draw"], strict=True)))


def galleries(store: Path, rna: list[Path], checkpoints: list[Path], models: list[Path], ours: Experiment) -> tuple[list[Gallery], dict[tuple[str, int], str]]:
    """Embeddings of the test pairs under every pretrained model and under CCA, and what was not available."""
    by_fold = {p.stem: p for p in rna}
    found, lost = [], {}
    for path in checkpoints:
        control = path.parents[2].name if "controls" in path.parts else None
        model, draw = (control.rpartition("-")[0], int(control.rpartition("-")[2])) if control else (path.parent.name, 0)
        content = load_checkpoint(path)
        if content["status"] != "ok":
            lost[model, draw] = content["reason"]
            continue
        repeat, fold = (int(v) for v in path.stem[1:].split("f"))
        bags = Bags(store, "tile-cells" if "cells" in content["streams"] else "tile")
        bags.scale(StreamScaler.from_state(content["scaler"]))
        profiles = read_profiles(by_fold[path.stem]).of
        slides = {p: s for p, s in bags.of_patients(ours.roles[repeat, fold]["test"]).items() if p in profiles}
        if len(slides) < 2:
            lost[model, draw] = f"{len(slides)} test patients of fold {fold} have both a slide and RNA"
            continue
        encoders = load_encoders(content)
        found.append(
            Gallery(
                model,
                draw,
                repeat,
                fold,
                list(slides),
                embed_patients(encoders, bags, slides),
                embed_profiles(encoders, np.stack([profiles[p] for p in slides])),
            )
        )
    for path in models:
        content = load_checkpoint(path)
        if content["arm"] != "cca":
            continue
        if content["status"] != "ok":
            lost["cca", 0] = content["reason"]
        for fold, facts in enumerate(content["folds"]):
            found.append(Gallery("cca", 0, int(path.stem[1:]), fold, facts["patients"], facts["wsi"].numpy(), facts["rna"].numpy()))
    return found, lost


def history_curves(histories: list[Path]) -> pd.DataFrame:
    """Pretraining losses and inner recall by epoch, as curves."""
    rows = []
    for path in histories:
        repeat, fold = (int(v) for v in path.stem[1:].split("f"))
        table = pd.read_parquet(path).melt("epoch", ["loss", "inner_loss", "inner_recall"], "metric", "value")
        rows.append(table.rename(columns={"epoch": "x"}).assign(curve="pretraining", arm=path.parent.name, draw=0, repeat=repeat, fold=fold))
    filled = [r for r in rows if len(r)]
    return pd.concat(filled, ignore_index=True).reindex(columns=list(CURVES.columns)) if filled else empty_table(CURVES)
