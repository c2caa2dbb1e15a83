"""Draw one simulated slide and write down what is on it."""

from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from confuselt.acquire.svs import write_svs
from confuselt.acquire.tissue import Section, draw
from confuselt.content import array_hash
from confuselt.tile.kept import fit_key, keep_or_make

TRUTH_UM = 2.0  # µm per pixel of the written masks


def draw_slide(section: tuple[Section, int], path: Path, truth: Path) -> dict:
    """``n`` (nuclei) and ``sha`` of one slide; drawn only where the file there does not fit.

    Parameters
    ----------
    section : (Section, int)
        What to draw, and the seed.
    path : Path
        ``<slide>.svs``.
    truth : Path
        Folder of ``<slide>.nuclei.parquet`` (level-0 pixels, type, µm) and ``<slide>.png`` (0 none, 128 artefact, 255 tissue, at `TRUTH_UM`).
    """
    what, seed = section

    def make(partial: Path) -> dict:
        drawn = draw(what, np.random.default_rng([seed, 22]))
        write_svs(partial, drawn.image, what.mpp)
        truth.mkdir(parents=True, exist_ok=True)
        _write_truth(drawn.nuclei, np.where(drawn.artefact, 128, np.where(drawn.tissue, 255, 0)).astype(np.uint8), what.mpp, truth, path.stem)
        return {"n": len(drawn.nuclei), "sha": array_hash(drawn.image)}

    return keep_or_make(path, fit_key(asdict(what), seed), make)


def _write_truth(nuclei: pd.DataFrame, mask: np.ndarray, mpp: float, folder: Path, name: str) -> None:
    size = (round(mask.shape[1] * mpp / TRUTH_UM), round(mask.shape[0] * mpp / TRUTH_UM))
    partial = folder / f".partial.{name}.png"
    cv2.imwrite(str(partial), cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST))
    partial.replace(folder / f"{name}.png")
    partial = folder / f".partial.{name}.nuclei.parquet"
    nuclei.to_parquet(partial, index=False)
    partial.replace(folder / f"{name}.nuclei.parquet")
