"""Rows of ``evaluate/retrieval``: both directions, one gallery entry per patient, with chance stated."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from confuselt.evaluate.schema import RETRIEVAL
from confuselt.evaluate.scores import Bootstrap, interval
from confuselt.pretrain.retrieval import ranks

DIRECTIONS = ("wsi-to-rna", "rna-to-wsi")


@dataclass(frozen=True)
class Gallery:
    """Test pairs of one fold under one model.

    Attributes
    ----------
    model : str
    draw, repeat, fold : int
    patients : list of str
    wsi, rna : (n, dim) float
        Unit vectors.
    """

    model: str
    draw: int
    repeat: int
    fold: int
    patients: list[str]
    wsi: np.ndarray
    rna: np.ndarray


def strata(patients: list[str], site: dict[str, object], label: dict[str, object]) -> dict[str, np.ndarray]:
    """Which gallery entries compete for each query: all, those of the same site, those of the same class."""
    found = {"all": np.ones((len(patients), len(patients)), bool)}
    for name, of in (("within-site", site), ("within-class", label)):
        values = np.array([of.get(p) if isinstance(of.get(p), str) else f"unknown {p}" for p in patients], object)
        found[name] = values[:, None] == values[None]
    return found


def retrieval_rows(galleries: list[Gallery], site: dict, label: dict, ks: list[int], bootstrap: Bootstrap) -> list[dict]:
    """Per fold, and over the folds of all repeats (patients weighted alike, patient bootstrap within fold)."""
    rows = []
    for model, draw in sorted({(g.model, g.draw) for g in galleries}):
        own = [g for g in galleries if (g.model, g.draw) == (model, draw)]
        for direction in DIRECTIONS:
            for stratum in ("all", "within-site", "within-class"):
                rows += _stratum_rows(own, model, draw, direction, stratum, site, label, ks, bootstrap)
    return rows


def _stratum_rows(
    galleries: list[Gallery], model: str, draw: int, direction: str, stratum: str, site: dict, label: dict, ks: list[int], bootstrap: Bootstrap
) -> list[dict]:
    key = {"model": model, "draw": draw, "direction": direction, "stratum": stratum}
    rows, parts = [], []
    for g in galleries:
        allowed = strata(g.patients, site, label)[stratum]
        rivals = allowed.sum(1) - 1
        use = rivals > 0
        if not use.any():
            rows.append(
                {
                    **key,
                    "repeat": g.repeat,
                    "fold": g.fold,
                    "n": 0,
                    "status": "not available",
                    "reason": f"no two test pairs share a {'site' if stratum == 'within-site' else 'class'}",
                }
            )
            continue
        at = ranks(*((g.wsi, g.rna) if direction == "wsi-to-rna" else (g.rna, g.wsi)), allowed)[use]
        size = rivals[use] + 1
        weights = bootstrap.weights([p for p, u in zip(g.patients, use, strict=True) if u])
        percentile = 1 - at / (size - 1)
        for k in ks:
            # Half a place for ties: a query tied with its rivals at the border counts by its mean rank.
            hit, chance = (at < k).astype(float), np.minimum(k / size, 1)
            rows.append(
                {
                    **key,
                    "repeat": g.repeat,
                    "fold": g.fold,
                    "k": k,
                    "recall": hit.mean(),
                    "percentile_rank": percentile.mean(),
                    "chance": chance.mean(),
                    "n": len(at),
                    "status": "ok",
                }
            )
            parts.append((k, weights, hit, percentile, chance, g.repeat))
    for k in ks:
        mine = [p for p in parts if p[0] == k]
        if not mine:
            rows.append({**key, "repeat": -1, "fold": -1, "k": k, "n": 0, "status": "not available", "reason": "no test fold has pairs to compare"})
            continue
        total = sum(w.sum(1) for _, w, *_ in mine)
        recall = sum(w @ hit for _, w, hit, *_ in mine) / total
        low, high = interval(recall[1:])
        n = sum(len(hit) for _, _, hit, *_, repeat in mine if repeat == mine[0][-1])
        mean = {name: np.concatenate([v[i] for v in mine]).mean() for name, i in (("percentile_rank", 3), ("chance", 4))}
        rows.append({**key, "repeat": -1, "fold": -1, "k": k, "recall": recall[0], "low": low, "high": high, "n": n, "status": "ok", **mean})
    return rows


def retrieval_table(rows: list[dict], lost: list[dict]) -> pd.DataFrame:
    """Columns of ``evaluate/retrieval``; what could not be trained or embedded is a row with its reason.

    Parameters
    ----------
    rows : list of dict
        From `retrieval_rows`.
    lost : list of dict
        ``model, draw, repeat, fold, reason``; a model without any fold gets a row over folds too.
    """
    scored, none = {(r["model"], r["draw"]) for r in rows}, {"n": 0, "status": "not available"}
    whole = {(r["model"], r["draw"]): {**r, "repeat": -1, "fold": -1} for r in reversed(lost) if (r["model"], r["draw"]) not in scored}
    rows = rows + [{**r, **none} for r in [*(r for r in lost if r["fold"] >= 0), *whole.values()]]
    return pd.DataFrame(rows, columns=list(RETRIEVAL.columns))
