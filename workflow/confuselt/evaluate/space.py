"""The joint space of slides and RNA as a map, and who lies nearest in the other modality."""

from pathlib import Path

import numpy as np
import pandas as pd
from umap import UMAP

from confuselt.evaluate.schema import NEAREST, SPACE
from confuselt.pretrain.pairs import embed_pairs
from confuselt.pretrain.retrieval import standing

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
        together; ``rank`` of the patient's own partner in the other modality (1: the nearest, and no
        tie); ``nearest_1`` and so on, the other patients that are nearest there.
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
    sides = [
        _side(people, side, queries, gallery).assign(x=points[:, 0], y=points[:, 1])
        for side, queries, gallery, points in zip(
            SIDES, vectors, vectors[::-1], np.split(plane.astype(float), 2), strict=True
        )
    ]
    return pd.concat(sides, ignore_index=True)


def _side(people: list[str], side: str, queries: np.ndarray, gallery: np.ndarray) -> pd.DataFrame:
    """Who is near each vector of one modality in the other one."""
    others = np.where(np.eye(len(people), dtype=bool), -np.inf, queries @ gallery.T)
    nearest = np.array(people, object)[np.argsort(-others, axis=1, kind="stable")]
    named = {name: nearest[:, k] for k, name in enumerate(NEAREST)}
    above, beside = standing(queries, gallery)
    rank = 1 + above + (beside + 1) // 2  # ties count half a place, rounded up
    return pd.DataFrame({"patient_id": people, "modality": side, "rank": rank, **named})
