"""A cheap but real chain, on the project's own cohorts, folds, scores, intervals and verdicts.

It consists of principal components or canonical correlation, ridge Cox and logistic regression. One cohort takes about
a second, so that a thousand can be drawn.

Arms bear the names of those that they stand for: scratch = principal components, pretrained = canonical components
between slides and RNA, fitted on the training pairs of the fold.
"""

import warnings

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression

from confuselt.evaluate.comparisons import compare, compare_retrieval
from confuselt.evaluate.resample import Resampling
from confuselt.evaluate.retrieval import Gallery, common_galleries, recall_block
from confuselt.evaluate.scores import Block, Scorer, folds_per_repeat, intervals_of
from confuselt.finetune.baselines import canonical, standardise
from confuselt.finetune.targets import read_targets
from confuselt.learn.checkpoint import hashed_ids
from confuselt.simulate.cohort import simulate_features
from confuselt.split.folds import make_folds
from confuselt.split.roles import read_roles

COMPONENTS, RIDGE, INVERSE = 10, 0.1, 0.05
RIDGES = {"tile-cells": 0.1, "tile": 0.1, "cca": 1.0}  # of the canonical correlation of each model of retrieval
# Pairs whose differences are covered or not: the planned contrasts, and two arms that share no feature.
PAIRS = (
    ("wsi-scratch-cells", "rna-scratch"),
    ("both-scratch-cells", "wsi-scratch-cells"),
    ("wsi-pretrained-cells", "wsi-scratch-cells"),
    ("wsi-pretrained-cells", "wsi-pretrained-nocells"),
)


def ridge_cox(rows: np.ndarray, days: np.ndarray, event: np.ndarray, ridge: float, steps: int = 20) -> np.ndarray:
    """Coefficients of a ridge Cox model, Breslow's ties, by Newton's method.

    The same as lifelines' ``penalizer``, some hundred times faster.

    Parameters
    ----------
    rows : (n, d) float64
    days, event : (n,) float64
    ridge : float
        Half of it times the squared coefficients is added to the negative mean log likelihood.
    steps : int
    """
    order = np.argsort(-days, kind="stable")
    x, d, died = rows[order], days[order], event[order] == 1
    last = (np.searchsorted(-d, -d, side="right") - 1)[died]
    beta, outer = np.zeros(x.shape[1]), x[:, :, None] * x[:, None, :]
    for _ in range(steps):
        weight = np.exp(np.clip(x @ beta, -30, 30))
        total = np.cumsum(weight)[last]
        first = np.cumsum(weight[:, None] * x, 0)[last] / total[:, None]
        second = np.cumsum(weight[:, None, None] * outer, 0)[last] / total[:, None, None]
        slope = (x[died] - first).sum(0) / len(x) - ridge * beta
        curve = (second - first[:, :, None] * first[:, None, :]).sum(0) / len(x) + ridge * np.eye(len(beta))
        step = np.linalg.solve(curve, slope)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return beta


def _components(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Whitened principal components, fitted on training patients."""
    _, s, vt = np.linalg.svd(rows["train"], full_matrices=False)
    project = vt[:COMPONENTS].T / s[:COMPONENTS] * np.sqrt(len(rows["train"]))
    return {role: r @ project for role, r in rows.items()}


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _arms(tile: dict, cells: dict, rna: dict) -> tuple[dict[str, dict], dict[str, tuple]]:
    """Rows per arm and role, and vectors of the test pairs per model of retrieval."""
    wsi = {r: np.hstack([tile[r], cells[r]]) for r in tile}
    joint = {"wsi": _components(wsi), "tile": _components(tile), "rna": _components(rna)}
    arms = {
        "wsi-scratch-cells": joint["wsi"],
        "wsi-scratch-nocells": joint["tile"],
        "rna-scratch": joint["rna"],
        "both-scratch-cells": {r: np.hstack([joint["wsi"][r], joint["rna"][r]]) for r in tile},
    }
    vectors = {}
    for model, rows in (("tile-cells", wsi), ("tile", tile), ("cca", wsi)):
        a, b = canonical(rows["train"], rna["train"], COMPONENTS, RIDGES[model])
        vectors[model] = (_unit(rows["test"] @ a), _unit(rna["test"] @ b))
        if model != "cca":
            arm = "wsi-pretrained-cells" if model == "tile-cells" else "wsi-pretrained-nocells"
            arms[arm] = standardise({r: v @ a for r, v in rows.items()})[0]
    return arms, vectors


def run_cohort(cfg: dict) -> tuple[Scorer, dict, list[Gallery]]:
    """Simulate, split, fit and predict: predictions with their outcomes, inner predictions, galleries."""
    cohort = simulate_features(cfg)
    clinical = cohort.clinical.rename(columns={"pam50": "label_pam50"}).sort_values("patient_id", ignore_index=True)
    clinical = clinical.assign(status="ok")
    folds = make_folds(clinical, cfg)
    targets = read_targets(clinical, cfg)
    streams = {
        name: frame.set_index("patient_id").filter(regex="^(tile|cells)_")
        for name, frame in (("tile", cohort.tile), ("cells", cohort.cells))
    }
    counts = cohort.rna.set_index("patient_id")
    totals = counts.sum(1)
    composition = counts.div(totals, axis=0)
    parts, inner, galleries = [], {}, []
    for repeat in range(cfg["split.repeats"]):
        for fold in range(cfg["split.folds"]):
            roles = read_roles(folds, repeat, fold)
            streams["rna"] = np.log1p(composition * totals.loc[roles["train"]].median())
            rows = {
                name: standardise({r: frame.loc[p].to_numpy(float) for r, p in roles.items()})[0]
                for name, frame in streams.items()
            }
            arms, vectors = _arms(rows["tile"], rows["cells"], rows["rna"])
            galleries += [Gallery(m, 0, repeat, fold, roles["test"], *v) for m, v in vectors.items()]
            known = {r: targets.take(p) for r, p in roles.items()}
            for arm, x in arms.items():
                beta = ridge_cox(x["train"], *known["train"].survival["os"], RIDGE)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model = LogisticRegression(C=INVERSE, max_iter=500).fit(x["train"], known["train"].labels["pam50"])
                shares = {r: _shares(model, x[r], len(targets.classes["pam50"])) for r in ("inner", "test")}
                values = {
                    "os": torch.from_numpy((x["inner"] @ beta)[:, None]),
                    "pam50": torch.from_numpy(shares["inner"]),
                }
                inner.setdefault(arm, {})[repeat, fold] = {
                    "patients": [hashed_ids([p])[0] for p in roles["inner"]],
                    "values": values,
                }
                outputs = {("os", "risk"): x["test"] @ beta} | {
                    ("pam50", f"p_{c}"): shares["test"][:, k] for k, c in enumerate(targets.classes["pam50"])
                }
                for (task, output), value in outputs.items():
                    parts.append((arm, repeat, fold, task, output, roles["test"], value))
    sizes = [len(p[5]) for p in parts]
    columns = {
        name: np.repeat([p[i] for p in parts], sizes)
        for i, name in enumerate(("arm", "repeat", "fold", "task", "output"))
    }
    predictions = pd.DataFrame(
        {
            **columns,
            "patient_id": np.concatenate([p[5] for p in parts]),
            "value": np.concatenate([p[6] for p in parts]),
            "draw": 0,
        }
    )
    predictions["inputs"] = predictions["arm"].str.split("-").str[0]
    site = dict(zip(clinical["patient_id"], clinical["site"], strict=True))
    resampling = Resampling(
        [read_roles(folds, 0, f)["test"] for f in range(cfg["split.folds"])], site, cfg["evaluate.draws"], cfg["seed"]
    )
    return Scorer(predictions, targets, resampling), inner, galleries


def _shares(model: LogisticRegression, rows: np.ndarray, classes: int) -> np.ndarray:
    shares = np.zeros((len(rows), classes))
    shares[:, model.classes_] = model.predict_proba(rows)
    return shares


def _methods(gap: Block) -> dict:
    """Difference, and low, high per method and of the widest."""
    found = intervals_of(
        gap.value, gap.patients, gap.sites, [f["value"] for f in gap.folds], folds_per_repeat(gap.folds)
    )
    wide = gap.interval()
    return {
        "value": gap.value,
        **{i.method: [i.low, i.high] for i in found if i is not None},
        "widest": [wide.low, wide.high],
    }


def draw(cfg: dict) -> dict:
    """One cohort: differences with the intervals of each method, and the primary contrasts with their verdicts.

    Parameters
    ----------
    cfg : dict
        Config keys as scripts get them: ``simulate.*``, ``split.*``, ``tasks.*``, ``evaluate.*``, ``seed``.
    """
    scorer, inner, galleries = run_cohort(cfg)
    gaps = {}
    for a, b in PAIRS:
        for task, metric in (("os", "C"), ("pam50", "AUC")):
            gap = scorer.block(a, 0, a.split("-")[0], task).minus(scorer.block(b, 0, b.split("-")[0], task))
            gaps[f"{metric}|{a} - {b}"] = _methods(gap)
    by_model = {m: [g for g in galleries if g.model == m] for m in RIDGES}
    for a, b in (("tile-cells", "cca"), ("tile-cells", "tile")):
        left, right = (recall_block(g, 10, scorer.resampling) for g in common_galleries(by_model[a], by_model[b]))
        gaps[f"R@10|{a} - {b}"] = _methods(left.minus(right))
    rows = compare(scorer, inner, {}, [], True, cfg) + compare_retrieval(galleries, [], scorer, True, cfg)
    primary = [r for r in rows if r["family"] == "primary" and r["status"] == "ok"]
    kept = ("question", "task", "difference", "low", "high", "p", "verdict", "detectable", "arm_b")
    events = [f["events"] for f in scorer.block("rna-scratch", 0, "rna", "os").folds]
    return {"gaps": gaps, "contrasts": [{k: r[k] for k in kept} for r in primary], "events": [min(events), max(events)]}
