"""Nuclei, their features and what these tell: speed and memory beside what is true and known.

``python benchmarks/cells.py`` runs what its data allow: 592,349 typed outlines of a real slide with its tissue regions
(histolytics), a nest of 1,295 nuclei of it, ten crops of NuCLS, where the tests look for them; and drawn tissue.
``--gpu`` runs HoVer-Net's network alone, with random weights.
"""

import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import shapely
import torch
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from confuselt.cells.card import card_of
from confuselt.cells.columns import NAMES
from confuselt.cells.features import Grid
from confuselt.cells.finder import Machine
from confuselt.cells.finders.classical import find_nuclei, haematoxylin_level
from confuselt.cells.finders.hovernet import ARCHITECTURE, HoverNet, Maps, nuclei_of
from confuselt.cells.group import grid_of, slide_features
from confuselt.cells.network import Started
from confuselt.cells.nuclei_file import read_nuclei
from confuselt.cells.places import Extent
from confuselt.cells.stain import haematoxylin
from confuselt.embed.architecture import make
from confuselt.simulate.histology import Section, draw

DATA = Path(os.environ.get("CONFUSELT_SHARED", Path(__file__).parents[2] / "shared")) / "data"
HGSC, EXTENT = DATA / "nuclei_wsi", Extent(0.5, 47_001, 66_751)
ROLES = {
    "neoplastic": "tumour",
    "connective": "stroma",
    "inflammatory": "immune",
    "dead": "dead",
    "macrophage_cell": "immune",
    "macrophage_nucleus": "immune",
}
SIDE, BLOCKS = 224, 4


def peak() -> float:
    """GB that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def grid_of_slide() -> Grid:
    """All tiles of the real slide."""
    x, y = np.meshgrid(np.arange(0, EXTENT.width, SIDE), np.arange(0, EXTENT.height, SIDE))
    tiles = pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "tissue": 1.0})
    return grid_of(tiles, SIDE, EXTENT.mpp, np.ones(len(tiles), bool))


def features_of_a_slide(times: int) -> None:
    """Seconds and memory of the features of a real slide, with its nuclei `times` over."""
    start = time.perf_counter()
    nuclei = read_nuclei(HGSC / "hgsc_nuclei_wsi.parquet", EXTENT)
    read, before = time.perf_counter() - start, peak()
    jitter = np.random.default_rng(0).normal(0, 12, (times, len(nuclei), 2))
    many = pd.concat([nuclei.assign(x=nuclei["x"] + j[:, 0], y=nuclei["y"] + j[:, 1]) for j in jitter * (times > 1)])
    del nuclei, jitter
    start = time.perf_counter()
    grid = grid_of_slide()
    found = slide_features(many, grid, EXTENT.mpp, ROLES)
    print(
        f"{len(many):,} nuclei, {len(found):,} tiles: read in {read:.1f} s ({before:.2f} GB), "
        f"features in {time.perf_counter() - start:.1f} s, {peak():.2f} GB at most"
    )


def tumour_from_stroma() -> None:
    """AUC of tiles of tumour against stroma, from cells alone, over spatial blocks left out in turn."""
    nuclei, grid = read_nuclei(HGSC / "hgsc_nuclei_wsi.parquet", EXTENT), grid_of_slide()
    features = slide_features(nuclei, grid, EXTENT.mpp, ROLES)
    regions = pd.read_parquet(HGSC / "hgsc_tissue_wsi.parquet")
    shapes = shapely.make_valid(shapely.from_wkb(regions["geometry"].to_numpy()))
    boxes = shapely.box(*(grid.corners.T / EXTENT.mpp), *(grid.corners.T / EXTENT.mpp + SIDE))
    share = np.zeros((2, len(boxes)))
    for k, name in enumerate(("tumor", "stroma")):
        tile, region = shapely.STRtree(shapes[regions["class_name"] == name]).query(boxes)
        own = shapes[regions["class_name"] == name][region]
        np.add.at(share[k], tile, shapely.area(shapely.intersection(boxes[tile], own)) / SIDE**2)
    use = (share.max(0) > 0.9) & (features[:, NAMES.index("log_count")] > 0)
    label = share[0, use] > share[1, use]
    low, high = grid.corners[use].min(0), grid.corners[use].max(0) + 1
    block = ((grid.corners[use] - low) / (high - low) * BLOCKS).astype(int) @ [BLOCKS, 1]
    rows = features[use]
    middle = np.nanmedian(rows, 0)
    rows = np.where(np.isnan(rows), np.where(np.isnan(middle), 0, middle), rows)
    density = [NAMES.index(f"log_density_{r}") for r in ("tumour", "immune", "stroma", "dead")]
    around = [k for k, name in enumerate(NAMES) if name.startswith("around_")]
    alone = [k for k in range(len(NAMES)) if k not in around]
    sets = {"log density by role": density, "a tile's own": alone, "all, with the 3 x 3 around": range(len(NAMES))}
    print(f"\ntumour or stroma, {use.sum():,} tiles ({label.mean():.0%} tumour), {BLOCKS} x {BLOCKS} blocks in turn")
    for name, columns in sets.items():
        own, found = rows[:, list(columns)], []
        for left in np.unique(block):
            test = block == left
            if len(set(label[test])) < 2 or len(set(label[~test])) < 2:
                continue
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(own[~test], label[~test])
            found.append(roc_auc_score(label[test], model.decision_function(own[test])))
        print(f"  {name:<28} AUC {np.mean(found):.4f}, SD over {len(found)} blocks {np.std(found, ddof=1):.4f}")


def true_maps(label: np.ndarray, kind: np.ndarray, picture: np.ndarray) -> Maps:
    """Maps of a network that makes no mistake."""
    apart = np.zeros((*label.shape, 2), np.float16)
    for number, where in enumerate(ndimage.find_objects(label), 1):
        if where is None:
            continue
        rows, columns = np.nonzero(label[where] == number)
        for axis, at in ((0, columns), (1, rows)):
            offset = at - at.mean()
            apart[where][rows, columns, axis] = offset / np.where(
                offset < 0, max(-offset.min(), 1), max(offset.max(), 1)
            )
    return Maps((label > 0).astype(np.float16), apart, kind.astype(np.uint8), picture)


def matched(theirs: np.ndarray, ours: np.ndarray, reach: float) -> tuple[float, np.ndarray, np.ndarray]:
    """F1 of centres within a distance, each hit once, and the pairs."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    distance = cdist(theirs, ours)
    a, b = linear_sum_assignment(np.where(distance > reach, 1e6, distance))
    hit = distance[a, b] <= reach
    return 2 * hit.sum() / max(len(theirs) + len(ours), 1), a[hit], b[hit]


def nest() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, types and the picture of a nest of 1,295 nuclei, at 0.5 µm per pixel."""
    with np.load(HGSC / "hgsc_nest_inst_mask.npz") as a, np.load(HGSC / "hgsc_nest_type_mask.npz") as b:
        label, kind = a[a.files[0]].astype(np.int32), b[b.files[0]].astype(np.uint8)
    return label, kind, np.ascontiguousarray(cv2.imread(str(HGSC / "hgsc_nest.jpg"))[..., ::-1])


def maps_of_nest(side: int) -> list[Maps]:
    """Maps of squares of the nest at twice its resolution."""
    label, kind, picture = nest()
    near = {"fx": 2, "fy": 2, "interpolation": cv2.INTER_NEAREST}
    label = cv2.resize(label.astype(np.float32), None, **near).astype(np.int32)
    kind, picture = cv2.resize(kind, None, **near), cv2.resize(picture, None, fx=2, fy=2)
    found = []
    for y in range(0, 2400, side):
        for x in range(0, 2400, side):
            part = slice(y, y + side), slice(x, x + side)
            own = np.unique(label[part], return_inverse=True)[1].reshape(side, side).astype(np.int32)
            found.append(true_maps(own, kind[part], picture[part]))
    return found


@dataclass
class OfTruth(HoverNet):
    """The network works as it does; what it hands on are maps made of truth."""

    truth: tuple[Maps, ...] = ()

    def _handed(self, at: np.ndarray, started: Started) -> Iterator[tuple[int, Maps]]:
        started.done()
        yield from ((int(number), self.truth[number % len(self.truth)]) for number in at)


def on_a_gpu() -> None:
    """HoVer-Net's network alone, and with what follows it; a tile whole (544 px), and with the margin it is given."""
    card, cores = card_of("hovernet-fast-pannuke"), os.cpu_count() - 2
    name = torch.cuda.get_device_name()
    for side, compiled in ((544, False), (544, True), (640, True)):
        torch.manual_seed(0)
        network = make(ARCHITECTURE, {"mode": "fast", "num_types": len(card.types) + 1})
        truth = tuple(maps_of_nest(side - 92))
        finder = OfTruth("hovernet", card, "", network, Machine("cuda", cores, compiled), truth=truth)
        pictures = np.random.default_rng(0).integers(0, 256, (finder.at_once, side, side, 3), np.uint8)
        for _ in range(3):
            finder._started(pictures).done()
        start, times = time.perf_counter(), 20
        with torch.inference_mode():
            batch = torch.from_numpy(pictures).to(finder.device).permute(0, 3, 1, 2)
            batch = batch.to(torch.float16, memory_format=torch.channels_last)
            for _ in range(times):
                finder._run(batch)
            torch.cuda.synchronize()
        alone = times * len(pictures) / (time.perf_counter() - start)
        batches = [(np.arange(len(pictures)) + k * len(pictures), pictures) for k in range(2 + times)]
        list(finder.find(batches[:2], [], 0.25))  # its processes start
        start = time.perf_counter()
        many = sum(len(table) > 0 for _, table in finder.find(batches[2:], [], 0.25))
        rate = many / (time.perf_counter() - start)
        print(
            f"HoVer-Net{', compiled' * compiled}, {side} px, {name}: {alone:.1f} tiles/s alone, "
            f"to a table {rate:.1f} ({rate / alone:.0%}; {cores} processes)"
        )
        finder.pool.shutdown()


def crops() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pictures of NuCLS, labels and types, at 0.25 µm per pixel."""
    folder, found = DATA / "nuclei/train", []
    for path in sorted((folder / "images").glob("*.png")):
        truth = np.load(folder / f"labels/{path.stem}.npy", allow_pickle=True).item()
        picture = np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
        found.append((picture, truth["inst_map"].astype(np.int32), truth["type_map"].astype(np.uint8)))
    return found


def postprocessing() -> None:
    """HoVer-Net's watershed on maps made from truth: nuclei, types, tiles a second."""
    print("\nnuclei from HoVer-Net's maps made of truth")
    label, kind, picture = nest()
    cases = {"NuCLS, ten crops": (crops(), 0.25), "a nest of 1,295 nuclei": ([(picture, label, kind)], 0.5)}
    for name, (some, mpp) in cases.items():
        hits, count, right, pairs = 0.0, 0, 0, 0
        for image, label, kind in some:
            types = tuple(str(k) for k in range(1, max(int(kind.max()), 2) + 1))
            found = nuclei_of(true_maps(label, kind, image), types, mpp, 0)
            numbers = [k for k in np.unique(label) if k]
            middle = np.array(ndimage.center_of_mass(label > 0, label, numbers))[:, ::-1]
            true = np.array([np.bincount(kind[label == k]).argmax() for k in numbers])
            f1, a, b = matched(middle, found[["x", "y"]].to_numpy(), 3 / mpp)
            hits, count = hits + f1 * (len(middle) + len(found)), count + len(middle) + len(found)
            right, pairs = right + (found["type"].to_numpy()[b] == true[a].astype(str)).sum(), pairs + len(a)
        print(f"  {name:<24} F1 {hits / count:.3f}, types {right / pairs:.3f}")
    # What it says of 544 px, which holds a tile of 224 px at 0.5; and of what the stage gives it, with a margin.
    for side in (452, 548):
        maps = maps_of_nest(side)
        nuclei_of(maps[0], ("a", "b", "c"), 0.25, 0)
        start, found = time.process_time(), 0
        for some in maps:
            found += len(nuclei_of(some, ("a", "b", "c"), 0.25, 0))
        rate, each = len(maps) / (time.process_time() - start), found / len(maps)
        print(f"  maps of {side} px to a table: {rate:.1f} tiles a second and core, {each:.0f} nuclei a tile")


def otsu(image: np.ndarray, mpp: float) -> np.ndarray:
    """The usual baseline: Otsu's threshold on haematoxylin, watershed on distances."""
    stain = cv2.GaussianBlur(haematoxylin(image), (0, 0), 0.5 / mpp)
    mask = ndimage.binary_fill_holes(ndimage.binary_opening(stain > threshold_otsu(stain), iterations=2))
    distance = ndimage.distance_transform_edt(mask)
    peaks = peak_local_max(distance, min_distance=round(2.5 / mpp), labels=mask.astype(int), exclude_border=False)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-distance, seeds, mask=mask)


def overlap_f1(theirs: np.ndarray, ours: np.ndarray) -> tuple[int, int, int]:
    """Hits at IoU .5, nuclei of truth, nuclei found."""
    a, b = (np.unique(m, return_inverse=True)[1].reshape(m.shape) for m in (theirs, ours))
    both = np.bincount(a.ravel() * (b.max() + 1) + b.ravel(), minlength=(a.max() + 1) * (b.max() + 1))
    both = both.reshape(a.max() + 1, -1)
    iou = both / (both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both)
    return int((iou[1:, 1:] > 0.5).sum()), a.max(), b.max()


def weaker(image: np.ndarray, strength: float) -> np.ndarray:
    """The picture with its optical densities multiplied."""
    return np.clip(np.round(245 * np.exp(-np.log(245 / (image + 1.0)) * strength) - 1), 0, 255).astype(np.uint8)


def classical() -> None:
    """The finder without a network on NuCLS, beside Otsu and watershed, and on drawn tissue."""
    print("\nthe finder without a network on ten crops of NuCLS: F1 at IoU .5, nuclei found of true ones")
    for strength in (1.0, 0.5, 1.5):
        sums = {"classical": np.zeros(3), "Otsu, watershed": np.zeros(3)}
        for image, label, _ in crops():
            image = image if strength == 1 else weaker(image, strength)
            level = haematoxylin_level([image], 0.25)
            sums["classical"] += overlap_f1(label, find_nuclei(image, 0.25, level).label)
            sums["Otsu, watershed"] += overlap_f1(label, otsu(image, 0.25))
        for name, (hits, true, found) in sums.items():
            print(f"  stain x {strength:<4} {name:<16} F1 {2 * hits / (true + found):.3f}, {found:.0f} of {true:.0f}")
    scores = []
    for seed in range(900, 906):
        drawn = draw(Section(900, 680, 0.5), np.random.default_rng(seed))
        level = haematoxylin_level([drawn.image], 0.5)
        found = find_nuclei(drawn.image, 0.5, level).table[["x", "y"]].to_numpy()
        scores.append(matched(drawn.nuclei[["x", "y"]].to_numpy(), found, 6)[0])
    print(f"drawn tissue, six unseen draws: F1 of centres within 3 µm {np.mean(scores):.3f}, least {min(scores):.3f}")
    tile = draw(Section(272, 272, 0.5), np.random.default_rng(7)).image
    start, many = time.process_time(), 0
    while time.process_time() - start < 5:
        many += len(find_nuclei(tile, 0.5, 0.1).table) > 0
    print(f"tiles of 224 px with their margin: {many / (time.process_time() - start):.1f} a second and core")


if __name__ == "__main__":
    if sys.argv[1:] == ["--gpu"]:
        on_a_gpu()
    elif len(sys.argv) > 1:  # in a process of its own, for its memory
        features_of_a_slide(int(sys.argv[1]))
    else:
        for times in (1, 4):
            os.spawnl(os.P_WAIT, sys.executable, sys.executable, __file__, str(times))
        tumour_from_stroma()
        postprocessing()
        classical()
