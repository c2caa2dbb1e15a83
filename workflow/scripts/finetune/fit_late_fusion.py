"""Late fusion of the two single-modality arms, in every fold of one repeat."""

from pathlib import Path

from confuselt.finetune.arms import parse_arm, singles
from confuselt.finetune.folds import prediction_table
from confuselt.finetune.late_fusion import fuse
from confuselt.finetune.schema import PREDICTIONS
from confuselt.learn.checkpoint import load_checkpoint, save_checkpoint
from confuselt.run_step import Output, run_step
from confuselt.tables import read_table, write_table

READS = ("tasks.survival", "tasks.labels")


def main(
    arm_predictions: list[Path],
    arm_models: list[Path],
    predictions: Output,
    models: Output,
    repeat: int,
    cfg: dict,
    cells: int = 1,
) -> None:
    """Nothing is fitted: the single arms and the spread of their training patients' risks are all that is read.

    `cells` is 0 for a cohort without a cells stream.
    """
    names = singles(bool(cells))
    found = {content["arm"]: content for content in map(load_checkpoint, arm_models)}
    tables = {arm: read_table(path, PREDICTIONS) for arm, path in zip(found, arm_predictions, strict=True)}
    lost = [f"{a} is not among finetune.arms" for a in names if a not in found] + [
        f"{a}: {c['reason']}" for a, c in found.items() if c["status"] != "ok"
    ]
    tasks = [t["name"] for t in (*cfg["tasks.survival"], *cfg["tasks.labels"])]
    facts, rows = [], []
    for fold in range(0 if lost else len(found[names[0]]["folds"])):
        fused = {parse_arm(a).modality: (tables[a][tables[a]["fold"] == fold], found[a]["folds"][fold]) for a in names}
        unlearned = {
            t: f"{m}: {f['not_learnable'][t]}" for t in tasks for m, (_, f) in fused.items() if t in f["not_learnable"]
        }
        facts.append({"not_learnable": unlearned})
        rows.append(fuse(fused).assign(fold=fold))
    save_checkpoint(
        {"status": "not available" if lost else "ok", "reason": "; ".join(lost), "arm": "late-fusion", "folds": facts},
        models,
    )
    write_table(prediction_table(rows, "late-fusion", repeat), predictions, PREDICTIONS)


if __name__ == "__main__":
    run_step(main, globals())
