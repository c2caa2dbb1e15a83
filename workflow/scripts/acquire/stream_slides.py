"""Slides of a group, one after the other: fetched, tiled, embedded, typed and deleted.

Results are those of the jobs that keep them.
"""

from pathlib import Path

from confuselt.acquire.download import Manner
from confuselt.acquire.fetch import sources_of
from confuselt.acquire.schema import FETCHED
from confuselt.cells.checked import check_same as check_finder
from confuselt.cells.finder import Machine
from confuselt.cells.load import load_source
from confuselt.cells.schema import CELLS_INDEX
from confuselt.device import pick_device
from confuselt.embed.checked import check_same
from confuselt.embed.encoder import load_encoder
from confuselt.embed.schema import STREAM_INDEX
from confuselt.run_step import Output, run_step
from confuselt.stream.fetcher import Fetcher
from confuselt.stream.slides import Steps, stream_group
from confuselt.tables import write_table
from confuselt.tile.schema import TILE_INDEX

READS = (
    "data",
    "tile.*",
    "embed.encoder",
    "embed.card",
    "cells.method",
    "cells.card",
    "cells.nuclei",
    "cells.roles",
    "cells.origin",
    "cells.max_tiles",
    "cells.keep_nuclei",
)


def main(
    part: Output,
    tiles: Output,
    embedded: Output,
    cfg: dict,
    url: str,
    typed: Output | None = None,
    weights: Path | None = None,
    file: str = "",
    cell_weights: Path | None = None,
    cell_file: str = "",
    workers: int = 0,
    device: str = "auto",
    compiled: int = 0,
    cells_compiled: int = 0,
    mirror: str = "",
    token_file: str = "",
    connections: int = 4,
    segment_mb: int = 16,
    attempts: int = 8,
    timeout: float = 30.0,
    given: str = "",
    slides_on_disk: int = 1,
) -> None:
    """Write the group's parts of four indexes; no more than one slide of it is on disk, or two."""
    sources = sources_of(url, mirror or None, token_file or None, timeout)
    folders = [path and path.parent.parent for path in (tiles, embedded, typed)]
    encoder = load_encoder(cfg["embed.encoder"], cfg["embed.card"], file or None, pick_device(device), bool(compiled))
    check_same(encoder, weights)
    source = None
    if typed is not None:
        source = load_source(cfg, cell_file or None, Machine(device, workers, bool(cells_compiled)))
        check_finder(source.recipe(), cell_weights)
    steps = Steps(Path(cfg["data"]), cfg, encoder, source, *folders)
    manner = Manner(connections, segment_mb << 20, attempts, given)
    with Fetcher(steps.data, sources, manner) as fetcher:
        found = stream_group(cfg["rows"], steps, fetcher, slides_on_disk)
    for frame, path, table in zip(
        found, (part, tiles, embedded, typed), (FETCHED, TILE_INDEX, STREAM_INDEX, CELLS_INDEX), strict=True
    ):
        if path is not None:
            write_table(frame, path, table)


if __name__ == "__main__":
    run_step(main, globals())
