"""Draws of the demo: config/demo.yaml with another seed of its cohort, from pixels to the planned answers."""

import json
import shutil
from pathlib import Path

import full
import pandas as pd
import yaml

from confuselt.config.root import Config
from confuselt.report.found import clear_of_chance, panels
from confuselt.report.planted import against, planted

CONFIG = yaml.safe_load((full.ROOT / "config/demo.yaml").read_text())
# Scripts behind the numbers, beside those of a cohort of features: what draws and reads slides.
CHAIN = (
    "simulate/simulate_patients",
    "simulate/simulate_slides",
    "tile/cut_tiles",
    "tile/index_tiles",
    "embed/embed_tiles",
    "embed/index_embeddings",
    "cells/find_cells",
    "cells/index_cells",
    "acquire/permute_outcomes",
)
WANTED = 4  # draws of the five in which every claim must hold
CLAIMS = (
    "slides, RNA and both clear of chance",
    "retrieval at least twice chance",
    "second modality: yes",
    "nothing against what was planted",
    "controls at chance",
)


def run(folder: Path, config: dict, seed: int) -> dict:
    """Scores over folds, retrieval and planned contrasts, as they are. The folder is removed."""
    evaluate = full.chain(folder, config, seed)
    metrics, comparisons, retrieval = (
        pd.read_parquet(evaluate / f"{name}.parquet") for name in ("metrics", "comparisons", "retrieval")
    )
    found = {
        "metrics": metrics[(metrics["fold"] == -1) & metrics["metric"].isin(["harrell_c", "auc_macro"])],
        "retrieval": retrieval[retrieval["fold"] == -1],
        "comparisons": comparisons[comparisons["family"] == "primary"],
    }
    shutil.rmtree(folder)
    return {name: json.loads(rows.to_json(orient="records")) for name, rows in found.items()}


def first_screen(draw: dict) -> dict:
    """What the report would show first of a draw: panels, planned contrasts, contradictions."""
    config = Config.model_validate(CONFIG).model_dump(mode="json")
    tasks = [(t["name"], "harrell_c") for t in config["tasks"]["survival"]] + [
        (t["name"], "auc_macro") for t in config["tasks"]["labels"]
    ]
    metrics, retrieval, comparisons = (pd.DataFrame(draw[name]) for name in ("metrics", "retrieval", "comparisons"))
    truth = planted(True, {f"simulate.{k}": v for k, v in config["simulate"].items()})
    return {
        "seed": draw["seed"],
        "primary": config["evaluate"]["primary"],
        "panels": panels(metrics, retrieval, tasks, config["evaluate"]["plan"]),
        "contrasts": comparisons[comparisons["status"] == "ok"].to_dict("records"),
        "against": against(truth, comparisons),
    }


def claims(draw: dict) -> list[bool]:
    """Which of `CLAIMS` hold in a draw; what is not there does not hold."""
    tasks = [p for p in draw["panels"] if p["name"] in (draw["primary"], "pam50")]
    retrieval = [r for p in draw["panels"] if p["name"] == "retrieval" for r in p["rows"]]
    controls = [r for p in draw["panels"] for r in p["rows"] if r["colour"] == "control"]
    ours = [r for r in retrieval if r["colour"] != "control"]
    return [
        len(tasks) == 2 and all({"slides", "RNA", "both"} <= set(clear_of_chance(p)) for p in tasks),
        len(ours) == 2 and all(r["low"] > r["chance"] and r["value"] >= 2 * r["chance"] for r in ours),
        any(
            (c["question"], c["task"], c["verdict"]) == ("modality", draw["primary"], "yes") for c in draw["contrasts"]
        ),
        bool(draw["contrasts"]) and not draw["against"],
        len(controls) == len(draw["panels"]) > 0 and all(r["low"] <= r["chance"] <= r["high"] for r in controls),
    ]


def table_of(draws: list[dict]) -> tuple[list[str], bool]:
    """A row per draw (see `first_screen`); held where every claim holds in `WANTED` draws."""
    lines = ["| seed | first screen | answers on the primary endpoint | claims that fail |", "|---|---|---|---|"]
    told = [claims(d) for d in draws]
    for draw, holds in zip(draws, told, strict=True):
        shown = "; ".join(
            f"{p['name']} "
            + ", ".join(f"{r['name']} {r['value']:.2f} [{r['low']:.2f}, {r['high']:.2f}]" for r in p["rows"])
            for p in draw["panels"]
        )
        said = "; ".join(
            f"{c['question']} {c['verdict']} ({c['difference']:+.3f}, p {c['p_holm']:.3f})"
            for c in draw["contrasts"]
            if c["task"] == draw["primary"]
        )
        lost = ", ".join(c for c, held in zip(CLAIMS, holds, strict=True) if not held)
        lines.append(f"| {draw['seed']} | {shown} | {said} | {lost or 'none'} |")
    counts = [sum(column) for column in zip(*told, strict=True)]
    lines += [
        "",
        "Draws in which each claim holds: "
        + ", ".join(f"{c} {n}" for c, n in zip(CLAIMS, counts, strict=True))
        + f"; wanted: {WANTED} of {len(draws)} for each.",
    ]
    return lines, bool(counts) and min(counts) >= WANTED


def table(draws: list[dict]) -> tuple[list[str], bool]:
    """The first screen of every draw, and whether the claims held."""
    return table_of([first_screen(d) for d in draws])
