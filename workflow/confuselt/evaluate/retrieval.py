"""Rows of ``evaluate/retrieval``: both directions, one gallery entry per patient, with chance stated."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from confuselt.evaluate.resample import Resampling
from confuselt.evaluate.schema import RETRIEVAL
from confuselt.evaluate.scores import Block
from confuselt.pretrain.retrieval import standing
from confuselt.survival.concordance import ratio

DIRECTIONS = ("wsi-to-rna", "rna-to-wsi")
STRATA = ("all", "within-site", "within-class")


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


@dataclass(frozen=True)
class Found:
    """Where each query's own partner stands in one fold.

    Attributes
    ----------
    repeat, fold : int
    patients : list of str
        Queries with a rival.
    above, ties : (n,) int64
        Entries that are more similar than the partner, and as similar.
    size : (n,) int64
        Gallery entries that compete.
    """

    repeat: int
    fold: int
    patients: list[str]
    above: np.ndarray
    ties: np.ndarray
    size: np.ndarray

    @property
    def percentile(self) -> np.ndarray:
        """1 = first, 0 = last, .5 by chance; ties count half a place."""
        return 1 - (self.above + self.ties / 2) / (self.size - 1)

    def hit(self, k: int) -> np.ndarray:
        """1 where the partner is among the first k.

        Of partners that tie with others, the share of their orders in which it is.
        """
        return np.clip((k - self.above) / (self.ties + 1), 0, 1)

    def chance(self, k: int) -> np.ndarray:
        """Probability of a hit by chance."""
        return np.minimum(k / self.size, 1)


def strata(patients: list[str], site: dict[str, object], label: dict[str, object]) -> dict[str, np.ndarray]:
    """Which gallery entries compete for each query: all, those of the same site, those of the same class."""
    found = {"all": np.ones((len(patients), len(patients)), bool)}
    for name, of in (("within-site", site), ("within-class", label)):
        values = np.array([of.get(p) if isinstance(of.get(p), str) else f"unknown {p}" for p in patients], object)
        found[name] = values[:, None] == values[None]
    return found


def find(gallery: Gallery, direction: str, allowed: np.ndarray) -> Found | None:
    """Ranks of the queries that have a rival; None where none has."""
    rivals = allowed.sum(1) - 1
    use = rivals > 0
    if not use.any():
        return None
    above, ties = standing(
        *((gallery.wsi, gallery.rna) if direction == DIRECTIONS[0] else (gallery.rna, gallery.wsi)), allowed
    )
    return Found(
        gallery.repeat,
        gallery.fold,
        [p for p, u in zip(gallery.patients, use, strict=True) if u],
        above[use],
        ties[use],
        rivals[use] + 1,
    )


def mean_block(folds: list[tuple[int, int, list[str], np.ndarray]], resampling: Resampling) -> Block:
    """Mean of a value per patient over the folds of a repeat, repeats averaged, under every draw.

    Parameters
    ----------
    folds : list of (repeat, fold, patients, (n,) float64)
    resampling : Resampling
    """
    if not folds:
        empty = np.full(resampling.draws, np.nan)
        return Block(np.nan, empty, empty if resampling.sites else None, [], 0, 0)
    sums: dict[int, np.ndarray] = {}
    rows, n = [], 0
    for repeat, fold, patients, values in folds:
        weights = resampling.patients(patients)
        parts = [np.stack([weights @ values, weights.sum(1)])]
        if resampling.sites:
            group, by_site = resampling.of_sites(patients)
            each = np.stack([np.bincount(group, v, by_site.shape[1]) for v in (values, np.ones(len(values)))])
            parts.append(each @ by_site[1:].T)
        sums[repeat] = sums.get(repeat, 0) + np.concatenate(parts, 1)
        rows.append({"repeat": repeat, "fold": fold, "value": float(values.mean()), "n": len(values), "events": 0})
        n += len(values) if repeat == folds[0][0] else 0
    whole = np.mean([ratio(*s) for s in sums.values()], 0)
    draws = resampling.draws
    return Block(float(whole[0]), whole[1 : 1 + draws], whole[1 + draws :] if resampling.sites else None, rows, n, 0)


def only(gallery: Gallery, patients: set[str]) -> Gallery:
    """The gallery of some patients."""
    use = np.array([p in patients for p in gallery.patients], bool)
    kept = [p for p, u in zip(gallery.patients, use, strict=True) if u]
    return Gallery(gallery.model, gallery.draw, gallery.repeat, gallery.fold, kept, gallery.wsi[use], gallery.rna[use])


def common_galleries(a: list[Gallery], b: list[Gallery]) -> tuple[list[Gallery], list[Gallery]]:
    """Folds and patients that both models have: recall depends on the size of the gallery."""
    theirs, sides = {(g.repeat, g.fold): g for g in b}, ([], [])
    for mine in a:
        other = theirs.get((mine.repeat, mine.fold))
        both = set(mine.patients) & set(other.patients) if other is not None else set()
        if len(both) > 1:
            for side, gallery in zip(sides, (mine, other), strict=True):
                side.append(only(gallery, both))
    return sides


def recall_block(galleries: list[Gallery], k: int, resampling: Resampling) -> Block:
    """Recall@k over all test pairs, the mean of both directions: what contrasts of retrieval compare."""
    folds = []
    for gallery in galleries:
        allowed = np.ones((len(gallery.patients),) * 2, bool)
        found = [find(gallery, d, allowed) for d in DIRECTIONS]
        if None not in found:
            folds.append((gallery.repeat, gallery.fold, gallery.patients, np.mean([f.hit(k) for f in found], 0)))
    return mean_block(folds, resampling)


def retrieval_rows(
    galleries: list[Gallery], site: dict, label: dict, ks: list[int], resampling: Resampling
) -> list[dict]:
    """Per fold, and over folds with the widest of three intervals."""
    rows = []
    for model, draw in sorted({(g.model, g.draw) for g in galleries}):
        own = [(g, strata(g.patients, site, label)) for g in galleries if (g.model, g.draw) == (model, draw)]
        for direction in DIRECTIONS:
            for stratum in STRATA:
                key = {"model": model, "draw": draw, "direction": direction, "stratum": stratum}
                rows += [
                    {**key, **r}
                    for r in _stratum_rows([(g, s[stratum]) for g, s in own], direction, stratum, ks, resampling)
                ]
    return rows


def _stratum_rows(
    galleries: list[tuple[Gallery, np.ndarray]], direction: str, stratum: str, ks: list[int], resampling: Resampling
) -> list[dict]:
    rows, found = [], []
    for gallery, allowed in galleries:
        one = find(gallery, direction, allowed)
        if one is None:
            reason = f"no two test pairs share a {'site' if stratum == 'within-site' else 'class'}"
            rows.append(
                {"repeat": gallery.repeat, "fold": gallery.fold, "n": 0, "status": "not available", "reason": reason}
            )
            continue
        found.append(one)
        each = {
            "repeat": one.repeat,
            "fold": one.fold,
            "percentile_rank": one.percentile.mean(),
            "n": len(one.size),
            "status": "ok",
        }
        rows += [{**each, "k": k, "recall": one.hit(k).mean(), "chance": one.chance(k).mean()} for k in ks]
    for k in ks:
        if not found:
            rows.append(
                {
                    "repeat": -1,
                    "fold": -1,
                    "k": k,
                    "n": 0,
                    "status": "not available",
                    "reason": "no test fold has pairs to compare",
                }
            )
            continue
        block = mean_block([(f.repeat, f.fold, f.patients, f.hit(k)) for f in found], resampling)
        low, high = block.interval().bounded
        mean = {
            "percentile_rank": np.concatenate([f.percentile for f in found]).mean(),
            "chance": np.concatenate([f.chance(k) for f in found]).mean(),
        }
        rows.append(
            {
                "repeat": -1,
                "fold": -1,
                "k": k,
                "recall": block.value,
                "low": low,
                "high": high,
                "n": block.n,
                "status": "ok",
                **mean,
            }
        )
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
    whole = {
        (r["model"], r["draw"]): {**r, "repeat": -1, "fold": -1}
        for r in reversed(lost)
        if (r["model"], r["draw"]) not in scored
    }
    rows = rows + [{**r, **none} for r in [*(r for r in lost if r["fold"] >= 0), *whole.values()]]
    return pd.DataFrame(rows, columns=list(RETRIEVAL.columns))
