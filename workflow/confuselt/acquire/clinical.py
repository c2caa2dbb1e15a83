"""The clinical table in the project's words: outcomes and sites in one table, covariates in another.

An edit of covariates leaves alone what hangs on outcomes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.acquire.called import by_calls
from confuselt.acquire.cohort import mark_repeated, row_name
from confuselt.acquire.excluded import EXCLUDED, OK
from confuselt.acquire.limit import first_patients
from confuselt.acquire.outcomes import event_column, read_covariate, read_endpoint, read_label, time_columns
from confuselt.acquire.schema import OUTCOMES
from confuselt.sheets.read import closest, columns_of, read_sheet, row_number
from confuselt.tables import empty_table


@dataclass(frozen=True)
class Outcomes:
    """Outcomes and site of every patient.

    Attributes
    ----------
    rows : DataFrame
        Columns of ``acquire/outcomes`` (see schema). A value that cannot be used is set missing and named
        in `reason`; a repeated or empty id excludes its rows.
    read : dict of str to (int, list of str)
        Endpoint or label to how many patients have something written, and what is wrong with those values that cannot
        be used.
    codings : dict of str to str
        Endpoint to what the values of its event column mean.
    agreement : dict of str to dict
        Label that was called from RNA to how its calls agree with the classes that the table gives (see `by_calls`).
    """

    rows: pd.DataFrame
    read: dict[str, tuple[int, list[str]]]
    codings: dict[str, str]
    agreement: dict[str, dict]


def id_columns(cfg: dict) -> list[str]:
    """Columns of the clinical table that say who is in the cohort."""
    return [cfg["acquire.id_column"]]


def outcome_columns(cfg: dict) -> list[str]:
    """Columns that outcomes and sites are read from."""
    times = [column for task in cfg["tasks.survival"] for column in (*time_columns(task), event_column(task))]
    labels = [task["column"] or task["name"] for task in cfg["tasks.labels"]]
    site = [cfg["acquire.site"]] if cfg["acquire.site"] else []
    return list(dict.fromkeys([*id_columns(cfg), *site, *times, *labels]))


def covariate_columns(cfg: dict) -> list[str]:
    """Columns that covariates are read from."""
    return list(dict.fromkeys([*id_columns(cfg), *cfg["acquire.covariates"]]))


def balance_columns(cfg: dict) -> list[str]:
    """Columns that the medians of a label's genes are balanced by: of the label that is `cfg`'s ``task``."""
    by = cfg["rna.calls"][cfg["task"]]["balanced_by"]
    return [*id_columns(cfg), by] if by else []


def read_columns(path: Path, wanted: list[str], cfg: dict) -> pd.DataFrame:
    """Those of the `wanted` columns that the table has, as text; ValueError where it has no id column."""
    key, present = cfg["acquire.id_column"], columns_of(path)
    if key not in present:
        raise ValueError(f"{path}: no column '{key}'{closest(key, present)} (acquire.id_column)")
    there = [column for column in wanted if column in present]
    events = tuple(event_column(task) for task in cfg.get("tasks.survival", ()))
    return read_sheet(path, there, codes=(cfg.get("acquire.site"),), nones=events)


def read_outcomes(path: Path, cfg: dict, calls: dict[str, pd.DataFrame] | None = None) -> Outcomes:
    """Outcomes and site of every patient: days, events, labels.

    Parameters
    ----------
    path : Path
        The user's table.
    calls : dict of str to DataFrame, optional
        Label to ``rna/calls``: classes of patients to whom the table gives none.
    cfg : dict
        Keys ``acquire.id_column``, ``acquire.site``, ``tasks.survival``, ``tasks.labels``.

    Raises
    ------
    ValueError
        There is no id column, or what the values of an event column mean is not clear.
    """
    file, raw = path.name, read_columns(path, outcome_columns(cfg), cfg)
    out = _people(raw, cfg, file)
    out["status"] = np.where(out["reason"].isna(), OK, EXCLUDED)
    notes: list[dict[int, str]] = []
    if cfg["acquire.site"] is None:
        out["site"] = "one site"
    elif cfg["acquire.site"] in raw:
        out["site"] = raw[cfg["acquire.site"]]
        notes.append({i: f"{file} row {row_number(i)}: no site" for i in np.flatnonzero(out["site"].isna())})
    else:  # a cohort to predict on needs none; for the training cohort check_sources stopped before any job
        out["site"] = None
    read, codings, agreement = {}, {}, {}
    for task in cfg["tasks.survival"]:
        found = read_endpoint(raw, task, file)
        out[f"{task['name']}_days"], out[f"{task['name']}_event"] = (
            (found.days, found.event) if found else (np.nan, np.nan)
        )
        if found:
            read[task["name"]], codings[task["name"]] = (found.given, list(found.faults.values())), found.coding
            notes += [found.faults, found.halves]
    for task in cfg["tasks.labels"]:
        name = task["name"]
        classes, faults = read_label(raw, task, file)
        read[name] = (sum(c is not None for c in classes) + len(faults), list(faults.values()))
        notes.append(faults)
        if name in (calls or {}):
            column = task["column"] or name
            blank = raw[column].isna() if column in raw else pd.Series(True, raw.index)
            classes, agreement[name] = by_calls(pd.Series(classes, out["patient_id"]), blank, calls[name], task)
        out[f"label_{name}"] = classes
    return Outcomes(_noted(out, notes), read, codings, agreement)


def no_outcomes(cfg: dict) -> Outcomes:
    """Outcomes of nobody, for a cohort to predict on."""
    names = [f"{t['name']}_{c}" for t in cfg["tasks.survival"] for c in ("days", "event")]
    names += [f"label_{t['name']}" for t in cfg["tasks.labels"]]
    return Outcomes(empty_table(OUTCOMES).reindex(columns=[*OUTCOMES.columns, *names]), {}, {}, {})


def read_covariates(path: Path, cfg: dict) -> pd.DataFrame:
    """Covariates of every patient.

    Parameters
    ----------
    path : Path
        The user's table.
    cfg : dict
        Keys ``acquire.id_column``, ``acquire.covariates``.

    Returns
    -------
    DataFrame
        Columns of ``acquire/covariates``; `reason` says what was made of a value that is no plain number.
    """
    raw = read_columns(path, covariate_columns(cfg), cfg)
    out, notes = _people(raw, cfg, path.name).assign(reason=None), []
    for covariate in (c for c in cfg["acquire.covariates"] if c in raw):
        out[f"covariate_{covariate}"], faults = read_covariate(raw[covariate], covariate, path.name)
        notes.append(faults)
    return _noted(out, notes)


def _people(raw: pd.DataFrame, cfg: dict, file: str) -> pd.DataFrame:
    """``patient_id`` and ``reason`` of every row: why its id is none; rows that agree in what is read are one."""
    ids = raw[cfg["acquire.id_column"]]
    named = [row_name(file, i) if p is None else p for i, p in enumerate(ids)]
    return pd.DataFrame({"patient_id": named, "reason": mark_repeated(ids, file, said=raw)})


def _noted(out: pd.DataFrame, notes: list[dict[int, str]]) -> pd.DataFrame:
    """A row per patient, sorted, with what was noted by position among its reasons."""
    for position in sorted({i for some in notes for i in some}):
        texts = [out.at[position, "reason"], *(some.get(position) for some in notes)]
        out.at[position, "reason"] = "; ".join(t for t in texts if isinstance(t, str))
    return out[~out.duplicated("patient_id")].sort_values("patient_id", ignore_index=True)


def of_limit(rows: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """Rows of the patients that ``acquire.limit`` leaves."""
    chosen = first_patients(rows["patient_id"], [], limit)
    return rows if chosen is None else rows[rows["patient_id"].isin(chosen)].reset_index(drop=True)


def merge_sites(outcomes: pd.DataFrame, site_map: pd.DataFrame | None) -> pd.DataFrame:
    """Replace site codes by institutions through a table of ``code`` and ``institution``, both read as text."""
    if site_map is None:
        return outcomes
    names = {
        c: i for c, i in zip(site_map["code"], site_map["institution"], strict=True) if c is not None and i is not None
    }
    return outcomes.assign(site=outcomes["site"].map(lambda s: names.get(s, s), na_action="ignore"))
