"""What a run's results hold, whatever their stamps: what two runs are compared by."""

from pathlib import Path

from confuselt.content import content_hash

KINDS = {".parquet", ".h5", ".h5ad", ".pt", ".json", ".html", ".csv", ".png"}


def contents(folder: Path) -> dict[str, str]:
    """Content hash of every result of the run in `folder`.

    Records of per-slide files (hidden) hold a key over times of change, and stay out.
    """
    results = folder / "results"
    return {
        str(p.relative_to(results)): content_hash(p)
        for p in sorted(results.rglob("*"))
        if p.suffix in KINDS and not p.name.startswith(".") and not {"logs", "benchmarks"} & set(p.parts)
    }
