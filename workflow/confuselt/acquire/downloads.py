"""The table of listed files: which exist, how large they are, what they hold."""

import hashlib
import os
from pathlib import Path

import pandas as pd

from confuselt.acquire.headers import header_notes

# Config key of acquire to the argument of the rule that reads it.
FILES = {
    "slides": "slide_sheet",
    "tile": "tile_table",
    "cells": "cells_table",
    "rna": "rna_matrix",
    "clinical": "clinical_table",
    "site_map": "site_map",
}


def listed_path(data: str, name: str) -> Path:
    """Where a listed file lies: `name` from `data` on.

    A table of the user's own beside a cohort from GDC lies back (`..`) out of folders that the first run has yet to
    make.
    """
    plain = Path(data, name)
    return plain if plain.exists() else Path(os.path.normpath(plain))


def source_table(listed: dict[str, Path], id_column: str) -> pd.DataFrame:
    """Rows of ``acquire/downloads``: every listed file.

    Each has size, sha256 and what of it is not read, or why it is not used.
    """
    rows = []
    for what, path in sorted(listed.items()):
        if not path.is_file():
            rows.append(
                {
                    "what": what,
                    "file": path.name,
                    "status": "excluded",
                    "reason": f"{path.name} is listed as acquire.{what} but absent",
                    "bytes": 0,
                    "sha": None,
                }
            )
            continue
        with path.open("rb") as handle:
            sha = hashlib.file_digest(handle, "sha256").hexdigest()
        notes = "; ".join(header_notes(what, path, id_column)) or None
        rows.append(
            {"what": what, "file": path.name, "status": "ok", "reason": notes, "bytes": path.stat().st_size, "sha": sha}
        )
    return pd.DataFrame(rows, columns=["what", "file", "status", "reason", "bytes", "sha"])


def fetched_table(part: Path) -> pd.DataFrame:
    """Rows of ``acquire/downloads`` for what a job fetched: slides of a group, or all other files."""
    frame = pd.read_parquet(part)
    if "what" not in frame:
        frame = frame.assign(what="slide", file=frame["slide_id"])
    return frame.rename(columns={"n": "bytes"})[["what", "file", "status", "reason", "bytes", "sha"]]
