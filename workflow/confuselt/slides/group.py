"""Index of a group of slides: what came of each, or why it cannot be used."""

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from confuselt.slides.kept import forget
from confuselt.tables import Table
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)


def run_group(rows: list[dict], work: Callable[[dict], dict], table: Table, folder: Path | None = None) -> pd.DataFrame:
    """Index part of a group: every row with what `work` found out, or with the reason why it is excluded.

    Parameters
    ----------
    rows : list of dict
        ``slide_id, patient_id`` and, where an earlier stage excluded the slide, ``reason``.
    work : callable
        Row to ``n``, ``sha`` and further columns; may raise Unusable.
    table : Table
    folder : Path, optional
        Where `work` writes files of each slide: those of an excluded one are removed.
    """
    found = []
    for number, row in enumerate(rows, 1):
        ids = {"slide_id": row["slide_id"], "patient_id": row["patient_id"], "n": 0}
        try:
            if row.get("reason"):
                raise Unusable(row["reason"])
            found.append({**ids, "status": "ok", **work(row)})
            log.info("slide %d of %d, %s: %d rows", number, len(rows), row["slide_id"], found[-1]["n"])
        except Unusable as reason:
            log.warning("slide %d of %d, %s excluded: %s", number, len(rows), row["slide_id"], reason)
            found.append({**ids, "status": "excluded", "reason": str(reason)})
            if folder is not None:
                forget(row["slide_id"], folder)
    return pd.DataFrame(found, columns=list(table.columns))


def after(part: pd.DataFrame, stage: str, rows: list[dict]) -> list[dict]:
    """Rows for the next stage: those of the sheet with what `stage` found out; an excluded slide keeps its reason."""
    known = part.set_index("slide_id").to_dict("index")
    return [
        {
            **row,
            **known[row["slide_id"]],
            "reason": None
            if known[row["slide_id"]]["status"] == "ok"
            else _copied(known[row["slide_id"]]["reason"], stage),
        }
        for row in rows
    ]


def _copied(reason: str, stage: str) -> str:
    return reason if reason.startswith("excluded at ") else f"excluded at {stage}: {reason}"


def say_warnings(index: pd.DataFrame) -> None:
    """Log what is odd about slides: column ``warning``."""
    for row in index[index["warning"].notna()].itertuples():
        log.warning("slide %s: %s", row.slide_id, row.warning)


def join_parts(parts: list[Path], slides: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Index of a stage from the parts of its groups; a slide that `acquire` excluded is excluded here too."""
    frames = [pd.read_parquet(p) for p in parts]
    index = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(table.columns))
    lost = slides[slides["status"] != "ok"].set_index("slide_id")["reason"]
    hit = index["slide_id"].isin(lost.index)
    index.loc[hit, "reason"] = "excluded at acquire: " + index.loc[hit, "slide_id"].map(lost).astype(str)
    index.loc[hit, ["status", "n", "sha"]] = ["excluded", 0, None]
    return index.sort_values("slide_id", ignore_index=True)
