"""Pixels: tiles read beside OpenSlide, TIAToolbox, fastslide, the loops of CLAM and TRIDENT; mask; a whole slide.

``python benchmarks/slides.py SMALL.svs`` makes a slide of 24,000 x 18,000 px from the real pixels of a small one
(CMU-1-Small-Region.svs of OpenSlide's test data; by default where the tests look for it), reads it in every way, one
after the other, five times over, on one core, and prints rates and ratios. Peers that are not installed are left out
(``pip install fastslide``; TIAToolbox is a dependency). ``--large`` adds the memory of a slide of 100,000 x 80,000 px.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import cv2
import h5py
import numpy as np
import openslide
import simplejpeg
import tifffile
from PIL import Image

from confuselt.cells.card import card_of
from confuselt.cells.group import grid_of, kept, slide_features
from confuselt.cells.load import load_finder
from confuselt.cells.pixels import slide_nuclei
from confuselt.config.root import Config
from confuselt.slides.slide import BATCH, Slide, Wanted
from confuselt.slides.workers import Workers
from confuselt.tile.grid import cut
from confuselt.tile.tissue import MPP, look

SHARED = Path(os.environ.get("CONFUSELT_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
SMALL = SHARED / "slides/CMU-1-Small-Region.svs"
SLIDE_MPP, REPEATS, TILES = 0.2525, 5, 10_000
ELLIPSES = ((0.33, 0.45, 0.24, 0.36), (0.76, 0.60, 0.15, 0.28))  # centre and half axes, shares of the sides
Reading = Callable[[Path, np.ndarray, int, int], None]


def make_slide(small: Path, path: Path, width: int = 24_000, height: int = 18_000) -> None:
    """Tissue of the small slide, enlarged to 40x and mirrored, in two ellipses of glass; JPEG tiles of 256 px, q75."""
    slide = openslide.OpenSlide(small)
    real = np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))
    real = cv2.resize(real, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    block = np.concatenate([np.concatenate([real, real[:, ::-1]], 1), np.concatenate([real, real[:, ::-1]], 1)[::-1]])
    image = np.full((height, width, 3), 242, np.uint8)
    image += np.random.default_rng(0).integers(0, 4, (height, width, 1), dtype=np.uint8)
    y, x = np.ogrid[:height, :width]
    inside = np.zeros((height, width), bool)
    for cx, cy, a, b in ELLIPSES:
        inside |= ((x - cx * width) / (a * width)) ** 2 + ((y - cy * height) / (b * height)) ** 2 < 1
    for top in range(0, height, block.shape[0]):
        for left in range(0, width, block.shape[1]):
            area = image[top : top + block.shape[0], left : left + block.shape[1]]
            np.copyto(
                area,
                block[: area.shape[0], : area.shape[1]],
                where=inside[top : top + area.shape[0], left : left + area.shape[1], None],
            )
    head = f"Aperio Image Library v11.2.1 \r\n{width}x{height} [0,0 {width}x{height}] (256x256)"
    tail = f"JPEG/RGB Q=75|AppMag = 40|MPP = {SLIDE_MPP}"
    how = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 75}, "metadata": None}
    with tifffile.TiffWriter(path) as file:
        file.write(image, tile=(256, 256), description=f"{head} {tail}", **how)
        thumbnail = cv2.resize(image, (1024, 1024 * height // width), interpolation=cv2.INTER_AREA)
        file.write(thumbnail, rowsperstrip=16, description=f"{head} -> 1024x{len(thumbnail)} - {tail}", **how)
        for by in (4, 16, 32):
            size = (width // by, height // by)
            level = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            file.write(level, tile=(256, 256), description=f"{head} -> {size[0]}x{size[1]} {tail}", **how)


def area(pixels: np.ndarray, out: int) -> np.ndarray:
    return pixels if len(pixels) == out else cv2.resize(pixels, (out, out), interpolation=cv2.INTER_AREA)


def through_openslide(path: Path, coords: np.ndarray, size: int, out: int) -> None:
    slide = openslide.OpenSlide(path)
    for x, y in coords.tolist():
        area(np.asarray(slide.read_region((x, y), 0, (size, size)).convert("RGB")), out)


def as_clam(path: Path, coords: np.ndarray, size: int, out: int) -> None:
    """A dataset whose items open the file of coordinates each time, and resize with PIL."""
    slide = openslide.OpenSlide(path)
    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(f"{folder}/coords.h5", "w") as file:
            file["coords"] = coords
        for number in range(len(coords)):
            with h5py.File(f"{folder}/coords.h5") as file:
                x, y = file["coords"][number].tolist()
            tile = slide.read_region((x, y), 0, (size, size)).convert("RGB")
            np.asarray(tile if size == out else tile.resize((out, out)))


def as_trident(path: Path, coords: np.ndarray, size: int, out: int) -> None:
    """A patcher that reads and resizes with PIL, bicubic."""
    slide = openslide.OpenSlide(path)
    for x, y in coords.tolist():
        tile = slide.read_region((x, y), 0, (size, size)).convert("RGB")
        np.asarray(tile if size == out else tile.resize((out, out), Image.Resampling.BICUBIC))


def through_tiatoolbox(path: Path, coords: np.ndarray, size: int, out: int) -> None:
    from tiatoolbox.wsicore.wsireader import WSIReader

    slide = WSIReader.open(path)
    for x, y in coords.tolist():
        slide.read_rect((x, y), (out, out), resolution=SLIDE_MPP * size / out, units="mpp")


def through_fastslide(path: Path, coords: np.ndarray, size: int, out: int) -> None:
    import fastslide

    slide = fastslide.FastSlide.from_file_path(str(path))
    for x, y in coords.tolist():
        area(slide.read_region((x, y), 0, (size, size)).numpy(), out)


def ours(path: Path, coords: np.ndarray, size: int, out: int) -> None:
    for _ in Slide(path).tiles(coords, Wanted(size, out)):
        pass


READINGS: dict[str, Reading] = {
    "OpenSlide + PIL + area": through_openslide,
    "CLAM's loop": as_clam,
    "TRIDENT's loop": as_trident,
    "TIAToolbox read_rect": through_tiatoolbox,
    **({"fastslide + area": through_fastslide} if find_spec("fastslide") else {}),
    "ours": ours,
}
CASES = {  # side on the slide, side of what is returned, first place, tiles
    "256 px, on the grid": (256, 256, 0, 1_000),
    "256 px, off the grid": (256, 256, 100, 1_000),
    "20x from 40x, 256 px": (512, 256, 0, 400),
}


def tissue_places(path: Path, size: int, first: int, number: int) -> np.ndarray:
    """Places of tiles in the larger ellipse, row by row."""
    width, height = openslide.OpenSlide(path).dimensions
    x, y = (v.ravel() for v in np.meshgrid(*(np.arange(first, s - size, size) for s in (width, height))))
    cx, cy, a, b = ELLIPSES[0]
    middle_x, middle_y = (x + size / 2) / width, (y + size / 2) / height
    inside = ((middle_x - cx) / a) ** 2 + ((middle_y - cy) / b) ** 2 < 1
    return np.stack([x, y], 1)[inside][:number]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def read_tiles(path: Path) -> None:
    for case, (size, out, first, number) in CASES.items():
        coords = tissue_places(path, size, first, number)
        rates: dict[str, list[float]] = {name: [] for name in READINGS}
        for _ in range(REPEATS):
            for name, read in READINGS.items():
                rates[name].append(len(coords) / seconds(partial(read, path, coords, size, out)))
        middle = {name: statistics.median(r) for name, r in rates.items()}
        print(f"\n{case}, {len(coords)} tiles: tiles per second, and ours over it")
        for name, rate in middle.items():
            low, high = min(rates[name]), max(rates[name])
            print(f"  {name:<24} {rate:7.0f} [{low:.0f}, {high:.0f}]  {middle['ours'] / rate:5.2f} x")


def read_decoded(path: Path) -> None:
    """What the decoder alone would take for the same tiles."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        across = -(-page.imagewidth // 256)
        coords = tissue_places(path, 256, 0, 1_000)
        numbers = coords[:, 1] // 256 * across + coords[:, 0] // 256
        handle = os.open(path, os.O_RDONLY)
        stored = [os.pread(handle, page.databytecounts[n], page.dataoffsets[n]) for n in numbers.tolist()]
        os.close(handle)
    pure, whole = [], []
    for _ in range(REPEATS):
        pure.append(seconds(lambda: [simplejpeg.decode_jpeg(data, "RGB") for data in stored]))
        whole.append(seconds(lambda: ours(path, coords, 256, 256)))
    share = statistics.median(pure) / statistics.median(whole)
    print(f"\nof the decoder's own rate: {share:.0%} (256 px, on the grid)")


def read_with_workers(path: Path) -> None:
    coords, wanted, slide = tissue_places(path, 444, 0, 2_000), Wanted(444, 224), Slide(path)
    alone, two = [], []
    with Workers(1, BATCH * 224 * 224 * 3) as one, Workers(2, BATCH * 224 * 224 * 3) as pair:
        for _ in range(REPEATS):
            alone.append(seconds(lambda: [None for _ in slide.tiles(coords, wanted, one)]))
            two.append(seconds(lambda: [None for _ in slide.tiles(coords, wanted, pair)]))
    one, pair = (len(coords) / statistics.median(t) for t in (alone, two))
    print(f"\n224 px at 0.5 µm: one process {one:.0f} tiles/s, two {pair:.0f}: {pair / one:.2f} x")


def mask(path: Path) -> None:
    from tiatoolbox.tools.tissuemask import MorphologicalMasker, OtsuTissueMasker

    def of_tiatoolbox(masker: Callable[[], object]) -> Callable[[], object]:
        return lambda: masker().fit_transform([Slide(path).whole(MPP)])

    ways = {
        "ours, tissue and pen": lambda: look(Slide(path).whole(MPP), MPP),
        "TIAToolbox, Otsu": of_tiatoolbox(OtsuTissueMasker),
        "TIAToolbox, morphological": of_tiatoolbox(lambda: MorphologicalMasker(mpp=MPP)),
        "the overview alone": lambda: Slide(path).whole(MPP),
    }
    print("\noverview at 4 µm and mask, ms")
    for name, work in ways.items():
        print(f"  {name:<26} {1e3 * statistics.median(seconds(work) for _ in range(REPEATS)):6.0f}")


def whole_slide(path: Path) -> None:
    """Seconds of the stages for 10,000 tiles but for the network, from all tiles of this slide."""
    cfg = {f"tile.{k}": v for k, v in Config().tile.model_dump().items()}
    slide = Slide(path)
    start = time.perf_counter()
    grid = cut(slide, cfg)
    tile = time.perf_counter() - start
    side, coords = grid.facts["tile_px"], grid.tiles[["x", "y"]].to_numpy(np.int32)
    card = card_of("classical")
    margin = round(card.margin_um / slide.mpp)
    wide = Wanted(side, round((side + 2 * margin) * slide.mpp / card.mpp), margin)
    embed = seconds(lambda: [None for _ in slide.tiles(coords, Wanted(side, 224))])
    around = seconds(lambda: [None for _ in slide.tiles(coords, wide)])
    some = grid.tiles.iloc[: min(200, len(grid.tiles))]
    start = time.perf_counter()
    nuclei, _ = slide_nuclei(slide, some, side, load_finder("classical", card.in_job, None))
    found = (time.perf_counter() - start) * len(coords) / len(some)
    # As many nuclei as all tiles would have, so that features are those of a whole slide.
    times = len(coords) // len(some)
    shifts = np.repeat(coords[:: len(some)][:times], len(nuclei), axis=0) - coords[0]
    many = nuclei.iloc[np.tile(np.arange(len(nuclei)), times)].reset_index(drop=True)
    many[["x", "y"]] += shifts
    tiles = grid_of(grid.tiles, side, slide.mpp, np.ones(len(grid.tiles), bool))
    features = seconds(lambda: slide_features(kept(many), tiles, slide.mpp, card.types))
    print(f"\na slide of {TILES:,} tiles (from {len(coords)}), seconds on one core, without the network")
    parts = {"tile": tile, "reading for embed": embed, "features of nuclei": features}
    for name, value in {**parts, "together": sum(parts.values())}.items():
        print(f"  {name:<22} {value * TILES / len(coords):6.1f}")
    found, around = (value * TILES / len(coords) for value in (found, around))
    print(f"  nuclei, a row of their own {found:.1f}, of which reading {around:.1f}")


LARGE = """
import re, sys, numpy as np
from pathlib import Path
from confuselt.config.root import Config
from confuselt.slides.slide import Slide, Wanted
from confuselt.tile.grid import cut
slide = Slide(Path(sys.argv[1]))
grid = cut(slide, {f"tile.{k}": v for k, v in Config().tile.model_dump().items()})
read = sum(len(at) for at, _ in slide.tiles(grid.tiles[["x", "y"]].to_numpy(), Wanted(grid.facts["tile_px"], 224)))
print(len(grid.tiles), read, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e6)
"""


def large(small: Path, folder: Path, width: int = 100_000, height: int = 80_000) -> None:
    """Memory of a slide of 8 gigapixels, written tile by tile: tissue in the middle, glass around."""
    slide = openslide.OpenSlide(small)
    real = np.asarray(slide.read_region((600, 900), 0, (512, 512)).convert("RGB"))
    glass = np.full((256, 256, 3), 242, np.uint8)
    path = folder / "large.svs"
    head = f"Aperio Image Library v11.2.1 \r\n{width}x{height} [0,0 {width}x{height}] (256x256)"
    tail = f"JPEG/RGB Q=75|AppMag = 40|MPP = {SLIDE_MPP}"
    how = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 75}, "metadata": None}

    def tiles(by: int, size: tuple[int, int]) -> Iterator[np.ndarray]:
        shown = [real[:256, :256], real[256:, :256], real[:256, 256:], real[256:, 256:]]
        if by > 1:  # the same tissue, seen from further away
            small = cv2.resize(real, (512 // by, 512 // by), interpolation=cv2.INTER_AREA)
            shown = [np.tile(small, (by // 2, by // 2, 1))] * 4
        rows, columns = -(-size[1] // 256), -(-size[0] // 256)
        for row in range(rows):
            for column in range(columns):
                inside = ((column / columns - 0.5) / 0.3) ** 2 + ((row / rows - 0.5) / 0.3) ** 2 < 1
                yield shown[(row + column) % 4] if inside else glass

    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for by in (1, 4, 16, 64):
            size = (width // by, height // by)
            words = f"{head} {tail}" if by == 1 else f"{head} -> {size[0]}x{size[1]} {tail}"
            shape = (size[1], size[0], 3)
            file.write(tiles(by, size), shape=shape, dtype=np.uint8, tile=(256, 256), description=words, **how)
            if by == 1:
                thumbnail = cv2.resize(glass, (1024, 1024 * height // width))
                file.write(thumbnail, rowsperstrip=16, description=f"{head} -> 1024x{len(thumbnail)} - {tail}", **how)
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", LARGE, str(path)], capture_output=True, text=True, check=True)
    kept, read, memory = done.stdout.split()
    print(
        f"\n{width:,} x {height:,} px ({path.stat().st_size / 1e6:.0f} MB): {kept} tiles, {read} read in "
        f"{time.perf_counter() - start:.0f} s, {float(memory):.2f} GB at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("small", type=Path, nargs="?", default=SMALL)
    parser.add_argument("--large", action="store_true")
    given = parser.parse_args()
    if not given.small.is_file():
        print(f"{given.small} is absent: give a small slide with real tissue; nothing is measured")
        return
    cv2.setNumThreads(1)
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "slide.svs")
        make_slide(given.small, path)
        os.sched_setaffinity(0, {min(cores)})
        read_tiles(path)
        read_decoded(path)
        mask(path)
        whole_slide(path)
        os.sched_setaffinity(0, cores)
        read_with_workers(path)
        if given.large:
            large(given.small, Path(folder))


if __name__ == "__main__":
    main()
