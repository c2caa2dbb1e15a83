"""The joint space of slides and RNA as a map, and who lies nearest in the other modality."""

from pathlib import Path

import numpy as np
import pandas as pd
from umap import UMAP

from confuselt.evaluate.schema import NEAREST, SPACE
from confuselt.pretrain.pairs import embed_pairs

FEWEST = 8  # pairs under which a map says nothing
NEIGHBOURS = 15  # of a point, whose distances the map keeps
SIDES = ("wsi", "rna")


def joint_map(checkpoint: dict, store: Path, rna: Path, patients: list[str], seed: int) -> pd.DataFrame:
    """A row per patient and modality.

    Parameters
    ----------
    checkpoint : dict
        Of `pretrain`; one that could not be trained gives no rows.
    store, rna : Path
        Training store; normalised RNA of the checkpoint's fold.
    patients : list of str
        Test patients of the fold; those with both modalities are on the map.
    seed : int

    Returns
    -------
    DataFrame
        Columns of ``evaluate/space``: ``x, y`` of UMAP (McInnes et al. 2018) on cosine distances of both modalities
        together; ``rank`` of the patient's own partner in the other modality (1: the nearest); ``nearest_1`` and so on,
        the other patients that are nearest there.
    """
    nobody = pd.DataFrame(columns=list(SPACE.columns))
    if checkpoint["status"] != "ok":
        return nobody
    people, *vectors = embed_pairs(checkpoint, store, rna, patients)
    if len(people) < FEWEST:
        return nobody
    plane = UMAP(
        n_neighbors=min(NEIGHBOURS, 2 * len(people) - 1), metric="cosine", random_state=seed, n_jobs=1
    ).fit_transform(np.vstack(vectors))
    cosine = vectors[0] @ vectors[1].T
    sides = [
        _side(people, side, near, points)
        for side, near, points in zip(SIDES, (cosine, cosine.T), np.split(plane.astype(float), 2), strict=True)
    ]
    return pd.concat(sides, ignore_index=True)


def _side(people: list[str], side: str, cosine: np.ndarray, points: np.ndarray) -> pd.DataFrame:
    """Rows of one modality; `cosine` of each of its vectors to those of the other."""
    own = np.diagonal(cosine)[:, None]
    others = np.where(np.eye(len(people), dtype=bool), -np.inf, cosine)
    nearest = np.array(people, object)[np.argsort(-others, axis=1, kind="stable")]
    x, y = points.T
    named = {name: nearest[:, k] for k, name in enumerate(NEAREST)}
    rank = 1 + (others > own).sum(1)
    return pd.DataFrame({"patient_id": people, "modality": side, "x": x, "y": y, "rank": rank, **named})
