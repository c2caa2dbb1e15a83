"""Folds of a cohort: test, inner validation and training patients of every repeat and fold."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.sheets.read import read_sheet, row_number
from confuselt.sheets.words import number
from confuselt.split.sites import Wanted, distinct_maps, random_map

log = logging.getLogger(__name__)
TEST, INNER, TRAIN = "test", "inner", "train"


def patient_counts(outcomes: pd.DataFrame, cfg: dict) -> np.ndarray:
    """What each patient brings, (n, 2 + classes): itself, an event of the first endpoint that has any, its classes."""
    endpoint = next((t["name"] for t in cfg["tasks.survival"] if outcomes[f"{t['name']}_event"].sum() > 0), None)
    columns = [np.ones(len(outcomes))]
    columns.append(
        np.nan_to_num(outcomes[f"{endpoint}_event"].to_numpy(float)) if endpoint else np.zeros(len(outcomes))
    )
    for label in cfg["tasks.labels"]:
        values = outcomes[f"label_{label['name']}"]
        columns += [(values == c).to_numpy(float) for c in label["classes"] if (values == c).any()]
    return np.column_stack(columns)


def group_counts(groups: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sums over the patients of each group, (groups, features)."""
    sums = np.zeros((groups.max() + 1, counts.shape[1]))
    np.add.at(sums, groups, counts)
    return sums


def usable_patients(outcomes: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``acquire/outcomes`` of those patients that can be used, sorted by patient.

    Parameters
    ----------
    outcomes, patients : DataFrame
        ``acquire/outcomes`` and ``acquire/patients``.
    """
    usable = set(patients.loc[patients["status"] == "ok", "patient_id"])
    there = outcomes["patient_id"].isin(usable) & (outcomes["status"] == "ok")
    return outcomes[there].sort_values("patient_id", ignore_index=True)


def make_folds(clinical: pd.DataFrame, cfg: dict) -> pd.DataFrame:
    """Random maps of whole groups to folds.

    Parameters
    ----------
    clinical : DataFrame
        Usable patients of ``acquire/outcomes``, sorted by patient.
    cfg : dict
        ``split.*``, ``tasks.*``, ``seed``.

    Returns
    -------
    DataFrame
        Columns of ``split/folds``.
    """
    rng = np.random.default_rng([cfg["seed"], 1])
    groups, k = _groups(clinical, cfg), cfg["split.folds"]
    counts = group_counts(groups, patient_counts(clinical, cfg))
    if len(counts) < k:
        raise ValueError(f"{len(counts)} sites for {k} folds: use fewer folds or split.group: patient")
    least = np.concatenate(
        [[0.5 * len(clinical) / k, _least_events(counts, k, cfg)], np.minimum(1, counts[:, 2:].sum(0) // k)]
    )
    largest = counts[:, 0].max()
    maps = distinct_maps(
        Wanted(counts, least, max(1.6 * len(clinical) / k, 1.05 * largest)),
        groups,
        k,
        cfg["split.repeats"],
        cfg["split.max_ari"],
        cfg["split.tries"],
        rng,
    )
    test = pd.DataFrame(
        [
            {"repeat": r, "patient_id": p, "test_fold": f}
            for r, m in enumerate(maps)
            for p, f in zip(clinical["patient_id"], m[groups], strict=True)
        ]
    )
    return with_inner(test, clinical, groups, cfg, lambda repeat, fold: rng)


def _least_events(counts: np.ndarray, k: int, cfg: dict) -> float:
    total = counts[:, 1].sum()
    if total < k * cfg["split.min_events"]:
        log.warning(
            "%d events for %d folds: the folds cannot hold %d each, no bound is set", total, k, cfg["split.min_events"]
        )
        return 0.0
    return float(cfg["split.min_events"])


def _groups(clinical: pd.DataFrame, cfg: dict) -> np.ndarray:
    """Number of each patient's group: of its site, or of itself."""
    key = clinical["patient_id"] if cfg["split.group"] == "patient" else clinical["site"].fillna("no site")
    return pd.factorize(key, sort=True)[0]


def folds_from_file(path: Path, clinical: pd.DataFrame, cfg: dict) -> pd.DataFrame:
    """Test folds that the user brought; the inner part is drawn here, grouped alike.

    Nothing of it hangs on outcomes of the fold's test patients, were sites torn or not: these are no outcomes that the
    folds were made by. So every fold has a generator of its own: another fold draws from the outcomes of others.

    Patients that the file does not name are in no fold (logged); ids that the cohort does not have are ignored
    (logged).
    """
    key = cfg["acquire.id_column"]
    table = read_sheet(path)
    for column in (key, "test_fold"):
        if column not in table:
            raise ValueError(f"{path}: no column '{column}' (split.from: file)")
    table = table.rename(columns={key: "patient_id"})
    if table["patient_id"].isna().any():
        raise ValueError(f"{path}: row {row_number(int(table['patient_id'].isna().argmax()))} has no {key}")
    table["repeat"] = table.get("repeat", "0")
    for column in ("test_fold", "repeat"):
        table[column] = [number(cell) for cell in table[column]]
    for column, count in (("test_fold", cfg["split.folds"]), ("repeat", cfg["split.repeats"])):
        found = sorted(set(table[column]))
        if found != list(range(count)):
            raise ValueError(
                f"{path}: {column} holds {', '.join(f'{v:g}' for v in found[:10])}, "
                f"the config wants 0 to {count - 1} (split.folds, split.repeats)"
            )
    table = table.astype({"test_fold": int, "repeat": int})
    repeated = table.duplicated(["repeat", "patient_id"])
    if repeated.any():
        raise ValueError(f"{path}: patients stand twice: {table.loc[repeated, 'patient_id'].head().tolist()}")
    every = table.groupby("patient_id")["repeat"].nunique()
    if short := sorted(every.index[every < cfg["split.repeats"]]):
        # Or they would be trained on in every fold of a repeat that never tests them.
        raise ValueError(
            f"{path}: {len(short)} patients have no test_fold in some repeat, first {short[:5]}; "
            "give each one in every repeat, or take it out"
        )
    unknown = sorted(set(table["patient_id"]) - set(clinical["patient_id"]))
    absent = sorted(set(clinical["patient_id"]) - set(table["patient_id"]))
    if unknown:
        log.warning("%d patients of %s are not in the cohort, first %s", len(unknown), path.name, unknown[:5])
    if absent:
        log.warning(
            "%d patients of the cohort are not in %s, first %s: they are in no fold", len(absent), path.name, absent[:5]
        )
    clinical = clinical[clinical["patient_id"].isin(set(table["patient_id"]))].reset_index(drop=True)
    if clinical.empty:
        raise ValueError(f"{path}: no patient of the cohort is in it")
    test = table[["repeat", "patient_id", "test_fold"]].merge(clinical[["patient_id"]], on="patient_id")
    return with_inner(
        test,
        clinical,
        _groups(clinical, cfg),
        cfg,
        lambda repeat, fold: np.random.default_rng([cfg["seed"], 1, repeat, fold]),
    )


def with_inner(
    test: pd.DataFrame,
    clinical: pd.DataFrame,
    groups: np.ndarray,
    cfg: dict,
    rng_of: Callable[[int, int], np.random.Generator],
) -> pd.DataFrame:
    """Add the inner validation part: whole groups, about ``split.inner`` of the training patients.

    Parameters
    ----------
    test : DataFrame
        ``repeat, patient_id, test_fold``.
    clinical, cfg
        See `make_folds`.
    groups : (n,) int
        Group of each patient.
    rng_of : callable
        (repeat, fold) to the generator that the inner part is drawn with.
    """
    rows = []
    for (repeat, fold), chosen in _test_masks(test, clinical, cfg):
        # Of the training patients only: a group may lie partly in the test fold when the file says so.
        counts = patient_counts(clinical[~chosen], cfg)
        inner = np.zeros(len(clinical), bool)
        inner[~chosen] = _inner_mask(groups[~chosen], counts, cfg["split.inner"], rng_of(repeat, fold))
        role = np.where(chosen, TEST, np.where(inner, INNER, TRAIN))
        rows.append(
            pd.DataFrame(
                {
                    "repeat": repeat,
                    "fold": fold,
                    "patient_id": clinical["patient_id"],
                    "site": clinical["site"],
                    "role": role,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _test_masks(test: pd.DataFrame, clinical: pd.DataFrame, cfg: dict) -> list[tuple[tuple[int, int], np.ndarray]]:
    masks = []
    for repeat in range(cfg["split.repeats"]):
        fold_of = (
            test[test["repeat"] == repeat]
            .set_index("patient_id")["test_fold"]
            .reindex(clinical["patient_id"])
            .to_numpy()
        )
        masks += [((repeat, fold), fold_of == fold) for fold in range(cfg["split.folds"])]
    return masks


def _inner_mask(groups: np.ndarray, counts: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Whole groups of about `share` of the training patients, stratified like the folds.

    Parameters
    ----------
    groups : (n,) int
        Of the training patients.
    counts : (n, features) float
        See `patient_counts`.
    share : float
    rng : Generator
    """
    present, codes = np.unique(groups, return_inverse=True)
    if len(present) < 2:
        raise ValueError(
            "a fold leaves one site for training: no inner part can be taken from it; use split.group: patient"
        )
    parts = min(max(2, round(1 / share)), len(present))
    # Sums by way of each group's mean: to the last bit those by which the inner parts of earlier runs were drawn.
    inside = group_counts(codes, (group_counts(codes, counts) / np.bincount(codes)[:, None])[codes])
    total = inside.sum(0)
    least = np.concatenate([[0.6 * total[0] / parts], np.minimum(total[1:] // (2 * parts), 2)])
    best, best_left = None, np.inf
    for _ in range(20):
        folds, left = random_map(
            Wanted(inside, least, max(1.5 * total[0] / parts, 1.05 * inside[:, 0].max())), parts, rng
        )
        if left < best_left:
            best, best_left = folds, left
        if left == 0:
            break
    # Among the allowed parts, the one nearest to the wanted share.
    sizes = np.array([inside[best == p, 0].sum() for p in range(parts)])
    part = int(np.argmin(np.abs(sizes - share * total[0])))
    return best[codes] == part
