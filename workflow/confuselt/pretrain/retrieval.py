"""Cross-modal retrieval: one gallery entry per patient."""

import numpy as np
import torch
from torch.nn import functional as F

from confuselt.model.encoders import Encoders
from confuselt.pack.bags import Bags


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
def embed_patients(model: Encoders, bags: Bags, slides: dict[str, list[int]], chunk: int = 64) -> np.ndarray:
    """Mean unit vector of a patient's slides, renormalised: (patients, dim) float32."""
    model.eval()
    flat = [i for own in slides.values() for i in own]
    parts = [
        model.embed_wsi(bags.pack([[i] for i in flat[start : start + chunk]])) for start in range(0, len(flat), chunk)
    ]
    if not parts:
        return np.zeros((0, 0), np.float32)
    every = torch.cat(parts)
    owner = torch.tensor([k for k, own in enumerate(slides.values()) for _ in own], device=every.device)
    summed = every.new_zeros(len(slides), every.shape[1]).index_add(0, owner, every)
    return F.normalize(summed, dim=1).cpu().numpy()


@torch.no_grad()
def embed_profiles(model: Encoders, genes: np.ndarray) -> np.ndarray:
    """Unit vectors of RNA profiles: (patients, dim) float32."""
    model.eval()
    return model.embed_rna(genes).cpu().numpy()
