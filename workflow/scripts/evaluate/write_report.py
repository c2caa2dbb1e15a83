"""The benchmark report: one HTML file that needs nothing else."""

from pathlib import Path

import matplotlib.pyplot as plt

from confuselt.report.page import build_report
from confuselt.report.provenance import write_provenance
from confuselt.report.run import Run
from confuselt.report.sources import Sources
from confuselt.run_step import Output, run_step

READS = (
    "experiment",
    "cohort",
    "seed",
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
    "rna.transform",
    "rna.scaling",
    "rna.genes",
    "split.from",
    "split.folds",
    "split.repeats",
    "split.group",
    "split.inner",
    "pack.scaling_tile",
    "pack.scaling_cells",
    "pack.scaling_deep",
    "evaluate.primary",
    "evaluate.min_events",
    "evaluate.draws",
    "evaluate.plan",
)


def main(
    sources: Sources, report: Output, forest: Output, retrieval_figure: Output, provenance: Output, cfg: dict
) -> None:
    """Render sections, tables and figures."""
    run = Run(sources, cfg)
    html, figures = build_report(run)
    Path(report).write_text(html, encoding="utf-8")
    write_provenance(run.provenance, provenance)
    figures["forest"].savefig(forest, format="png")
    figures["retrieval"].savefig(retrieval_figure, format="png")
    plt.close("all")


if __name__ == "__main__":
    run_step(main, globals())
