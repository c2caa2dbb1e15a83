"""A table of centroids: genes x classes on a log2 scale, and the fixed median of each gene."""

from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.sheets.read import header_of, read_turned, repeated
from confuselt.sheets.words import plain_name

# Spellings of the classes, in lower case without punctuation, to the project's words.
CLASSES = {
    **{c.lower(): c for c in ("Basal", "Her2", "LumA", "LumB", "Normal")},
    "basallike": "Basal",
    "luminala": "LumA",
    "luminalb": "LumB",
    "normallike": "Normal",
}


def common_name(centroid: str) -> str:
    """PAM50's class as the project calls it, whatever its spelling; any other name as it is."""
    return CLASSES.get(plain_name(centroid), centroid)


def read_centroids(path: Path) -> tuple[pd.DataFrame, pd.Series | None]:
    """Centroids (genes x classes), and the fixed median of each gene (None: the table has no column ``median``)."""
    first = header_of(path)[0]
    table = read_turned(path, [i for i, name in enumerate(header_of(path)) if i and name], "class")
    centroids = pd.DataFrame(table.values.T, index=table.names, columns=table.ids["class"])
    if twice := repeated(table.names):
        raise ValueError(f"{path}: genes {twice[:5]} stand twice in column '{first}'; a centroid has one value of each")
    if not np.isfinite(centroids.to_numpy()).all():
        raise ValueError(f"{path}: a gene without a number in some column, first '{_first_gap(centroids)}'")
    return centroids.drop(columns="median", errors="ignore"), centroids.get("median")


def _first_gap(centroids: pd.DataFrame) -> str:
    return centroids.index[int(np.argmax(~np.isfinite(centroids.to_numpy()).all(1)))]


def with_medians(path: Path, medians: pd.Series | None) -> pd.Series:
    """The fixed medians of a table; ValueError where it has none."""
    if medians is None:
        raise ValueError(
            f"{path}: no column 'median'; calls need fixed medians per gene (log2 scale), or, in rna.calls, a clinical "
            "column by which those of the cohort are balanced (balanced_by)"
        )
    return medians


def classes_of(centroids: list[str], task: dict, path: Path) -> list[str]:
    """Names of centroids as a label names its classes: as written, by its aliases, or as PAM50 is commonly spelt.

    A class that is left out on purpose (an alias to null) keeps its name.

    Raises
    ------
    ValueError
        A centroid is no class of the label: its patients would stay without one, while all others get theirs.
    """
    known = {*task["classes"], *task["aliases"]}
    found = [name if name in known else common_name(name) for name in centroids]
    if unknown := [name for name in found if name not in known]:
        raise ValueError(
            f"{path}: centroid '{unknown[0]}' is no class of label '{task['name']}' {task['classes']}; name it in its "
            f"aliases: {{{unknown[0]}: one of them, or null to leave it out}}"
        )
    return found


def check_centroids(path: Path, task: dict, balanced: bool) -> None:
    """Raise ValueError for a table of centroids by which a label cannot be called."""
    centroids, medians = read_centroids(path)
    classes_of(list(centroids.columns), task, path)
    if not balanced:
        with_medians(path, medians)
