"""Build the benchmark report from the tables of an experiment."""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import jinja2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.evaluate.answers import answers, cannot_answer, joint_model, not_compared, too_small, without_pam50
from confuselt.evaluate.calibration_figures import incidence_figure, net_benefit_figure, reliability_figure
from confuselt.evaluate.cell_figures import cells_figure, early_events
from confuselt.evaluate.cohort_page import (
    how_joined,
    intersection_figure,
    left,
    odd_outcomes,
    one_clock,
    reason_counts,
    sites_figure,
    unseen_levels,
)
from confuselt.evaluate.costs import costs
from confuselt.evaluate.figures import (
    above_median,
    embedding,
    forest,
    kaplan_meier,
    pretraining_figure,
    retrieval_figure,
)
from confuselt.evaluate.found import found_figure, in_words, missing_controls, panels, shown_arms
from confuselt.evaluate.intervals import useless
from confuselt.evaluate.plan import read_plan
from confuselt.evaluate.planted import against, needed, planted, sentence
from confuselt.evaluate.rna_page import depth, rna_facts, rna_figure
from confuselt.evaluate.site_figures import leaky_figure, site_figure
from confuselt.evaluate.sites import missing_outcomes
from confuselt.evaluate.slides import attention, heatmaps, looked_for, slide_warnings, tile_facts
from confuselt.finetune.arms import PLUS
from confuselt.learn.checkpoint import load_checkpoint
from confuselt.pretrain.pairs import embed_pairs
from confuselt.tables import read_meta

TEMPLATE = Path(__file__).with_name("report.html.j2")
# The arms that figures look into, by what they are tested with: "both" is the one checkpoint for every input pattern.
LOOKED_AT = {"both": "both-pretrained", "wsi": "wsi-pretrained", "rna": "rna-scratch"}


@dataclass(frozen=True)
class Sources:
    """Files that the report is made of."""

    predictions: Path
    metrics: Path
    comparisons: Path
    retrieval: Path
    curves: Path
    plan: Path
    folds: Path
    store: Path
    rna: Path
    outcomes: Path
    covariates: Path
    patients: Path
    downloads: Path
    slides: Path
    tile_index: Path
    cells_index: Path
    rna_index: Path
    benchmarks: Path
    arm_models: list[Path]
    reduced: list[Path]
    checkpoint: Path | None
    grids: Path | None


def build_report(sources: Sources, cfg: dict) -> tuple[str, dict[str, Figure]]:
    """HTML text, and its figures by name."""
    tables = {
        n: pd.read_parquet(getattr(sources, n))
        for n in (
            "predictions",
            "metrics",
            "comparisons",
            "retrieval",
            "curves",
            "folds",
            "outcomes",
            "covariates",
            "patients",
            "downloads",
        )
    }
    tables["patients"] = left(tables["patients"], slide_owners(sources.store), pd.read_parquet(sources.rna_index))
    models = {m["arm"]: m for m in (load_checkpoint(p) for p in sources.arm_models) if m["status"] == "ok"}
    widest, endpoints = bag_sizes(sources.store, cfg), [t["name"] for t in cfg["tasks.survival"]]
    shown = panels(tables["metrics"], tables["retrieval"], _headline(cfg), cfg["evaluate.plan"])
    figures = _named("found", found_figure(shown)) | _figures(sources, tables, models, cfg)
    is_counts, about = cfg["rna.matrix"] == "counts", read_meta(sources.outcomes)
    samples = depth(pd.read_parquet(sources.rna_index), is_counts)
    figures |= _named("rna", rna_figure(samples, is_counts))
    lost, slides_arm = list(exclusions(sources)), _with_cells(LOOKED_AT["wsi"], models)
    context = {
        "cfg": cfg,
        # A cohort may have labels and no endpoint.
        "primary": cfg["evaluate.primary"] if cfg["evaluate.primary"] in endpoints else None,
        "found": [in_words(panel) for panel in shown],
        "uncontrolled": missing_controls(tables["metrics"], tables["retrieval"]),
        "shown_arms": shown_arms(shown),
        "planted": planted_facts(tables["comparisons"], sources.grids is not None, cfg)
        if cfg["acquire.source"] == "simulate"
        else None,
        "answers": answers(tables["comparisons"], cfg),
        "too_small": too_small(tables["comparisons"]),
        "cannot": cannot_answer(tables, widest, cfg),
        "figures": {name: _data_uri(figure) for name, figure in figures.items()},
        "plan": plan_facts(sources.plan, models),
        "joint": joint_model(tables["comparisons"]),
        "without": without_pam50(tables["comparisons"], dropped_genes(sources.reduced)),
        "details": detail_metrics(tables["metrics"]),
        "probe": probe_summary(tables["curves"]),
        "missing": missing_outcomes(tables["outcomes"][tables["outcomes"]["status"] == "ok"], endpoints),
        "plus": PLUS,
        "likelihood": tables["curves"][tables["curves"]["curve"] == "likelihood-ratio"].to_dict("records"),
        "cohort": cohort_facts(tables, cfg),
        "folds": fold_table(tables, cfg),
        "exclusions": lost,
        "reasons": reason_counts(lost),
        "warnings": [
            *one_clock(tables["outcomes"], endpoints),
            *odd_outcomes(tables["outcomes"], cfg["tasks.survival"]),
            *unseen_levels(tables["covariates"], tables["folds"]),
            *how_joined(sources.store),
            *slide_warnings(sources.grids, sources.cells_index, tables["patients"]),
        ],
        "codings": about.get("codings", {}),
        "agreement": about.get("agreement", {}),
        "main_metrics": main_metrics(tables["metrics"], _headline(cfg)),
        "unavailable": unavailable(tables["metrics"]),
        "comparisons": tables["comparisons"][tables["comparisons"]["status"] == "ok"].to_dict("records"),
        "not_compared": not_compared(tables["comparisons"]),
        "retrieval": retrieval_summary(tables["retrieval"]),
        "bags": widest,
        "costs": costs(sources.benchmarks, cfg["cohort"], cfg["experiment"]),
        "looked": slides_arm,
        "looked_for": looked_for(models[slides_arm], 0) if "attention" in figures else None,
        "rna": rna_facts(samples, is_counts) if len(samples) else None,
        "slides": tile_facts(pd.read_parquet(sources.grids)) if sources.grids is not None else None,
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["num"] = _number
    environment.globals["interval"] = _interval
    return environment.get_template(TEMPLATE.name).render(context), figures


def _headline(cfg: dict) -> list[tuple[str, str]]:
    """Each task with the metric that the overview shows."""
    return [(t["name"], "harrell_c") for t in cfg["tasks.survival"]] + [
        (t["name"], "auc_macro") for t in cfg["tasks.labels"]
    ]


def _figures(
    sources: Sources, tables: dict[str, pd.DataFrame], models: dict[str, dict], cfg: dict
) -> dict[str, Figure]:
    """Every figure that these results allow, by name."""
    figures = {
        "forest": forest(tables["metrics"], _headline(cfg)),
        "retrieval": retrieval_figure(tables["retrieval"]),
        "pretraining": pretraining_figure(tables["curves"]),
    }
    endpoints, labels = [t["name"] for t in cfg["tasks.survival"]], [t["name"] for t in cfg["tasks.labels"]]
    looked_at = {inputs: _with_cells(arm, models) for inputs, arm in LOOKED_AT.items()}
    for inputs, arm in looked_at.items():
        if arm in models and cfg["evaluate.primary"] in endpoints:
            cuts = {
                (0, f): facts["median"].get(inputs, {}).get(cfg["evaluate.primary"], np.nan)
                for f, facts in enumerate(models[arm]["folds"])
            }
            figures |= _named(
                f"km-{arm}",
                kaplan_meier(tables["predictions"], tables["outcomes"], arm, inputs, cfg["evaluate.primary"], cuts),
            )
    for task in cfg["tasks.survival"]:
        figures |= _named(f"site-{task['name']}", site_figure(tables["curves"], tables["metrics"], task["name"]))
        figures |= _named(f"benefit-{task['name']}", net_benefit_figure(tables["curves"], task["name"]))
        if task["competing"]:
            figures |= _named(f"incidence-{task['name']}", _incidence(tables, looked_at["both"], models, task))
    figures |= _named("intersections", intersection_figure(tables["patients"], [*labels, *endpoints]))
    figures |= _named("sites", sites_figure(tables["patients"], tables["outcomes"], endpoints))
    figures |= _named("leaky", leaky_figure(tables["curves"]))
    figures |= _named("reliability", reliability_figure(tables["curves"], looked_at["both"]))
    figures |= _named("embedding", _embedding(sources, tables, cfg))
    figures |= _named(
        "cells",
        cells_figure(
            pd.read_parquet(sources.cells_index),
            _groups(tables, labels, cfg["evaluate.primary"] if endpoints else None),
        ),
    )
    arm = looked_at["wsi"]
    if sources.grids is not None and arm in models:
        looked = attention(arm, models[arm], 0, sources.store, _first_test(tables))
        figures |= _named("attention", heatmaps(looked, sources.grids.parent))
    return figures


def _groups(tables: dict[str, pd.DataFrame], labels: list[str], primary: str | None) -> dict[str, pd.Series]:
    """Classes of every label, early events and sites, by patient."""
    outcomes = tables["outcomes"].set_index("patient_id")
    return {
        **{label: outcomes[f"label_{label}"] for label in labels},
        **({primary: early_events(outcomes[f"{primary}_days"], outcomes[f"{primary}_event"])} if primary else {}),
        "site": tables["patients"].set_index("patient_id")["site"],
    }


def _with_cells(arm: str, models: dict[str, dict]) -> str:
    """Name of an arm with cells, or without where there is only that."""
    return next((name for name in (f"{arm}-cells", f"{arm}-nocells") if name in models), arm)


def planted_facts(comparisons: pd.DataFrame, slides: bool, cfg: dict) -> dict[str, object]:
    """Sentences on what was planted, what open questions would need, and the answers that contradict it."""
    truth = planted(slides, cfg)
    return {
        "said": sentence(truth, cfg["simulate.effect"]),
        "needed": needed(comparisons, cfg["evaluate.primary"]),
        "against": against(truth, comparisons),
    }


def plan_facts(plan: Path, models: dict[str, dict]) -> dict:
    """Hash of the plan in force, and the arms that were trained under another one."""
    content = read_plan(plan)
    return {**content, "changed": sorted(arm for arm, m in models.items() if m["plan"] != content["hash"])}


def dropped_genes(reduced: list[Path]) -> list[dict[str, int]]:
    """Per fold of the run without PAM50's genes: how many were ``named``, ``followers`` of these, and ``left``."""
    found = []
    for path in reduced:
        with h5py.File(path) as file:
            found.append(json.loads(file["uns/dropped"].asstr()[()]))
    return found


def detail_metrics(metrics: pd.DataFrame) -> list[dict]:
    """Every other metric over folds, of arms and baselines (draw 0): a row per arm, inputs and task."""
    rows = metrics[
        (metrics["fold"] == -1)
        & (metrics["draw"] == 0)
        & metrics["metric"].notna()
        & ~metrics["metric"].isin(["harrell_c", "auc_macro"])
    ]
    found = []
    for (task, arm, inputs), part in rows.groupby(["task", "arm", "inputs"], sort=True):
        values = {}
        for r in part.to_dict("records"):
            name = r["metric"] if pd.isna(r["horizon_days"]) else f"{r['metric']} {int(r['horizon_days']) / 365:.3g} y"
            values[name] = r
        found.append({"task": task, "arm": arm, "inputs": inputs, "values": values})
    return found


def probe_summary(curves: pd.DataFrame) -> list[dict]:
    """How well sites can be read off the embeddings: mean over folds beside chance."""
    rows = curves[curves["curve"] == "site-probe"]
    mean = rows.groupby(["arm", "draw", "inputs"], sort=True).agg(
        value=("value", "mean"), chance=("x", "mean"), folds=("fold", "nunique")
    )
    return mean.reset_index().to_dict("records")


def _incidence(tables: dict[str, pd.DataFrame], arm: str, models: dict[str, dict], task: dict) -> Figure | None:
    """Cumulative incidence under the joint model, by risk group."""
    rows = tables["predictions"].query(
        "arm == @arm and inputs == 'both' and output == 'risk' and repeat == 0 and draw == 0"
    )
    rows = rows[rows["task"] == task["name"]]
    if arm not in models or rows.empty:
        return None
    medians = {
        (0, f): facts["median"].get("both", {}).get(task["name"], np.nan)
        for f, facts in enumerate(models[arm]["folds"])
    }
    _, high = above_median(rows, medians)
    return incidence_figure(
        rows.set_index("patient_id")["value"], high, tables["outcomes"], task["name"], task["competing"], arm
    )


def _named(name: str, figure: Figure | None) -> dict[str, Figure]:
    return {name: figure} if figure is not None else {}


def _number(value: object, digits: int = 3) -> str:
    if value is None or (isinstance(value, float) and not np.isfinite(value)) or value is pd.NA:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _interval(low: float, high: float, bounded: bool = True) -> str:
    """An interval as the tables show it; a dash where it says nothing.

    One of C, AUC or recall says nothing where it holds all that they can be.
    """
    if useless(low, high) if bounded else not (np.isfinite(low) and np.isfinite(high)):
        return "–"
    return f"[{low:.3f}, {high:.3f}]"


def _data_uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def bag_sizes(store: Path, cfg: dict) -> dict[str, dict]:
    """Per stream: slides, rows of the largest bag, width, name, cohorts that its model saw.

    What a model is known to have seen stands in the store; ``embed.trained_on`` and ``cells.trained_on`` add to it.
    """
    found = {}
    with h5py.File(store) as file:
        for stream in ("tile", "cells"):
            rows = np.diff(file[stream]["offsets"][()])
            attrs = file[stream].attrs
            stated = cfg["embed.trained_on" if stream == "tile" else "cells.trained_on"]
            found[stream] = {
                "slides": int((rows > 0).sum()),
                "largest": int(rows.max()) if len(rows) else 0,
                "width": int(file[stream]["features"].shape[1]),
                "name": str(attrs.get("name", "")),
                "trained_on": list(dict.fromkeys([*json.loads(attrs.get("trained_on", "[]")), *stated])),
            }
    return found


def slide_owners(store: Path) -> list[str]:
    """Patient of each slide in the store."""
    with h5py.File(store) as file:
        return list(file["patient_id"].asstr()[()])


def cohort_facts(tables: dict[str, pd.DataFrame], cfg: dict) -> dict:
    """Counts for the first table."""
    people = tables["patients"][tables["patients"]["status"] == "ok"]
    facts = tables["outcomes"].set_index("patient_id").reindex(people["patient_id"])
    slides, rna = people["slides"] > 0, people["rna"] > 0
    endpoints = [
        {
            "task": t["name"],
            "n": int(facts[f"{t['name']}_event"].notna().sum()),
            "events": int(facts[f"{t['name']}_event"].sum()),
        }
        for t in cfg["tasks.survival"]
    ]
    labels = [
        {"task": t["name"], "classes": facts[f"label_{t['name']}"].value_counts().to_dict()}
        for t in cfg["tasks.labels"]
    ]
    return {
        "patients": len(people),
        "excluded": int((tables["patients"]["status"] != "ok").sum()),
        "both": int((slides & rna).sum()),
        "slide only": int((slides & ~rna).sum()),
        "RNA only": int((~slides & rna).sum()),
        "neither": int((~slides & ~rna).sum()),
        "sites": int(people["site"].nunique()),
        "endpoints": endpoints,
        "labels": labels,
    }


def fold_table(tables: dict[str, pd.DataFrame], cfg: dict) -> list[dict]:
    """Patients, sites and events of every test fold."""
    facts = tables["outcomes"].set_index("patient_id")
    rows = []
    for (repeat, fold), part in tables["folds"].groupby(["repeat", "fold"]):
        test = part[part["role"] == "test"]
        events = {
            t["name"]: int(facts.loc[test["patient_id"], f"{t['name']}_event"].sum()) for t in cfg["tasks.survival"]
        }
        sizes = part["role"].value_counts()
        rows.append(
            {
                "repeat": repeat,
                "fold": fold,
                "test": len(test),
                "inner": int(sizes.get("inner", 0)),
                "train": int(sizes.get("train", 0)),
                "sites": int(test["site"].nunique()),
                "events": events,
            }
        )
    return rows


def exclusions(sources: Sources) -> Iterator[dict]:
    """Everything that was left out or mended, with its reason: files, slides, samples, patients, single values."""
    downloads = pd.read_parquet(sources.downloads)
    for row in downloads[(downloads["status"] != "ok") | downloads["reason"].notna()].to_dict("records"):
        yield {"stage": "acquire", "what": "file", "id": row["file"], "reason": row["reason"]}
    for stage, path, key in (
        ("acquire", sources.slides, "slide_id"),
        ("embed", sources.tile_index, "slide_id"),
        ("cells", sources.cells_index, "slide_id"),
        ("rna", sources.rna_index, "sample_id"),
        ("acquire", sources.patients, "patient_id"),
    ):
        table = pd.read_parquet(path)
        for row in table[table["status"] != "ok"].to_dict("records"):
            yield {"stage": stage, "what": key.removesuffix("_id"), "id": row[key], "reason": row["reason"]}
    with h5py.File(sources.store) as file:
        for row in json.loads(file.attrs["excluded"]):
            yield {"stage": "pack", "what": "slide", "id": row["slide_id"], "reason": row["reason"]}
    outcomes, covariates = pd.read_parquet(sources.outcomes), pd.read_parquet(sources.covariates)
    usable = outcomes.loc[outcomes["status"] == "ok", "patient_id"]
    values = pd.concat([outcomes, covariates])[["patient_id", "reason"]]
    for row in values[values["reason"].notna() & values["patient_id"].isin(usable)].to_dict("records"):
        yield {"stage": "acquire", "what": "value", "id": row["patient_id"], "reason": row["reason"]}


def main_metrics(metrics: pd.DataFrame, tasks: list[tuple[str, str]]) -> list[dict]:
    """One row per arm, draw and inputs; a column per task."""
    whole = metrics[(metrics["fold"] == -1) & (metrics["status"] == "ok")]
    rows = []
    for (arm, draw, inputs), part in whole.groupby(["arm", "draw", "inputs"], sort=True):
        values = {}
        for task, metric in tasks:
            hit = part[(part["task"] == task) & (part["metric"] == metric)]
            values[task] = hit.iloc[0].to_dict() if len(hit) else None
        rows.append({"arm": arm, "draw": draw, "inputs": inputs, "values": values})
    return rows


def unavailable(metrics: pd.DataFrame) -> list[dict]:
    """Arms and tasks (or single metrics of them) without a value, one line each."""
    lost = metrics[(metrics["fold"] == -1) & (metrics["status"] != "ok")]
    lost = lost.assign(task=lost["task"].where(lost["metric"].isna(), lost["task"] + " " + lost["metric"]))
    return (
        lost.groupby(["arm", "draw", "reason"], sort=True)["task"]
        .agg(lambda t: ", ".join(sorted(set(t))))
        .reset_index()
        .to_dict("records")
    )


def retrieval_summary(retrieval: pd.DataFrame) -> list[dict]:
    """Over folds, per model, direction and stratum: percentile rank and recall@k."""
    whole = retrieval[(retrieval["fold"] == -1) & (retrieval["status"] == "ok")]
    rows = []
    for (model, draw, direction, stratum), part in whole.groupby(["model", "draw", "direction", "stratum"], sort=True):
        by_k = {int(r["k"]): r for r in part.to_dict("records")}
        first = next(iter(by_k.values()))
        rows.append(
            {
                "model": model,
                "draw": draw,
                "direction": direction,
                "stratum": stratum,
                "n": first["n"],
                "percentile_rank": first["percentile_rank"],
                "by_k": by_k,
            }
        )
    return rows


def _first_test(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Test patients of the first fold."""
    folds = tables["folds"]
    return list(folds.loc[(folds["repeat"] == 0) & (folds["fold"] == 0) & (folds["role"] == "test"), "patient_id"])


def _embedding(sources: Sources, tables: dict[str, pd.DataFrame], cfg: dict) -> Figure | None:
    """Test pairs of the first fold under the widest pretrained model."""
    if sources.checkpoint is None or not cfg["tasks.labels"]:
        return None
    content = load_checkpoint(sources.checkpoint)
    if content["status"] != "ok":
        return None
    patients, wsi, rna = embed_pairs(content, sources.store, sources.rna, _first_test(tables))
    if len(patients) < 3:
        return None
    label = tables["outcomes"].set_index("patient_id")[f"label_{cfg['tasks.labels'][0]['name']}"]
    return embedding(wsi, rna, [label.get(p) for p in patients], "test fold 0")
