"""Cross-modal retrieval: one gallery entry per patient."""

import numpy as np
import torch
from torch.nn import functional as F

from confuselt.learn.store import Store
from confuselt.model.encoders import Encoders
from confuselt.model.scaling import StreamScaler


def ranks(queries: np.ndarray, gallery: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
    """Rank of the own entry in the gallery; 0 is best, ties count half.

    Parameters
    ----------
    queries, gallery : (n, dim)
        Row i of both belongs to patient i.
    allowed : (n, n) bool, optional
        Gallery entries that compete for a query (the own one always does).

    Returns
    -------
    (n,) float64
    """
    above, ties = standing(queries, gallery, allowed)
    return above + 0.5 * ties


def standing(
    queries: np.ndarray, gallery: np.ndarray, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """How many gallery entries stand above the own one, and how many beside it; parameters as those of `ranks`."""
    similarity = np.asarray(queries, np.float64) @ np.asarray(gallery, np.float64).T
    own = np.diagonal(similarity)[:, None]
    rivals = ~np.eye(len(similarity), dtype=bool) if allowed is None else allowed & ~np.eye(len(similarity), dtype=bool)
    return ((similarity > own) & rivals).sum(1), ((similarity == own) & rivals).sum(1)


@torch.no_grad()
def embed_patients(
    model: Encoders, store: Store, scaler: StreamScaler, slides: dict[str, list[int]], budget: int | None = None
) -> np.ndarray:
    """Mean unit vector of a patient's slides, renormalised.

    Parameters
    ----------
    model : Encoders
    store : Store
    scaler : StreamScaler
    slides : dict of str to list of int
        Slide positions of each patient.
    budget : int, optional
        Instances of a slide that are looked at; None: all.

    Returns
    -------
    (patients, dim) float32
    """
    model.eval()
    if not slides:
        return np.zeros((0, 0), np.float32)
    flat = [i for own in slides.values() for i in own]
    owner = torch.tensor([k for k, own in enumerate(slides.values()) for _ in own])
    vectors = torch.cat([model.embed_wsi(packed).cpu() for _, packed in store.pieces(flat, scaler, budget)])
    summed = torch.zeros(len(slides), vectors.shape[1]).index_add(0, owner, vectors)
    return F.normalize(summed, dim=1).numpy()


@torch.no_grad()
def embed_profiles(model: Encoders, genes: np.ndarray) -> np.ndarray:
    """Unit vectors of RNA profiles (patients, genes) float32: (patients, dim) float32."""
    model.eval()
    device = next(model.parameters()).device
    return model.embed_rna(torch.from_numpy(genes).to(device)).cpu().numpy()
