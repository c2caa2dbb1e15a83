"""What a run may cost: disk, memory and hours, from measured rates (docs/HPC.md)."""

from dataclasses import dataclass
from pathlib import Path

import h5py

from confuselt.acquire.sources import bag_files, existing_files, slide_rows
from confuselt.cells.columns import NAMES
from confuselt.config.root import Config
from confuselt.finetune.arms import parse_arm
from confuselt.sheets.read import columns_of, read_sheet

TILES = 10_000  # of a slide of which nothing is known yet
TRAINED = 20_000  # instances a second and core, forward and backward
# A tile and core; of the encoder that is bundled.
SECONDS = {"cut_tiles": 0.0006, "embed_tiles": 0.034, "find_cells": 0.038}
STARTS = 6.0  # seconds until a job has started


@dataclass(frozen=True)
class Size:
    """Instances of a cohort, and features of one."""

    slides: int
    instances: int
    width: int


def size_of(config: Config) -> Size:
    """Size of the store that a cohort would have."""
    if config.from_slides:
        slides = len(slide_rows(config, config.cohort))
        width = config.encoder_card.dim + (0 if config.cells.method == "ready" else len(NAMES))
        return Size(slides, slides * TILES, width)
    files, rows, width, slides = existing_files(config), 0, 0, 0
    for stream in ("tile", "cells"):
        if stream in files:
            ids = [c for c in ("slide_id", config.acquire.id_column) if c in columns_of(files[stream])]
            owners = read_sheet(files[stream], ids[:1])[ids[0]]
            slides, rows = max(slides, owners.nunique()), max(rows, len(owners))
            width += len([c for c in columns_of(files[stream]) if c not in (*ids, config.acquire.id_column, "x", "y")])
        elif bags := bag_files(config, stream):
            shapes = [_shape(Path(bag)) for bag in bags]
            slides, rows = max(slides, len(bags)), max(rows, sum(shape[0] for shape in shapes))
            width += max(shape[1] for shape in shapes)
    return Size(slides, rows, width)


def _shape(bag: Path) -> tuple[int, int]:
    """Rows and features of a bag; nothing where it cannot be read, which the run says."""
    try:
        with h5py.File(bag) as file:
            shape = file["features"].shape
            return (shape[0], shape[1]) if len(shape) == 2 else (shape[-2], shape[-1])
    except (OSError, KeyError, AttributeError, IndexError):
        return 0, 0


def estimates(config: Config, patients: int) -> list[str]:
    """Lines on disk, memory and core-hours."""
    size, lines = size_of(config), []
    if not size.instances or not patients:
        return ["no slides or features: what RNA alone takes is minutes"]
    gigabytes = size.instances * size.width * 2 / 1e9
    about = f" (taken: {TILES} tiles a slide)" if config.from_slides else ""
    lines.append(
        f"{size.slides} slides, {size.instances} instances of {size.width} features{about}: "
        f"the training store takes {gigabytes:.2g} GB of disk, or of a GPU"
    )
    for name, block in (("pretraining", config.pretrain), ("an arm", config.finetune)):
        batch = min(block.batch_size * block.tiles, size.instances)
        lines.append(f"memory of {name}: {2 + 4 * 4 * batch * size.width / 1e9:.1f} GB a job")
    hours = {name: size.instances * seconds / 3600 for name, seconds in _stages(config).items()}
    hours |= _training(config, size, patients)
    said = ", ".join(f"{name} {value:.2g}" for name, value in hours.items())
    if config.from_slides and not config.encoder_card.bundled:
        lines.append(f"embed_tiles with {config.embed.encoder}: for a GPU; rates of one are in docs/HPC.md")
    return [*lines, f"core-hours without a GPU, roughly: {said}"]


def _stages(config: Config) -> dict[str, float]:
    if not config.from_slides:
        return {}
    known = {
        "cut_tiles": True,
        "embed_tiles": config.encoder_card.bundled,
        "find_cells": config.cells.method == "classical",
    }
    return {k: v for k, v in SECONDS.items() if known[k]}


def _training(config: Config, size: Size, patients: int) -> dict[str, float]:
    """Hours of pretraining and of all arms, controls left out."""
    folds = config.split.folds * config.split.repeats
    learning = patients * (1 - 1 / config.split.folds) * (1 - config.split.inner)
    arms = [parse_arm(arm) for arm in config.finetune.arms]
    sets, seen = len({arm.streams for arm in arms if arm.pretrained}), sum(arm.modality != "rna" for arm in arms)
    each = size.instances / patients

    def hours(trainings: float, epochs: int, budget: int) -> float:
        rows = learning * min(each, budget) * epochs
        return trainings * (rows / TRAINED + STARTS) / 3600

    return {
        "pretraining": hours(folds * sets, config.pretrain.epochs, config.pretrain.tiles),
        "arms": hours(folds * seen * config.finetune.members, config.finetune.epochs, config.finetune.tiles),
    }
