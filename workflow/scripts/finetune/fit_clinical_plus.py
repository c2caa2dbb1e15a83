"""Clinical score and an arm's score in one model, in every fold of one repeat."""

from pathlib import Path

import pandas as pd

from confuselt.evaluate.names import PLUS
from confuselt.finetune.arms import parse_arm
from confuselt.finetune.clinical_plus import fit_added
from confuselt.finetune.folds import prediction_table
from confuselt.finetune.schema import PREDICTIONS
from confuselt.finetune.targets import read_targets
from confuselt.model.checkpoint import load_checkpoint, save_checkpoint
from confuselt.run_step import Output, run_step
from confuselt.tables import read_table, write_table

READS = ("tasks.survival", "tasks.labels")


def main(
    clinical: Path,
    score_predictions: list[Path],
    score_models: list[Path],
    predictions: Output,
    models: Output,
    arm: str,
    repeat: int,
    cfg: dict,
) -> None:
    """Fitted on the inner patients; `score_*` are those of the clinical baseline and, where it was trained, of the arm."""
    found = {content["arm"]: content for content in map(load_checkpoint, score_models)}
    tables = {name: read_table(path, PREDICTIONS) for name, path in zip(found, score_predictions, strict=True)}
    lost = [] if arm in found else [f"{arm} is not among finetune.arms"]
    lost += [f"{name}: {c['reason']}" for name, c in found.items() if c["status"] != "ok"]
    targets, pattern = read_targets(pd.read_parquet(clinical), cfg), parse_arm(arm).inputs[0]
    facts, rows = [], []
    for fold in range(0 if lost else len(found[arm]["folds"])):
        sources = []
        for name, inputs in (("clinical", "clinical"), (arm, pattern)):
            table = tables[name]
            sources.append((found[name]["folds"][fold], table[(table["fold"] == fold) & (table["inputs"] == inputs)]))
        known, told = fit_added(sources, targets)
        facts.append(known)
        rows.append(told.assign(fold=fold, inputs=pattern))
    save_checkpoint({"status": "not available" if lost else "ok", "reason": "; ".join(lost), "arm": f"{PLUS}{arm}", "folds": facts}, models)
    write_table(prediction_table(rows, f"{PLUS}{arm}", repeat), predictions, PREDICTIONS)


if __name__ == "__main__":
    run_step(main, globals())
