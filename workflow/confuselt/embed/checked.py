"""An encoder's weights: tried once, before any slide is read, and the same in every job after that."""

from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.embed.encoder import Encoder
from confuselt.embed.schema import WEIGHTS
from confuselt.tables import read_table


def try_encoder(encoder: Encoder) -> None:
    """Run it on two tiles; ValueError where it does not give what its card says."""
    size, dim = encoder.card.size, encoder.card.dim
    tiles = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    tiles[1] = 240  # glass
    found = encoder.embed(tiles)
    if found.shape != (2, dim):
        raise ValueError(f"encoder {encoder.name}: a tile has {found.shape[1:]} features, its card says dim: {dim}")
    if not np.isfinite(found).all() or np.abs(found).max() > np.finfo(np.float16).max:
        raise ValueError(f"encoder {encoder.name}: features that are not finite in float16; precision: float32 may do")
    if np.ptp(found, axis=0).max() == 0:
        raise ValueError(f"encoder {encoder.name}: noise and glass have the same features; are these its weights?")


def facts_of(encoder: Encoder, file: Path) -> pd.DataFrame:
    """Row of `WEIGHTS`."""
    return pd.DataFrame(
        {
            "encoder": [encoder.name],
            "weights": encoder.weights,
            "card": encoder.card.identity,
            "bytes": file.stat().st_size,
            "parameters": sum(p.numel() for p in encoder.model.parameters()),
            "dim": encoder.card.dim,
        }
    )


def check_same(encoder: Encoder, table: Path | None) -> None:
    """ValueError where the weights are not those that were tried; `table` holds `WEIGHTS`, None: a package's own."""
    if table is None:
        return
    tried = read_table(table, WEIGHTS).iloc[0]["weights"]
    if encoder.weights != tried:
        raise ValueError(
            f"encoder {encoder.name}: the file of weights is {encoder.weights[:16]}, tried was {tried[:16]}; "
            "it changed while the run went on: start the run again"
        )
