"""Files that the report is made of, by the names that rule and script give them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sources:
    """Files that the report is made of."""

    predictions: Path
    metrics: Path
    comparisons: Path
    retrieval: Path
    curves: Path
    strata: Path
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
    others: list[Path]  # that the numbers rest on, and that say how they were made
    grids: Path | None = None
    attributions: Path | None = None
    space: Path | None = None
    tiles: Path | None = None
    attention: Path | None = None
    pathways: Path | None = None
