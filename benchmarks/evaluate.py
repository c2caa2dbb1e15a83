"""Metrics and comparisons of a whole benchmark.

It has 20 arms, 10 repeats of 5 folds, 1,000 patients and two bootstraps of 2,000 draws. The peer is lifelines'
concordance_index called draw by draw on one arm, as evaluation code of the field does, scaled to the same number of
arms, repeats and draws. Prints seconds; ``--json FILE`` writes the rows.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from lifelines.utils import concordance_index

from confuselt.config.learning import Plan
from confuselt.evaluate.comparisons import compare, compare_retrieval
from confuselt.evaluate.metrics import metric_rows
from confuselt.evaluate.resample import Resampling
from confuselt.evaluate.retrieval import Gallery, retrieval_rows
from confuselt.evaluate.scores import Scorer
from confuselt.finetune.arms import USUAL
from confuselt.finetune.targets import Targets

PATIENTS, SITES, REPEATS, FOLDS, DRAWS, TARGET = 1000, 40, 10, 5, 2000, 60.0
OTHERS = [*(f"baseline-{i}" for i in range(5)), *(f"control-{i}" for i in range(5))]
DAYS = (365, 730, 1095, 1460, 1825)
CFG = {"evaluate.min_events": 50, "evaluate.min_fold_events": 10, "evaluate.plan": Plan().model_dump()}


def cohort() -> tuple[pd.DataFrame, Targets, dict, dict, list[Gallery]]:
    """Predictions, outcomes, folds, sites and galleries of a made-up benchmark."""
    rng = np.random.default_rng(0)
    ids = np.array([f"P{i:04d}" for i in range(PATIENTS)])
    truth, site = rng.normal(size=PATIENTS), rng.integers(0, SITES, PATIENTS)
    days, follow = rng.exponential(2500 / np.exp(truth)), rng.uniform(200, 5000, PATIENTS)
    label = np.clip((truth + rng.normal(size=PATIENTS) + 2).astype(int), 0, 3)
    survival = {"os": (np.minimum(days, follow), (days <= follow).astype(float))}
    targets = Targets(list(ids), survival, {"pam50": label}, {"pam50": list("abcd")}, {"os": [1095, 1825]})
    parts, roles, galleries = [], {}, []
    arms = [(a, i) for a in USUAL for i in (("both", "wsi", "rna") if a.startswith("both") else (a.split("-")[0],))] + [
        (a, "wsi") for a in OTHERS
    ]
    for repeat in range(REPEATS):
        fold_of = rng.permutation(SITES)[site] % FOLDS
        for fold in range(FOLDS):
            test = fold_of == fold
            roles[repeat, fold] = {"test": list(ids[test]), "train": list(ids[~test])}
            for model in ("tile", "tile-cells", "cca", "mispaired"):
                vectors = rng.normal(size=(test.sum(), 64))
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
                galleries.append(
                    Gallery(
                        model, 0, repeat, fold, list(ids[test]), vectors, vectors + rng.normal(size=vectors.shape) * 0.3
                    )
                )
        for arm, inputs in arms:
            risk = truth + rng.normal(size=PATIENTS)
            values = {"risk": risk, **{f"surv_{d}": np.exp(-d / 2500 * np.exp(risk)) for d in DAYS}}
            shares = rng.dirichlet(np.ones(4), PATIENTS) + np.eye(4)[label]
            values |= {f"p_{c}": shares[:, k] / 2 for k, c in enumerate("abcd")}
            for output, value in values.items():
                task = "pam50" if output.startswith("p_") else "os"
                parts.append(
                    pd.DataFrame(
                        {
                            "patient_id": ids,
                            "arm": arm,
                            "draw": 0,
                            "inputs": inputs,
                            "repeat": repeat,
                            "fold": fold_of,
                            "task": task,
                        }
                    )
                )
                parts[-1]["output"], parts[-1]["value"] = output, value
    return (
        pd.concat(parts, ignore_index=True),
        targets,
        roles,
        {p: f"S{s}" for p, s in zip(ids, site, strict=True)},
        galleries,
    )


def measure() -> list[dict]:
    """Seconds of all metrics, comparisons and retrieval; and of lifelines for the patient bootstrap of C alone."""
    predictions, targets, roles, site, galleries = cohort()
    train = {k: r["train"] for k, r in roles.items()}
    start = time.perf_counter()
    resampling = Resampling([roles[0, f]["test"] for f in range(FOLDS)], site, DRAWS, 1)
    scorer = Scorer(predictions, targets, resampling)
    rows = metric_rows(scorer, train, {}, {}, CFG)
    compared = compare(scorer, {a: {} for a in USUAL}, {}, [*USUAL, *OTHERS], True, CFG)
    found = retrieval_rows(galleries, site, {}, [1, 5, 10, 50], resampling)
    compared += compare_retrieval(galleries, [], scorer, True, CFG)
    ours = time.perf_counter() - start
    assert sum(r["status"] == "ok" for r in compared) > 20 and len(rows) > 1000 and len(found) > 100
    days, event = targets.survival["os"]
    risk = scorer.tables(USUAL[0], 0, "wsi", "os")[0, 0]["risk"]
    at = [targets.patients.index(p) for p in risk.index]
    again = np.random.default_rng(0).integers(0, len(at), (20, len(at)))
    start = time.perf_counter()
    for draw in again:
        concordance_index(days[at][draw], -risk.to_numpy()[draw], event[at][draw])
    blocks = 2 * len(USUAL) + len(OTHERS) - 2
    peer = (time.perf_counter() - start) / len(again) * DRAWS * REPEATS * FOLDS * blocks
    row = {
        "name": "metrics and comparisons",
        "ours": ours,
        "peer": peer,
        "peer_name": "lifelines, patient bootstrap of C alone (extrapolated from 20 draws)",
    }
    return [row | {"unit": "s", "ratio": peer / ours, "target": TARGET, "ok": ours <= TARGET}]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure()
    for row in found:
        print(
            f"{row['name']}: {row['ours']:.1f} s (target {row['target']:.0f} s); "
            f"{row['peer_name']}: {row['peer']:.0f} s, ratio {row['ratio']:.0f}"
        )
    if given.json:
        given.json.write_text(json.dumps(found))
