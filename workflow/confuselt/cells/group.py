"""Nuclei of a slide's tiles, and the features of each tile."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from confuselt.cells.columns import NAMES
from confuselt.cells.features import Grid, tile_features
from confuselt.cells.roles import ROLES, told
from confuselt.cells.schema import DECIMALS, NUCLEI
from confuselt.content import array_hash
from confuselt.embed.write_bag import write_bag
from confuselt.slides.kept import keep_or_make, slide_key
from confuselt.tables import read_table, write_table
from confuselt.tile.schema import GRID
from confuselt.written import written


class Source(Protocol):
    """Where the nuclei of a slide come from: `pixels.FromSlides`, `finders.table.FromFiles`."""

    roles: dict[str, str]

    def facts(self, row: dict) -> tuple:
        """What the nuclei of a slide hang on beside the slide."""

    def recipe(self) -> dict:
        """What finds them."""

    def nuclei(self, row: dict, tiles: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """Nuclei, columns of `NUCLEI`; which tiles can be used, in which nuclei were sought, (tiles,) bool."""


@dataclass(frozen=True)
class Job:
    """What a job finds, and where.

    Attributes
    ----------
    data, grids, folder : Path
        Where slides, grids, and bags lie.
    source : Source
    keep_nuclei : bool
        Write the nuclei too.
    """

    data: Path
    grids: Path
    folder: Path
    source: Source
    keep_nuclei: bool = True


def type_slide(row: dict, job: Job) -> dict:
    """``n, sha, unreadable`` and densities of one slide's bag of cell features: see `CELLS_INDEX`.

    ``<slide>.h5`` and ``<slide>.nuclei.parquet`` are made anew unless they still fit.

    Parameters
    ----------
    row : dict
        Sheet row with the columns of ``tile/index``.
    job : Job

    Raises
    ------
    Unusable
        The slide is broken, or its nuclei are.
    """
    final = job.folder / f"{row['slide_id']}.nuclei.parquet"

    def make(partial: Path) -> dict:
        tiles = read_table(job.grids / f"{row['slide_id']}.parquet", GRID)
        nuclei, usable, sought = job.source.nuclei(row, tiles)
        nuclei = kept(nuclei)
        grid = grid_of(tiles[usable], int(row["tile_px"]), float(row["mpp"]), sought[usable])
        features = slide_features(nuclei, grid, float(row["mpp"]), job.source.roles)
        coords = tiles.loc[usable, ["x", "y"]].to_numpy(np.int32)
        layout = {"d": len(NAMES), "dtype": "float32", "columns": NAMES, "roles": told(job.source.roles)}
        recipe = job.source.recipe() | layout
        plain = {k: json.dumps(v) if isinstance(v, list | tuple) else v for k, v in recipe.items()}
        write_bag(partial, features, coords, plain)
        if job.keep_nuclei:
            with written(final) as beside:
                write_table(nuclei, beside, NUCLEI)
        else:
            final.unlink(missing_ok=True)
        facts = {"n": len(features), "sha": array_hash(features, coords), "unreadable": int((~usable).sum())}
        return facts | densities(features)

    facts, beside = (*job.source.facts(row), job.keep_nuclei), [final] if job.keep_nuclei else []
    return keep_or_make(job.folder / f"{row['slide_id']}.h5", slide_key(row, job.data, *facts), make, beside)


def kept(nuclei: pd.DataFrame) -> pd.DataFrame:
    """Nuclei as they are written, columns of `NUCLEI`: features are made of these, as who reads them makes them again.

    A centre becomes the pixel that it lies in, and stays in its tile.
    """
    return nuclei.assign(x=np.floor(nuclei["x"]), y=np.floor(nuclei["y"])).round(DECIMALS)


def grid_of(tiles: pd.DataFrame, size: int, mpp: float, sought: np.ndarray) -> Grid:
    """Tiles of a slide in µm.

    Parameters
    ----------
    tiles : DataFrame
        Columns of ``tile/grid``.
    size : int
        Side of a tile, level-0 pixels.
    mpp : float
        µm per level-0 pixel.
    sought : (tiles,) bool
    """
    return Grid(tiles[["x", "y"]].to_numpy(float) * mpp, size * mpp, tiles["tissue"].to_numpy(float), sought)


def slide_features(nuclei: pd.DataFrame, grid: Grid, mpp: float, roles: dict[str, str]) -> np.ndarray:
    """Features of every tile, (tiles, len(NAMES)) float32; a tile's halo is what its neighbours hold.

    Parameters
    ----------
    nuclei : DataFrame
        Columns of `NUCLEI`.
    grid : Grid
    mpp : float
        µm per level-0 pixel.
    roles : dict of str to str
        Role of each type.
    """
    placed = nuclei.drop(columns=["x", "y", "type"])
    placed = placed.assign(x_um=nuclei["x"] * mpp, y_um=nuclei["y"] * mpp, role=nuclei["type"].map(roles))
    return tile_features(placed, grid, told(roles))


def densities(features: np.ndarray) -> dict[str, float | None]:
    """Median over a slide's tiles of nuclei per mm² of tissue, of all and of each role that the finder tells."""
    names = {"nuclei_mm2": "log_density", **{f"{role}_mm2": f"log_density_{role}" for role in ROLES}}
    found = {name: np.expm1(features[:, NAMES.index(column)].astype(float)) for name, column in names.items()}
    return {name: None if np.isnan(v).all() else float(np.nanmedian(v)) for name, v in found.items()}
