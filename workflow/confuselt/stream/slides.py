"""Fetch, tile, embed, type and delete, slide by slide: a cohort of 1 TB on a disk that holds a few slides."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from confuselt.acquire.download import Outage
from confuselt.acquire.partial import begun, discard
from confuselt.acquire.schema import FETCHED
from confuselt.cells.group import Job as Typing
from confuselt.cells.group import Source, type_slide
from confuselt.cells.pixels import FromSlides
from confuselt.cells.schema import CELLS_INDEX
from confuselt.embed.encoder import Encoder
from confuselt.embed.group import Job, embed_slides
from confuselt.run_step import acting_as
from confuselt.slides.group import after, run_group
from confuselt.slides.kept import kept_facts
from confuselt.stream.fetcher import Fetcher
from confuselt.tables import Table
from confuselt.tile.group import grid_key, tile_slide
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
        Keys ``tile.*``, ``embed.encoder``, ``cells.keep_nuclei``, and ``rows`` of the group.
    encoder : Encoder
    source : Source or None
        Where nuclei come from; None: they are not sought.
    grids, bags : Path
        Folders of `tile` and `embed`.
    cells : Path or None
        Folder of `cells`.
    """

    data: Path
    cfg: dict
    encoder: Encoder
    source: Source | None
    grids: Path
    bags: Path
    cells: Path | None

    @property
    def of_tile(self) -> dict:
        """Settings of `tile`."""
        return {k: v for k, v in self.cfg.items() if k.startswith("tile.")}

    def is_new(self, row: dict) -> bool:
        """Whether a slide has to be tiled, so that it is surely needed."""
        with acting_as("tile", "cut_tiles", self.cfg):
            key = grid_key(row, self.data, self.of_tile)
            return kept_facts(self.grids / f"{row['slide_id']}.parquet", key) is None


def stream_group(rows: list[dict], steps: Steps, fetcher: Fetcher, on_disk: int) -> tuple[pd.DataFrame, ...]:
    """Parts of the indexes of acquire, tile, embed and cells. A slide is fetched only when some step lacks its result.

    Parameters
    ----------
    rows : list of dict
        Sheet rows with those of the manifest.
    steps : Steps
    fetcher : Fetcher
    on_disk : int
        Slides on disk at once: 1, or 2 for the next to come while one is worked on.
    """
    # Slides that a job left when it was cut off come first, so that their bytes serve and no more lie beside them.
    left = [row for row in rows if begun(steps.data / row["file"])]
    for row in left[on_disk:]:
        discard(steps.data / row["file"])
    first = left[:on_disk]
    ordered, start = first + [row for row in rows if row not in first], time.perf_counter()
    parts = []
    for row, following in zip_longest(ordered, ordered[1:]):
        ahead = following if on_disk > 1 and following is not None and steps.is_new(following) else None
        parts.append(_stream_slide(row, steps, fetcher, partial(_bring, fetcher, row, ahead)))
    took = time.perf_counter() - start
    log.info(
        "%d slides in %.0f s; the encoder worked %.0f %% of it, %.0f %% went by waiting for downloads",
        *(len(rows), took, 100 * steps.encoder.worked / took, 100 * fetcher.waited / took),
    )
    return tuple(pd.concat(some).sort_values("slide_id", ignore_index=True) for some in zip(*parts, strict=True))


def _bring(fetcher: Fetcher, row: dict, following: dict | None) -> None:
    """Wait for a slide; once it is there the next one starts to come."""
    fetcher.bring(row)
    if following is not None:
        fetcher.begin(following)


def _stream_slide(row: dict, steps: Steps, fetcher: Fetcher, bring: Callable[[], None]) -> tuple[pd.DataFrame, ...]:
    path = steps.data / row["file"]
    try:
        tiles = _act(
            steps.cfg,
            "tile",
            "cut_tiles",
            [row],
            TILE_INDEX,
            steps.grids,
            lambda r: tile_slide(r, steps.data, steps.grids, steps.of_tile, bring),
        )
        next_rows = after(tiles, "tile", [{**row, "mpp_given": row["mpp"]}])
        with acting_as("embed", "embed_tiles", steps.cfg):
            job = Job(steps.data, steps.grids, steps.bags, steps.encoder, steps.cfg["tile.mpp"], bring=bring)
            bags = embed_slides(next_rows, job)
        if steps.source is None:
            typed = pd.DataFrame(columns=list(CELLS_INDEX.columns))
        else:
            source = replace(steps.source, bring=bring) if isinstance(steps.source, FromSlides) else steps.source
            typing = Typing(steps.data, steps.grids, steps.cells, source, steps.cfg["cells.keep_nuclei"])
            typed = _act(
                steps.cfg,
                "cells",
                "find_cells",
                next_rows,
                CELLS_INDEX,
                steps.cells,
                lambda r: type_slide(r, typing),
            )
    except Outage:
        raise  # what came of the slide is kept for the next run
    except BaseException:
        discard(path)
        raise
    discard(path)

    def found(_: dict) -> dict:
        if row["slide_id"] in fetcher.lost:
            raise Unusable(fetcher.lost[row["slide_id"]])
        return {"n": row["bytes"], "sha": row["md5"]}

    return run_group([row], found, FETCHED), tiles, bags, typed


def _act(
    cfg: dict, stage: str, rule: str, rows: list[dict], table: Table, folder: Path, work: Callable[[dict], dict]
) -> pd.DataFrame:
    """Do one stage's work under its own name and code hash, so that its files are those of its own job."""
    with acting_as(stage, rule, cfg):
        return run_group(rows, work, table, folder)
