"""The job that embeds beside the encoder alone: how long a model waits for its tiles.

``python benchmarks/embed.py SMALL.svs`` makes sixteen slides from the real pixels of a small one
(CMU-1-Small-Region.svs of OpenSlide's test data; by default where the tests look for it), cuts their tiles, and embeds
them as the job does, with `embed.workers` 0 and 1, and as TRIDENT's loop does, which reads a batch and then embeds it;
beside the rate of the encoder on tiles that are in memory. On a machine with a GPU the slides are large, the encoder is
a ViT-L/16 with weights of a seed, plain and compiled, and processes on all cores but two read.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import openslide
import torch
from PIL import Image
from slides import SLIDE_MPP, SMALL, make_slide

from confuselt.config.root import Config
from confuselt.device import pick_device
from confuselt.embed.card import card_of
from confuselt.embed.encoder import Encoder, load_encoder
from confuselt.embed.encoders.timm import untrained
from confuselt.embed.group import Job, embed_slides
from confuselt.slides.group import run_group
from confuselt.slides.slide import BATCH, Slide
from confuselt.slides.workers import Workers
from confuselt.tile.group import tile_slide
from confuselt.tile.schema import TILE_INDEX

SLIDES, SIDES, LARGE, REPEATS, SECONDS = 16, (8_000, 6_000), (40_000, 30_000), 3, 5
ON_GPU = "uni"


def prepared(folder: Path, mpp: float | None = None) -> list[dict]:
    """Rows of slides with tiles; all are the file ``0.svs``, at its own resolution or at another."""
    grids = folder / f"tile{mpp or ''}"
    row = {"slide_id": "0", "patient_id": "0", "file": "0.svs", "mpp": mpp, "reader": "tiled_tiff"}
    cfg = {f"tile.{k}": v for k, v in Config().tile.model_dump().items()}
    table = run_group([row], lambda row: tile_slide(row, folder, grids, cfg), TILE_INDEX)
    row |= {**table.to_dict("records")[0], "mpp_given": mpp, "reason": None, "grids": grids}
    for number in range(1, SLIDES):
        os.link(grids / "0.parquet", grids / f"{number}.parquet")
    return [{**row, "slide_id": str(number)} for number in range(SLIDES)]


def seeded(name: str, device: torch.device, compiled: bool) -> Encoder:
    """An encoder of a card with random weights, which are as fast as any."""
    torch.manual_seed(0)
    return Encoder(name, card_of(name), "0" * 64, untrained(card_of(name)), device, compiled=compiled)


def alone(encoder: Encoder, tiles: np.ndarray) -> float:
    """Tiles a second of the encoder on blocks that are in memory."""
    encoder.embed(tiles)
    start, many = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        many += len(encoder.embed(tiles))
    return many / (time.perf_counter() - start)


def of_job(encoder: Encoder, rows: list[dict], folder: Path, workers: Workers | None) -> float:
    """Tiles a second of the whole job."""
    with tempfile.TemporaryDirectory() as bags:
        start = time.perf_counter()
        done = embed_slides(rows, Job(folder, rows[0]["grids"], Path(bags), encoder, 0.5, workers))
        return done["n"].sum() / (time.perf_counter() - start)


def of_trident(encoder: Encoder, rows: list[dict], folder: Path) -> float:
    """Tiles a second of reading a batch through OpenSlide and PIL, embedding it, and so on."""
    start, many = time.perf_counter(), 0
    for row in rows:
        job = Job(folder, row["grids"], folder, encoder, 0.5)
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


def block_of(encoder: Encoder, rows: list[dict], folder: Path) -> np.ndarray:
    """Tiles of a slide, as many as go through the encoder at once."""
    tiles = encoder.block(encoder.at_once)
    slide, coords = Slide(folder / rows[0]["file"]), Job(folder, rows[0]["grids"], folder, encoder, 0.5).grid(rows[0])
    size = int(rows[0]["tile_px"])
    for number in range(len(tiles)):
        x, y = coords[number % len(coords)].tolist()
        tiles[number] = slide.read(x, y, size, size, tiles.shape[1:3])
    return tiles


def on_a_gpu(small: Path, folder: Path) -> None:
    """Large slides, read by all cores but two; at 40x, and as if of 20x, whose tiles are a quarter as large."""
    cores = os.cpu_count() - 2
    with Workers(cores, BATCH * card_of(ON_GPU).size ** 2 * 3) as workers:  # before the GPU is touched
        make_slide(small, folder / "0.svs", *LARGE)
        cases = {"40x": prepared(folder), "20x": prepared(folder, 2 * SLIDE_MPP)[:4]}
        device = pick_device("cuda")
        for compiled in (False, True):
            encoder = seeded(ON_GPU, device, compiled)
            best = alone(encoder, block_of(encoder, cases["20x"], folder))
            print(f"{ON_GPU}{', compiled' * compiled} on {torch.cuda.get_device_name()}: {best:.0f} tiles/s alone")
            for name, rows in cases.items():
                many = sum(len(Job(folder, r["grids"], folder, encoder, 0.5).grid(r)) for r in rows)
                rate = of_job(encoder, rows, folder, workers)
                print(f"  the job, {name}, {many} tiles, {cores} read: {rate:.0f} tiles/s, {rate / best:.0%}")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB at most")


def on_one_thread(small: Path, folder: Path) -> None:
    """Every way in turn, a few times over."""
    card = card_of("efficientnet-lite0")
    with Workers(1, BATCH * card.size**2 * 3) as one:
        make_slide(small, folder / "0.svs", *SIDES)
        rows = prepared(folder)
        encoder = load_encoder("efficientnet-lite0", card.in_job, None, pick_device("cpu"))
        tiles = block_of(encoder, rows, folder)
        print(f"{SLIDES} slides of {rows[0]['n']} tiles, {encoder.name} on one thread, {encoder.at_once} at once")
        ways = {
            "the encoder alone": lambda: alone(encoder, tiles),
            "TRIDENT's loop": lambda: of_trident(encoder, rows, folder),
            "the job, it reads itself": lambda: of_job(encoder, rows, folder, None),
            "the job, one process reads": lambda: of_job(encoder, rows, folder, one),
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("small", type=Path, nargs="?", default=SMALL)
    given = parser.parse_args()
    if not given.small.is_file():
        print(f"{given.small} is absent: give a small slide with real tissue; nothing is measured")
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as at:
        if torch.cuda.is_available():
            on_a_gpu(given.small, Path(at))
        else:
            on_one_thread(given.small, Path(at))


if __name__ == "__main__":
    main()
