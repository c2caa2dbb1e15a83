"""Simulate a cohort at the level of features; the truth is written beside it."""

from confuselt.run_step import Output, run_step
from confuselt.simulate.cohort import simulate_features

READS = ("simulate.*", "-simulate.level", "-simulate.slide_mm")


def main(tile: Output, cells: Output, rna: Output, clinical: Output, truth: Output, cfg: dict) -> None:
    """Write what a user would bring."""
    cohort = simulate_features(cfg)
    for frame, path in ((cohort.tile, tile), (cohort.cells, cells), (cohort.rna, rna), (cohort.truth, truth)):
        frame.to_parquet(path, index=False)
    cohort.clinical.to_csv(clinical, index=False)


if __name__ == "__main__":
    run_step(main, globals())
