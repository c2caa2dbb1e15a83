"""Deep cell-type features: what an encoder sees where the nuclei of each role lie, a row per role and slide.

A row holds the slide's tile embeddings weighted by the role's density, the mean embedding of a sample of its nuclei,
each in a picture of its own, and the role's share of the slide. A bag of them is what attention chooses roles from.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from confuselt.cells.columns import NAMES
from confuselt.cells.owned import owned
from confuselt.cells.roles import ROLES
from confuselt.cells.schema import NUCLEI
from confuselt.content import array_hash
from confuselt.embed.encoder import Encoder
from confuselt.embed.write_bag import write_bag
from confuselt.number import number_of
from confuselt.slides.kept import fit_key, keep_or_make, slide_state
from confuselt.slides.slide import Slide, Wanted
from confuselt.tables import read_table
from confuselt.unusable import Unusable

CROP_MPP = 0.25  # µm per pixel of a nucleus' picture: twice as near as usual tiles, and still what encoders know
COMPOSITION = ("log_density", "share", "tiles")


@dataclass(frozen=True)
class Pooling:
    """What a job pools, and where.

    Attributes
    ----------
    data, cells, bags, folder : Path
        Where slides, cell features with nuclei, embeddings, and results lie.
    encoder : Encoder or None
        Of the embeddings; None: nuclei get no picture of their own.
    crops : int
        Nuclei of each role and slide that are looked at, drawn by the slide's id.
    roles : dict of str to str
        Role of each type.
    """

    data: Path
    cells: Path
    bags: Path
    folder: Path
    encoder: Encoder | None
    crops: int
    roles: dict[str, str]


def pool_slide(row: dict, job: Pooling) -> dict:
    """``n, sha`` of a slide's bag of roles: ``<slide>.h5``, made anew unless it still fits.

    Parameters
    ----------
    row : dict
        Sheet row with the columns of ``tile/index``, and ``embed_sha`` and ``cells_sha``, the content of its bags.
    job : Pooling

    Raises
    ------
    Unusable
        No nucleus of the slide has a role, or the slide is broken.
    """
    slide = row["slide_id"]

    def make(partial: Path) -> dict:
        with h5py.File(job.bags / f"{slide}.h5") as file:
            tiles, places, seen_by = file["features"][()], file["coords"][()], dict(file.attrs)
        with h5py.File(job.cells / f"{slide}.h5") as file:
            cells, own_places, found_by = file["features"][()], file["coords"][()], dict(file.attrs)
        cells = _at_places(cells, own_places, places)
        rows = weighted(tiles.astype(np.float32), cells)
        if not len(rows):
            raise Unusable("no nucleus has a role")
        which = [ROLES.index(role) for role in rows]
        parts = [np.stack([np.concatenate(rows[role]) for role in rows]), np.eye(len(ROLES), dtype=np.float32)[which]]
        if job.encoder is not None:
            near = looked_at(row, job)
            nothing = np.full(job.encoder.card.dim, np.nan, np.float32)
            parts.append(np.stack([near.get(role, nothing) for role in rows]))
        features = np.concatenate(parts, 1).astype(np.float32)
        coords = np.stack([which, np.zeros(len(which))], 1).astype(np.int32)
        write_bag(partial, features, coords, _recipe(seen_by, found_by, job, features.shape[1]))
        return {"n": len(features), "sha": array_hash(features, coords)}

    state = slide_state(row, job.data / row["file"]) if job.encoder is not None else None
    facts = (slide, row["embed_sha"], row["cells_sha"], job.crops, sorted(job.roles.items()), state)
    return keep_or_make(job.folder / f"{slide}.h5", fit_key(*facts), make)


def weighted(tiles: np.ndarray, cells: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of each role that has nuclei: tile embeddings weighted by its density, (d,), and its part of the slide.

    Parameters
    ----------
    tiles : (n, d) float32
    cells : (n, len(NAMES)) float32
        Cell features of the same tiles; NaN: not known.

    Returns
    -------
    dict
        Role to (embedding, composition): mean log density over the tiles in which nuclei were sought, share of the
        densities of all known roles, share of those tiles that hold one.
    """
    sought = cells[:, NAMES.index("sought")] > 0
    log_density = np.stack([cells[:, NAMES.index(f"log_density_{role}")] for role in ROLES], 1)[sought]
    density = np.nan_to_num(np.expm1(log_density.astype(np.float64)))
    total = density.sum()
    found = {}
    for k, role in enumerate(ROLES):
        weight = density[:, k]
        if weight.sum() > 0:
            pooled = weight @ tiles[sought] / weight.sum()
            composition = np.log1p(weight).mean(), weight.sum() / total, (weight > 0).mean()
            found[role] = pooled.astype(np.float32), np.array(composition, np.float32)
    return found


def drawn_nuclei(nuclei: pd.DataFrame, roles: dict[str, str], slide: str, most: int) -> pd.DataFrame:
    """At most so many nuclei of each role, drawn by the slide's id, with ``role``."""
    typed = nuclei.assign(role=nuclei["type"].map(roles))
    parts = []
    for k, role in enumerate(ROLES):
        own = np.flatnonzero(typed["role"] == role)
        parts.append(np.random.default_rng([number_of(slide), k]).permutation(own)[:most])
    return typed.iloc[np.sort(np.concatenate(parts))].reset_index(drop=True)


def looked_at(row: dict, job: Pooling) -> dict[str, np.ndarray]:
    """Mean embedding of pictures around some nuclei of each role, (d,); none for a role of which none can be read."""
    nuclei = read_table(job.cells / f"{row['slide_id']}.nuclei.parquet", NUCLEI)
    with h5py.File(job.cells / f"{row['slide_id']}.h5") as file:
        sought = file["features"][:, NAMES.index("sought")] > 0
        corners = file["coords"][()][sought].astype(float)
    _, inside = owned(nuclei[["x", "y"]].to_numpy(float), corners, int(row["tile_px"]))
    nuclei = nuclei.iloc[np.unique(inside)].reset_index(drop=True)
    some = drawn_nuclei(nuclei, job.roles, row["slide_id"], job.crops)
    slide, out = Slide(job.data / row["file"], row["mpp_given"], row["reader"]), job.encoder.card.size
    side = max(1, round(out * CROP_MPP / slide.mpp))
    corners = some[["x", "y"]].to_numpy(np.int32) - side // 2
    vectors, seen = np.zeros((len(some), job.encoder.card.dim), np.float32), np.zeros(len(some), bool)
    for at, pixels in slide.tiles(corners, Wanted(side, out)) if len(some) else ():
        vectors[at], seen[at] = job.encoder.embed(pixels), True
    role = some["role"].to_numpy()
    return {r: vectors[seen & (role == r)].mean(0) for r in ROLES if (seen & (role == r)).any()}


def _at_places(cells: np.ndarray, own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rows at some places; where there is none, all NaN and not sought."""
    row_of = {place: k for k, place in enumerate(map(tuple, own.tolist()))}
    at = np.array([row_of.get(place, -1) for place in map(tuple, wanted.tolist())], int)
    found = np.append(cells, np.full((1, cells.shape[1]), np.nan, cells.dtype), axis=0)[at]
    found[at < 0, NAMES.index("sought")] = 0
    return found


def _recipe(seen_by: dict, found_by: dict, job: Pooling, width: int) -> dict:
    """What made the rows: the encoder and the finder."""
    saw = sorted({*json.loads(seen_by["trained_on"]), *json.loads(found_by["trained_on"])})
    return {
        "name": f"{found_by['name']} by {seen_by['name']}",
        **{f"encoder_{k}": seen_by[k] for k in ("weights", "card")},
        **{f"finder_{k}": v for k, v in found_by.items() if k in ("weights", "card")},
        "crops": job.crops if job.encoder is not None else 0,
        "roles": found_by["roles"],
        "trained_on": json.dumps(saw),
        "d": width,
        "dtype": "float32",
    }
