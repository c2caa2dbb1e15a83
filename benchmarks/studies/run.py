"""Statistical studies on simulated cohorts: resumable per draw, a table with the code hash at the end.

``make study NAME=features`` runs what is missing and rewrites the study's part of
benchmarks/STUDIES.md. A draw is a whole run of the workflow; its numbers are kept in
results/studies/NAME/draws/SEED.json while code and config stay the same.
"""

import argparse
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
from scipy.stats import t as student

from confuselt.code_hash import code_hash
from confuselt.config.learning import ARMS
from confuselt.stamp import config_hash

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "benchmarks/STUDIES.md"
TASKS = {"survival": [{"name": "os"}], "labels": [{"name": "pam50", "classes": ["Basal", "Her2", "LumA", "LumB"]}]}
COMMON = {"acquire": {"source": "simulate"}, "tasks": TASKS, "evaluate": {"primary": "os", "baselines": [], "controls": {"kinds": []}, "draws": 100}}
STUDIES = {
    # What a second modality adds must be found where it is planted.
    "features": {"seeds": [101, 102, 103, 104, 105], "config": {**COMMON, "simulate": {"patients": 1000, "sites": 30}, "split": {"folds": 5}}},
    # Nothing to learn: no arm may leave 0.5.
    "null": {"seeds": list(range(201, 221)), "config": {**COMMON, "simulate": {"patients": 200, "sites": 20, "effect": 0}, "split": {"folds": 3}}},
}


def chain_hash() -> str:
    """One hash over the code of every step of the chain."""
    scripts = sorted((ROOT / "workflow/scripts").glob("*/*.py"))
    chosen = [s for s in scripts if s.stem not in ("write_report", "predict_cohort", "permute_outcomes")]
    return config_hash([code_hash(s) for s in chosen])


def run_draw(name: str, seed: int, key: str) -> dict:
    """Numbers of one draw: reused if they were made by the same code and config."""
    folder = ROOT / "results/studies" / name
    kept = folder / "draws" / f"{seed}.json"
    if kept.exists() and json.loads(kept.read_text())["key"] == key:
        return json.loads(kept.read_text())
    work = folder / f"run-{seed}"
    work.mkdir(parents=True, exist_ok=True)
    config = json.loads(json.dumps(STUDIES[name]["config"]))
    config["simulate"]["seed"] = seed
    config |= {"cohort": "draw", "experiment": "draw", "results": str(work / "results")}
    (work / "config.json").write_text(json.dumps(config))
    target = str(work / "results/experiments/draw/evaluate/metrics.parquet")
    command = [
        str(Path(sys.executable).with_name("snakemake")),
        target,
        "--cores",
        "2",
        "--quiet",
        "all",
        "--configfile",
        str(work / "config.json"),
        "--nolock",
    ]
    print(f"{name}: draw {seed}", flush=True)
    subprocess.run(command, cwd=ROOT, check=True)
    metrics = pd.read_parquet(target)
    whole = metrics[(metrics["fold"] == -1) & metrics["metric"].isin(["harrell_c", "auc_macro"]) & (metrics["status"] == "ok")]
    values = {f"{r.arm}|{r.inputs}|{r.task}": r.value for r in whole.itertuples()}
    draw = {"key": key, "seed": seed, "values": values, "inner": inner_losses(work / "results/experiments/draw/finetune")}
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    partial.write_text(json.dumps(draw))
    partial.replace(kept)
    shutil.rmtree(work)
    return draw


def inner_losses(finetune: Path) -> dict[str, dict[str, float]]:
    """Mean inner loss per arm and task: what an arm may be chosen by."""
    from confuselt.model.checkpoint import load_checkpoint

    found = {}
    for path in sorted(finetune.glob("*/r0.pt")):
        content = load_checkpoint(path)
        found[content["arm"]] = pd.DataFrame([f["inner"] for f in content["folds"]]).mean().to_dict()
    return found


def features_table(draws: list[dict]) -> tuple[list[str], bool]:
    """Per seed and task: the best both, wsi and rna arm, chosen by inner loss, on the outer folds."""
    lines, held = ["| seed | task | best both arm (inputs both) | best wsi arm | best rna arm | both above both |", "|---|---|---|---|---|---|"], True
    for draw in draws:
        for task in ("os", "pam50"):
            cells = {}
            for kind in ("both", "wsi", "rna"):
                arms = [a for a in ARMS if a.startswith(kind)]
                best = min(arms, key=lambda a: draw["inner"][a][task])
                cells[kind] = (best, draw["values"][f"{best}|{kind}|{task}"])
            above = cells["both"][1] > max(cells["wsi"][1], cells["rna"][1])
            held &= above
            said = " | ".join(f"{arm} {value:.3f}" for arm, value in cells.values())
            lines.append(f"| {draw['seed']} | {task} | {said} | {'yes' if above else 'NO'} |")
    return lines, held


def null_table(draws: list[dict]) -> tuple[list[str], bool]:
    """Mean C of every arm over the draws, its t, and the 1 % Bonferroni bound."""
    names = [f"{a}|{a.split('-')[0]}|os" for a in ARMS]
    bound = student.ppf(1 - 0.01 / 2 / len(names), len(draws) - 1) if len(draws) > 1 else math.nan
    lines, worst = ["| arm | mean C | SD | t |", "|---|---|---|---|"], 0.0
    for name in names:
        values = pd.Series([d["values"][name] for d in draws])
        t = (values.mean() - 0.5) / (values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan
        worst = max(worst, abs(t)) if math.isfinite(t) else worst
        lines.append(f"| {name.split('|')[0]} | {values.mean():.3f} | {values.std():.3f} | {t:.2f} |")
    lines.append("")
    lines.append(f"Largest |t| {worst:.2f}; 1 % Bonferroni bound over {len(names)} arms, {len(draws)} draws: {bound:.2f}.")
    return lines, bool(worst < bound)


TABLES = {"features": features_table, "null": null_table}


def write_part(name: str, draws: list[dict], key: str) -> bool:
    """Rewrite the part of STUDIES.md between the study's markers; True where its claim held."""
    lines, held = TABLES[name](draws)
    study = STUDIES[name]
    simulated = study["config"]["simulate"]
    head = [
        f"## {name}",
        "",
        f"{len(draws)} of {len(study['seeds'])} draws; {simulated['patients']} patients, {simulated['sites']} sites, effect {simulated.get('effect', 1.0)}, "
        f"{study['config']['split']['folds']} folds; seeds {study['seeds'][0]} to {study['seeds'][-1]}, fixed beforehand. Code and config hash `{key}`. "
        f"Command: `make study NAME={name}`. Claim {'held' if held else 'DID NOT HOLD'}.",
        "",
    ]
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = TABLE.read_text() if TABLE.exists() else "# Studies\n\nStatistical claims on simulated cohorts, each by one command, resumable per draw.\n"
    part = "\n".join([begin, *head, *lines, end])
    if begin in text:
        text = text[: text.index(begin)] + part + text[text.index(end) + len(end) :]
    else:
        text = text.rstrip() + "\n\n" + part + "\n"
    TABLE.write_text(text)
    print("\n".join(lines))
    return held


def main() -> None:
    """Run the missing draws of a study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(STUDIES))
    parser.add_argument("--draws", type=int, default=None, help="only the first so many")
    parser.add_argument("--no-table", action="store_true", help="leave STUDIES.md as it is")
    given = parser.parse_args()
    seeds = STUDIES[given.name]["seeds"][: given.draws]
    key = config_hash([chain_hash(), STUDIES[given.name]["config"]])
    draws = [run_draw(given.name, seed, key) for seed in seeds]
    if not given.no_table:
        held = write_part(given.name, draws, key)
        sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
