"""Fetch, tile, embed, type and delete, slide by slide: a cohort of 1 TB on a disk that holds a few slides."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from confuselt.acquire.download import Manner, Outage, Source, fetch
from confuselt.acquire.fetch import Meter, check_space, remote_of
from confuselt.acquire.given import given_path
from confuselt.acquire.partial import begun, discard
from confuselt.acquire.schema import FETCHED
from confuselt.cells.group import type_slide
from confuselt.cells.schema import CELLS_INDEX
from confuselt.embed.encoder import Encoder
from confuselt.embed.group import Job, embed_slides
from confuselt.run_step import acting_as
from confuselt.slides.group import after, run_group
from confuselt.tables import Table
from confuselt.tile.group import tile_slide
from confuselt.tile.schema import TILE_INDEX
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Steps:
    """What is done with each slide, and where it is written.

    Attributes
    ----------
    data : Path
        Where relative paths start.
    cfg : dict
        Keys ``tile.*``, ``embed.encoder``, ``cells.method``, ``cells.keep_nuclei``, and ``rows`` of the group.
    encoder : Encoder
    grids, bags : Path
        Folders of `tile` and `embed`.
    cells : Path or None
        Folder of `cells`; None: nuclei are not sought.
    """

    data: Path
    cfg: dict
    encoder: Encoder
    grids: Path
    bags: Path
    cells: Path | None


def stream_group(rows: list[dict], steps: Steps, sources: list[Source], manner: Manner) -> tuple[pd.DataFrame, ...]:
    """Parts of the indexes of acquire, tile, embed and cells. A slide is fetched only when some step lacks its result.

    Parameters
    ----------
    rows : list of dict
        Sheet rows with those of the manifest.
    steps : Steps
    sources : list of Source
    manner : Manner
    """
    # A slide that a job left when it was cut off comes first, so that its bytes serve and no other slide lies beside
    # it.
    left = [row for row in rows if begun(steps.data / row["file"])]
    for row in left[1:]:
        discard(steps.data / row["file"])
    ordered = left[:1] + [row for row in rows if row not in left[:1]]
    parts = [_stream_slide(row, steps, sources, manner) for row in ordered]
    return tuple(pd.concat(some).sort_values("slide_id", ignore_index=True) for some in zip(*parts, strict=True))


def _stream_slide(row: dict, steps: Steps, sources: list[Source], manner: Manner) -> tuple[pd.DataFrame, ...]:
    path, lost = steps.data / row["file"], []

    def bring() -> None:
        if lost:
            raise Unusable(f"excluded at acquire: {lost[0]}")
        here = given_path(manner.given, row["file_id"], row["file_name"], row["bytes"])
        if not path.is_file() and here is None:
            check_space(path.parent, row["bytes"], 1)
        try:
            with Meter(row["bytes"], path.parent) as meter:
                fetch(remote_of(row), path, sources, manner, meter.told)
        except Unusable as reason:
            lost.append(str(reason))
            raise Unusable(f"excluded at acquire: {reason}") from None

    try:
        tiles = _act(
            steps.cfg,
            "tile",
            "cut_tiles",
            [row],
            TILE_INDEX,
            steps.grids,
            lambda r: tile_slide(r, steps.data, steps.grids, _of(steps.cfg, "tile"), bring),
        )
        next_rows = after(tiles, "tile", [{**row, "mpp_given": row["mpp"]}])
        with acting_as("embed", "embed_tiles", steps.cfg):
            job = Job(steps.data, steps.grids, steps.bags, steps.encoder, steps.cfg["tile.mpp"], bring=bring)
            bags = embed_slides(next_rows, job)
        if steps.cells is None:
            typed = pd.DataFrame(columns=list(CELLS_INDEX.columns))
        else:
            method, keep, cells = steps.cfg["cells.method"], steps.cfg["cells.keep_nuclei"], steps.cells
            typed = _act(
                steps.cfg,
                "cells",
                "find_cells",
                next_rows,
                CELLS_INDEX,
                cells,
                lambda r: type_slide(r, steps.data, steps.grids, cells, method, keep, bring),
            )
    except Outage:
        raise  # what came of the slide is kept for the next run
    except BaseException:
        discard(path)
        raise
    discard(path)

    def found(_: dict) -> dict:
        if lost:
            raise Unusable(lost[0])
        return {"n": row["bytes"], "sha": row["md5"]}

    return run_group([row], found, FETCHED), tiles, bags, typed


def _act(
    cfg: dict, stage: str, rule: str, rows: list[dict], table: Table, folder: Path, work: Callable[[dict], dict]
) -> pd.DataFrame:
    """Do one stage's work under its own name and code hash, so that its files are those of its own job."""
    with acting_as(stage, rule, cfg):
        return run_group(rows, work, table, folder)


def _of(cfg: dict, stage: str) -> dict:
    return {k: v for k, v in cfg.items() if k.startswith(f"{stage}.")}
