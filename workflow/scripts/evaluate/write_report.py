"""The benchmark report: one HTML file that needs nothing else."""

from pathlib import Path

import matplotlib.pyplot as plt

from confuselt.evaluate.report import Sources, build_report
from confuselt.run_step import Output, run_step

READS = (
    "experiment",
    "cohort",
    "acquire.source",
    "simulate.effect",
    "simulate.modalities",
    "simulate.cells",
    "simulate.shared",
    "tasks.survival",
    "tasks.labels",
    "embed.trained_on",
    "cells.trained_on",
    "rna.matrix",
    "rna.scaled_outside",
    "split.from",
    "split.folds",
    "split.repeats",
    "split.group",
    "evaluate.primary",
    "evaluate.min_events",
    "evaluate.draws",
    "evaluate.plan",
)


def main(
    predictions: Path,
    metrics: Path,
    comparisons: Path,
    retrieval: Path,
    curves: Path,
    plan: Path,
    folds: Path,
    store: Path,
    rna: Path,
    outcomes: Path,
    covariates: Path,
    patients: Path,
    downloads: Path,
    slides: Path,
    tile_index: Path,
    cells_index: Path,
    rna_index: Path,
    benchmarks: Path,
    arm_models: list[Path],
    reduced: list[Path],
    report: Output,
    forest: Output,
    retrieval_figure: Output,
    cfg: dict,
    checkpoint: Path | None = None,
    grids: Path | None = None,
) -> None:
    """Render tables, figures and the answers in words."""
    sources = Sources(
        predictions,
        metrics,
        comparisons,
        retrieval,
        curves,
        plan,
        folds,
        store,
        rna,
        outcomes,
        covariates,
        patients,
        downloads,
        slides,
        tile_index,
        cells_index,
        rna_index,
        benchmarks,
        arm_models,
        reduced,
        checkpoint,
        grids,
    )
    html, figures = build_report(sources, cfg)
    Path(report).write_text(html, encoding="utf-8")
    figures["forest"].savefig(forest, format="png")
    figures["retrieval"].savefig(retrieval_figure, format="png")
    plt.close("all")


if __name__ == "__main__":
    run_step(main, globals())
