"""The job that embeds beside the encoder alone: how long a model waits for its tiles.

``python benchmarks/embed.py SMALL.svs`` makes sixteen slides from the real pixels of a small one
(CMU-1-Small-Region.svs of OpenSlide's test data; by default where the tests look for it), cuts their tiles, and embeds
them as the job does, with `embed.workers` 0 and 1, and as TRIDENT's loop does, which reads a batch and then embeds it;
beside the rate of the encoder on tiles that are in memory. On a machine with a GPU it is used.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import openslide
import torch
from PIL import Image
from slides import SMALL, make_slide

from confuselt.config.root import Config
from confuselt.device import pick_device
from confuselt.embed.card import card_of
from confuselt.embed.encoder import Encoder, load_encoder
from confuselt.embed.group import Job, embed_slides
from confuselt.slides.group import run_group
from confuselt.slides.slide import BATCH, Slide
from confuselt.slides.workers import Workers
from confuselt.tile.group import tile_slide
from confuselt.tile.schema import TILE_INDEX

SLIDES, SIDES, REPEATS = 16, (8_000, 6_000), 3


def prepared(small: Path, folder: Path) -> list[dict]:
    """Rows of slides with tiles; all are one file."""
    make_slide(small, folder / "0.svs", *SIDES)
    rows = []
    for number in range(SLIDES):
        if number:
            os.link(folder / "0.svs", folder / f"{number}.svs")
        file = f"{number}.svs"
        rows.append(
            {"slide_id": str(number), "patient_id": str(number), "file": file, "mpp": None, "reader": "tiled_tiff"}
        )
    cfg = {f"tile.{k}": v for k, v in Config().tile.model_dump().items()}
    table = run_group(rows, lambda row: tile_slide(row, folder, folder / "tile", cfg), TILE_INDEX)
    facts = table.set_index("slide_id").to_dict("index")
    return [{**row, **facts[row["slide_id"]], "mpp_given": None, "reason": None} for row in rows]


def alone(encoder: Encoder, tiles: np.ndarray) -> float:
    """Tiles a second of the encoder on blocks that are in memory."""
    encoder.embed(tiles)
    start, many = time.perf_counter(), 0
    while time.perf_counter() - start < 10:
        many += len(encoder.embed(tiles))
    return many / (time.perf_counter() - start)


def of_job(encoder: Encoder, rows: list[dict], folder: Path, workers: int) -> float:
    """Tiles a second of the whole job."""
    with (
        tempfile.TemporaryDirectory() as bags,
        Workers(workers, BATCH * encoder.card.size**2 * 3) if workers else nullcontext() as reading,
    ):
        start = time.perf_counter()
        done = embed_slides(rows, Job(folder, folder / "tile", Path(bags), encoder, 0.5, reading))
        return done["n"].sum() / (time.perf_counter() - start)


def of_trident(encoder: Encoder, rows: list[dict], folder: Path) -> float:
    """Tiles a second of reading a batch through OpenSlide and PIL, embedding it, and so on."""
    start, many = time.perf_counter(), 0
    for row in rows:
        job = Job(folder, folder / "tile", folder, encoder, 0.5)
        coords, slide = job.grid(row), openslide.OpenSlide(folder / row["file"])
        side, size = int(row["tile_px"]), encoder.card.size
        level = slide.get_best_level_for_downsample(side / size)
        part = round(side / slide.level_downsamples[level])
        for first in range(0, len(coords), encoder.at_once):
            batch = [
                np.asarray(
                    slide.read_region((int(x), int(y)), level, (part, part))
                    .convert("RGB")
                    .resize((size, size), Image.BOX)
                )
                for x, y in coords[first : first + encoder.at_once]
            ]
            many += len(encoder.embed(np.stack(batch)))
    return many / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("small", type=Path, nargs="?", default=SMALL)
    given = parser.parse_args()
    if not given.small.is_file():
        print(f"{given.small} is absent: give a small slide with real tissue; nothing is measured")
        return
    device = pick_device("auto")
    torch.set_num_threads(1)
    encoder = load_encoder("efficientnet-lite0", card_of("efficientnet-lite0").in_job, None, device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "one thread"
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        rows = prepared(given.small, folder)
        tiles = encoder.block(encoder.at_once)
        slide, coords = Slide(folder / "0.svs"), Job(folder, folder / "tile", folder, encoder, 0.5).grid(rows[0])
        size = int(rows[0]["tile_px"])
        for number, (x, y) in enumerate(coords[: len(tiles)].tolist()):
            tiles[number] = slide.read(x, y, size, size, tiles.shape[1:3])
        print(f"{SLIDES} slides of {len(coords)} tiles, {encoder.name} on {name}, {encoder.at_once} at once")
        ways = {
            "the encoder alone": lambda: alone(encoder, tiles),
            "TRIDENT's loop": lambda: of_trident(encoder, rows, folder),
            "the job, it reads itself": lambda: of_job(encoder, rows, folder, 0),
            "the job, one process reads": lambda: of_job(encoder, rows, folder, 1),
        }
        found: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(REPEATS):
            for way, measure in ways.items():
                found[way].append(measure())
    best = statistics.median(found["the encoder alone"])
    for way, rates in found.items():
        rate = statistics.median(rates)
        print(f"  {way:<28} {rate:8.1f} tiles/s [{min(rates):.1f}, {max(rates):.1f}]  {rate / best:.0%}")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB at most")


if __name__ == "__main__":
    main()
