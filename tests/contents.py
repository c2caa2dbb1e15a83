"""What a run's results hold, whatever their stamps: what two runs are compared by."""

import hashlib
import re
from pathlib import Path

from confuselt.content import content_hash

KINDS = {".parquet", ".h5", ".h5ad", ".pt", ".json", ".html", ".csv", ".png"}


def hash_of(path: Path) -> str:
    """Content hash of a result."""
    if path.suffix != ".html":
        return content_hash(path)
    text = re.sub(r'<section class="costs">.*?</section>|[\d.e-]+ hours of jobs', "", path.read_text(), flags=re.DOTALL)
    return hashlib.sha256(text.encode()).hexdigest()


def contents(folder: Path) -> dict[str, str]:
    """Content hash of every result of the run in `folder`.

    Records of per-slide files (hidden) hold a key over times of change, and stay out; so does what a report says of
    time and memory.
    """
    results = folder / "results"
    return {
        str(p.relative_to(results)): hash_of(p)
        for p in sorted(results.rglob("*"))
        if p.suffix in KINDS and not p.name.startswith(".") and not {"logs", "benchmarks"} & set(p.parts)
    }
