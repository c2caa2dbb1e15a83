"""The curve of leaky chance: a model of permuted outcomes, its epoch chosen on the test fold or on the inner part."""

from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.finetune.leaky import leaky_curves
from confuselt.finetune.schema import CURVES
from confuselt.finetune.targets import read_targets
from confuselt.learn.means import patient_means
from confuselt.learn.store import Store, widest
from confuselt.run_step import Output, run_step
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.tables import empty_table, read_table, write_table
from confuselt.unusable import NotAvailable

READS = ("evaluate.primary", "evaluate.leaky", "tasks.survival", "seed")


def main(store: Path, folds: Path, outcomes: Path, curves: Output, cfg: dict) -> None:
    """On the primary endpoint and the first repeat.

    A cohort that cannot show it gives a table without rows and the reason in its metadata.
    """
    table, block = read_table(folds, FOLDS), cfg["evaluate.leaky"]
    names = [t["name"] for t in cfg["tasks.survival"]]
    meta = {"status": "ok", "reason": ""}
    try:
        if not names:
            raise NotAvailable("tasks.survival names no endpoint")
        if not block["seeds"]:
            raise NotAvailable("evaluate.leaky.seeds is 0")
        task = cfg["evaluate.primary"] if cfg["evaluate.primary"] in names else names[0]
        targets = read_targets(pd.read_parquet(outcomes), {"tasks.survival": cfg["tasks.survival"], "tasks.labels": []})
        bags = Store(store, widest(store))
        if bags.missing:
            raise NotAvailable(bags.missing)
        slides = bags.of_patients(
            [p for p, d in zip(targets.patients, targets.survival[task][0], strict=True) if np.isfinite(d)]
        )
        at = {p: i for i, p in enumerate(slides)}
        roles = [read_roles(table, 0, fold) for fold in sorted(table.loc[table["repeat"] == 0, "fold"].unique())]
        places = [{r: np.array([at[p] for p in ids if p in at], int) for r, ids in fold.items()} for fold in roles]
        days, event = targets.take(list(slides)).survival[task]
        means = patient_means(bags, slides, None)
        rows = np.stack([means[p] for p in slides]) if slides else np.zeros((0, 0))
        found = leaky_curves(rows, places, days, event, block["seeds"], block["epochs"], cfg["seed"])
        found = found.assign(curve="leaky-chance", inputs="wsi", task=task, metric="harrell_c", repeat=0, fold=-1)
    except NotAvailable as reason:
        found, meta = empty_table(CURVES), {"status": "not available", "reason": str(reason)}
    write_table(found, curves, CURVES, meta)


if __name__ == "__main__":
    run_step(main, globals())
