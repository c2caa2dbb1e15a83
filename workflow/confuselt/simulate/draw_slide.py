"""Draw one simulated slide and write down what is on it."""

from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from confuselt.content import array_hash
from confuselt.simulate.histology import TYPES, Section, draw
from confuselt.simulate.svs import write_svs
from confuselt.slides.kept import fit_key, keep_or_make
from confuselt.slides.picture import write_picture
from confuselt.written import written

TRUTH_UM = 2.0  # µm per pixel of the written masks
MISSED = MISTYPED = 0.1  # shares of the nuclei of the table that another tool would have written


def draw_slide(section: tuple[Section, int], path: Path, truth: Path) -> dict:
    """``n`` (nuclei) and ``sha`` of one slide; drawn only where the file there does not fit.

    Parameters
    ----------
    section : (Section, int)
        What to draw, and the seed.
    path : Path
        ``<slide>.svs``.
    truth : Path
        Folder of ``<slide>.nuclei.parquet`` (level-0 pixels, type, µm) and ``<slide>.png`` (0 none, 128 artefact, 255
        tissue, at `TRUTH_UM`). Beside it, ``nuclei/<slide>.parquet``: see `as_found`.
    """
    what, seed = section
    mask, nuclei = truth / f"{path.stem}.png", truth / f"{path.stem}.nuclei.parquet"
    table = truth.parent / "nuclei" / f"{path.stem}.parquet"

    def make(partial: Path) -> dict:
        drawn = draw(what, np.random.default_rng([seed, 22]))
        write_svs(partial, drawn.image, what.mpp)
        truth.mkdir(parents=True, exist_ok=True)
        seen = np.where(drawn.artefact, 128, np.where(drawn.tissue, 255, 0)).astype(np.uint8)
        size = (round(seen.shape[1] * what.mpp / TRUTH_UM), round(seen.shape[0] * what.mpp / TRUTH_UM))
        write_picture(cv2.resize(seen, size, interpolation=cv2.INTER_NEAREST), mask)
        for frame, file in (
            (drawn.nuclei, nuclei),
            (as_found(drawn.nuclei, np.random.default_rng([seed, 23])), table),
        ):
            file.parent.mkdir(parents=True, exist_ok=True)
            with written(file) as beside:
                frame.to_parquet(beside, index=False)
        return {"n": len(drawn.nuclei), "sha": array_hash(drawn.image)}

    return keep_or_make(path, fit_key(asdict(what), seed), make, [mask, nuclei, table])


def as_found(nuclei: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """What a tool that finds and types nuclei would say: `MISSED` of them not there, `MISTYPED` of another type."""
    found = nuclei[rng.random(len(nuclei)) >= MISSED].reset_index(drop=True)
    types = np.array(TYPES)
    own = np.searchsorted(np.sort(types), found["type"])
    wrong = rng.random(len(found)) < MISTYPED
    moved = (own + wrong * rng.integers(1, len(types), len(found))) % len(types)
    return found.assign(type=np.sort(types)[moved])
