"""Draws through the full chain: a simulated cohort, the workflow, its metrics and verdicts."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
from scipy.stats import t as student

from confuselt.finetune.arms import USUAL

ROOT = Path(__file__).resolve().parents[2]
TASKS = {"survival": [{"name": "os"}], "labels": [{"name": "pam50", "classes": ["Basal", "Her2", "LumA", "LumB"]}]}
COMMON = {
    "acquire": {"source": "simulate"},
    "tasks": TASKS,
    "evaluate": {"primary": "os", "baselines": [], "controls": {"kinds": []}, "leaky": {"seeds": 0}, "draws": 500},
}
SMALL = {"patients": 200, "sites": 20}


def chain(folder: Path, config: dict, seed: int) -> Path:
    """Run the workflow on one cohort, up to its metrics; the folder with what `evaluate` wrote.

    A draw that was stopped goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads(json.dumps(config)) | {
        "cohort": "draw",
        "experiment": "draw",
        "results": str(folder / "results"),
    }
    config["simulate"]["seed"] = seed
    (folder / "config.json").write_text(json.dumps(config))
    evaluate = folder / "results/experiments/draw/evaluate"
    command = [
        str(Path(sys.executable).with_name("snakemake")),
        str(evaluate / "metrics.parquet"),
        "--cores",
        "2",
        "--quiet",
        "all",
        "--nolock",
    ]
    subprocess.run([*command, "--configfile", str(folder / "config.json")], cwd=ROOT, check=True)
    return evaluate


def run(folder: Path, config: dict, seed: int) -> dict:
    """C and macro AUC of every arm on one cohort, inner losses, planned contrasts. The folder is removed."""
    evaluate = chain(folder, config, seed)
    metrics, comparisons = (pd.read_parquet(evaluate / f"{name}.parquet") for name in ("metrics", "comparisons"))
    whole = metrics[
        (metrics["fold"] == -1) & metrics["metric"].isin(["harrell_c", "auc_macro"]) & (metrics["status"] == "ok")
    ]
    values = {f"{r.arm}|{r.inputs}|{r.task}": r.value for r in whole.itertuples()}
    primary = comparisons[(comparisons["family"] == "primary") & (comparisons["status"] == "ok")]
    contrasts = primary[["question", "task", "difference", "low", "high", "verdict"]].to_dict("records")
    found = {"values": values, "contrasts": contrasts, "inner": inner_losses(evaluate.parent / "finetune")}
    shutil.rmtree(folder)
    return found


def inner_losses(finetune: Path) -> dict[str, dict[str, float]]:
    """Mean inner loss per arm and task: what an arm may be chosen by."""
    from confuselt.learn.checkpoint import load_checkpoint

    found = {}
    for arm in USUAL:
        content = load_checkpoint(finetune / arm / "r0.pt")
        found[arm] = pd.DataFrame([f["inner"] for f in content["folds"]]).mean().to_dict()
    return found


def features_table(draws: list[dict]) -> tuple[list[str], bool]:
    """Per seed and task: the best both, wsi and rna arm, chosen by inner loss, on the outer folds."""
    lines, held = (
        [
            "| seed | task | best both arm (inputs both) | best wsi arm | best rna arm | both above both |",
            "|---|---|---|---|---|---|",
        ],
        True,
    )
    for draw in draws:
        for task in ("os", "pam50"):
            cells = {}
            for kind in ("both", "wsi", "rna"):
                arms = [a for a in USUAL if a.startswith(kind)]
                best = min(arms, key=lambda a: draw["inner"][a][task])
                cells[kind] = (best, draw["values"][f"{best}|{kind}|{task}"])
            above = cells["both"][1] > max(cells["wsi"][1], cells["rna"][1])
            held &= above
            said = " | ".join(f"{arm} {value:.3f}" for arm, value in cells.values())
            lines.append(f"| {draw['seed']} | {task} | {said} | {'yes' if above else 'NO'} |")
    return lines, held


def null_table(draws: list[dict]) -> tuple[list[str], bool]:
    """Mean C of every arm over the draws, its t, and the 1 % Bonferroni bound."""
    names = [f"{a}|{a.split('-')[0]}|os" for a in USUAL]
    bound = student.ppf(1 - 0.01 / 2 / len(names), len(draws) - 1) if len(draws) > 1 else math.nan
    lines, worst = ["| arm | mean C | SD | t |", "|---|---|---|---|"], 0.0
    for name in names:
        values = pd.Series([d["values"][name] for d in draws])
        t = (values.mean() - 0.5) / (values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan
        worst = max(worst, abs(t)) if math.isfinite(t) else worst
        lines.append(f"| {name.split('|')[0]} | {values.mean():.3f} | {values.std():.3f} | {t:.2f} |")
    lines.append("")
    lines.append(
        f"Largest |t| {worst:.2f}; 1 % Bonferroni bound over {len(names)} arms, {len(draws)} draws: {bound:.2f}."
    )
    return lines, bool(worst < bound)


def alarm_table(draws: list[dict]) -> tuple[list[str], bool]:
    """Verdicts on contrasts that are null by construction.

    There are two draws of each null: an alarm and no estimate of a rate.
    """
    from cheap_tables import nulls

    lines, held = (
        ["| null | seed | question | task | difference | interval | verdict |", "|---|---|---|---|---|---|---|"],
        bool(draws),
    )
    for draw in draws:
        told = {(r["question"], r["task"]): r for r in draw["contrasts"]}
        for question, task in nulls(draw["level"]):
            row = told.get((question, task))
            held &= row is not None and row["verdict"] != "yes"
            shown = (
                f"{row['difference']:+.3f} | {row['low']:+.3f} to {row['high']:+.3f} | {row['verdict']}"
                if row
                else "not available | | "
            )
            lines.append(f"| {draw['level']} | {draw['seed']} | {question} | {task} | {shown} |")
    return lines, held
