"""Cohort tables from sheets: who has what, and why something is left out."""

from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.acquire.excluded import EXCLUDED, OK
from confuselt.acquire.ids import explained
from confuselt.acquire.slide_name import slide_fault
from confuselt.sheets.genes import genes_in_rows, samples_of
from confuselt.sheets.read import closest, columns_of, read_sheet, row_number
from confuselt.slides.resolution import LEAST_MPP, MOST_MPP

STREAMS = ("tile", "cells")


def row_name(file: str, position: int) -> str:
    """File and row: stands for the id of a row that has none, so that the row is reported and not lost."""
    return f"{file} row {row_number(position)}"


def mark_repeated(ids: pd.Series, file: str, advice: str = "keep one", said: pd.DataFrame | None = None) -> pd.Series:
    """Reason for every row whose id is empty or stands in several rows of `file` (None elsewhere).

    `advice` says what to do about the latter. Rows that say the same in all columns of `said` are one, and no fault.
    """
    rows, alike = {}, _alike(ids, said)
    for position, value in enumerate(ids):
        rows.setdefault(value, []).append(row_number(position))
    reasons = []
    for position, value in enumerate(ids):
        if value is None or pd.isna(value):
            reasons.append(f"{row_name(file, position)}: {ids.name} is empty; write the id, or take the row out")
        elif len(rows[value]) > 1 and value not in alike:
            reasons.append(f"{file}: id '{value}' stands in rows {', '.join(map(str, rows[value]))}; {advice}")
        else:
            reasons.append(None)
    return pd.Series(reasons, index=ids.index, dtype=object)


def _alike(ids: pd.Series, said: pd.DataFrame | None) -> set[str]:
    """Ids of several rows that all say the same."""
    if said is None:
        return set()
    others = said.assign(id=ids.to_numpy(object)).drop_duplicates()
    return set(ids) - set(others.loc[others.duplicated("id"), "id"])


def read_streams(sources: dict[str, Path], cfg: dict, found: list[dict] | None = None) -> pd.DataFrame:
    """One row per slide over the slide sheet, or the slides found in a folder, and the feature tables.

    Parameters
    ----------
    sources : dict of str to Path
        Existing files among ``slides``, ``tile``, ``cells``.
    cfg : dict
        Keys ``acquire.id_column``, ``acquire.tile``, ``acquire.cells``.
    found : list of dict, optional
        ``slide_id, patient_id, file`` of slides that a pattern found.

    Returns
    -------
    DataFrame
        Columns of ``acquire/slides``; `tile` and `cells` hold the file that has that stream, as the user
        wrote it, so that results do not depend on where they lie (None: no such stream).
    """
    key = cfg["acquire.id_column"]
    slides: dict[str, dict] = {}
    if "slides" in sources:
        present = columns_of(sources["slides"])
        for column in ("slide_id", key):
            if column not in present:
                raise ValueError(f"{sources['slides']}: no column '{column}'{closest(column, present)}")
        sheet = read_sheet(
            sources["slides"], [c for c in dict.fromkeys(("slide_id", key, "file", "mpp", *STREAMS)) if c in present]
        )
        reasons = mark_repeated(sheet["slide_id"], sources["slides"].name)
        for i, row in enumerate(sheet.to_dict("records")):
            reason, slide = reasons.iloc[i], row["slide_id"] or row_name(sources["slides"].name, i)
            if row["slide_id"] is not None and row[key] is None:
                reason = f"{row_name(sources['slides'].name, i)}: slide '{slide}' has no {key}"
            reason = reason or (slide_fault(slide) if isinstance(row.get("file"), str) else None)
            reason = reason or _mpp_fault(row.get("mpp"), row_name(sources["slides"].name, i))
            bags = {s: row.get(s) for s in ("file", "mpp", "tile", "cells")}
            slides[slide] = {"patient_id": row[key] or "", "reason": reason, **bags}
    for row, reason in zip(
        found or [],
        mark_repeated(pd.Series([r["slide_id"] for r in found or []], name="slide_id"), "the folder of slides"),
        strict=True,
    ):
        slides[row["slide_id"]] = {
            "patient_id": row["patient_id"],
            "reason": reason or slide_fault(row["slide_id"]),
            "file": row["file"],
        }
    for stream in STREAMS:
        if stream not in sources:
            continue
        _add_table(slides, stream, sources[stream], cfg)
    rows = [{"slide_id": s, **dict.fromkeys(("file", "mpp", "tile", "cells")), **v} for s, v in slides.items()]
    frame = pd.DataFrame(rows, columns=["slide_id", "patient_id", "status", "reason", "file", "mpp", "tile", "cells"])
    frame["mpp"] = pd.to_numeric(frame["mpp"], errors="coerce")
    frame["status"] = np.where(frame["reason"].isna(), OK, EXCLUDED)
    return frame.sort_values("slide_id", ignore_index=True)


def _mpp_fault(mpp: object, where: str) -> str | None:
    """Why a stated resolution cannot be one."""
    if mpp is None or pd.isna(mpp) or str(mpp).strip() == "":
        return None
    number = pd.to_numeric(mpp, errors="coerce")
    return (
        None
        if LEAST_MPP <= number <= MOST_MPP
        else f"{where}: mpp '{mpp}' is no number of µm per pixel from {LEAST_MPP} to {MOST_MPP}"
    )


def _add_table(slides: dict[str, dict], stream: str, path: Path, cfg: dict) -> None:
    key = cfg["acquire.id_column"]
    present = [c for c in (key, "slide_id", "x", "y") if c in columns_of(path)]
    if key not in present:
        raise ValueError(f"{path}: no column '{key}'{closest(key, columns_of(path))} (acquire.id_column)")
    ids = read_sheet(path, columns=present)
    many = "slide_id" in ids
    slide = ids["slide_id"] if many else ids[key]
    reasons = (
        pd.Series([None] * len(ids), dtype=object)
        if many
        else mark_repeated(slide, path.name, "keep one, or give the instances of a slide a column slide_id")
    )
    nameless: dict[str | int, list[int]] = {}
    for i, (slide_id, patient) in enumerate(zip(slide, ids[key], strict=True)):
        if slide_id is None:
            nameless.setdefault((patient or "") if many else i, []).append(i)
            continue
        reason = reasons.iloc[i]
        if patient is None:
            reason = f"{row_name(path.name, i)}: slide '{slide_id}' has no {key}"
        entry = slides.setdefault(slide_id, {"patient_id": patient or "", "reason": None})
        if entry["patient_id"] and patient and entry["patient_id"] != patient:
            reason = (
                f"{row_name(path.name, i)}: slide '{slide_id}' belongs to '{patient}', "
                f"elsewhere to '{entry['patient_id']}'"
            )
        entry["reason"] = entry["reason"] or reason
        entry[stream] = cfg[f"acquire.{stream}"]
    # Instances without a slide are one row per patient: a table may have thousands of them.
    for rows in nameless.values():
        more = f" and {len(rows) - 1} more rows" if len(rows) > 1 else ""
        reason = f"{row_name(path.name, rows[0])}{more}: {slide.name} is empty; write the id, or take the row out"
        slides[row_name(path.name, rows[0])] = {
            "patient_id": ids[key].iloc[rows[0]] or "",
            "reason": reason,
            stream: cfg[f"acquire.{stream}"],
        }


def read_rna_ids(path: Path, cfg: dict) -> pd.DataFrame:
    """One row per RNA sample of the matrix: columns of ``acquire/rna``."""
    key = cfg["acquire.id_column"]
    wanted = [c for c in (key, "sample_id", "reason") if c in columns_of(path)]
    if genes_in_rows(path, key):
        ids = pd.DataFrame({key: list(samples_of(path).values())}, dtype=object)
    elif key in wanted:
        ids = read_sheet(path, columns=wanted)
    else:
        raise ValueError(f"{path}: no column '{key}'{closest(key, columns_of(path))} (acquire.id_column)")
    frame = pd.DataFrame(
        {"sample_id": ids.get("sample_id", ids[key]), "patient_id": ids[key], "row": np.arange(len(ids))}
    )
    # One sample per patient: a second aliquot needs a decision by the user, not a guess.
    frame["reason"] = mark_repeated(ids[key], path.name)
    if "reason" in ids:  # a sheet may say itself why a row is left out: a sample that could not be fetched
        frame["reason"] = ids["reason"].where(ids["reason"].notna(), frame["reason"])
    frame["status"] = np.where(frame["reason"].isna(), OK, EXCLUDED)
    frame["patient_id"] = frame["patient_id"].fillna("")
    frame["sample_id"] = [s if s is not None else row_name(path.name, i) for i, s in enumerate(frame["sample_id"])]
    # Rows of one patient under one sample id are one fault; a sample id of several patients keeps a row for each.
    frame = frame[(frame["patient_id"] == "") | ~frame.duplicated(["sample_id", "patient_id"])].copy()
    for sample, rows in frame[frame.duplicated("sample_id", keep=False)].groupby("sample_id").groups.items():
        patients = ", ".join(f"'{frame.at[i, 'patient_id']}' (row {row_number(i)})" for i in rows)
        reason = f"{path.name}: sample_id '{sample}' stands for several patients, {patients}; give each its own"
        frame.loc[rows, "reason"] = frame.loc[rows, "reason"].fillna(reason)
        frame.loc[rows, "status"] = EXCLUDED
        frame.loc[rows, "sample_id"] = [row_name(path.name, i) for i in rows]
    return frame.sort_values("sample_id", ignore_index=True)


def exclude_unmatched(frame: pd.DataFrame, known: set[str], table: str, file: str) -> pd.DataFrame:
    """Exclude rows whose patient the clinical table does not have, with what would match, or the closest ids.

    Slides and RNA are never matched against each other: a patient may well lack a modality.

    Parameters
    ----------
    frame : DataFrame
        With ``patient_id``, ``status``, ``reason``.
    known : set of str
        Patients of the clinical table; an empty set (a cohort without one) leaves everything as it is.
    table : str
        Name of the clinical table.
    file : str
        Where `frame` came from; a column `row` says where in it.
    """
    if not known:
        return frame
    frame = frame.copy()
    unmatched = frame.index[(frame["status"] == OK) & ~frame["patient_id"].isin(known)]
    would = explained(sorted(set(frame.loc[unmatched, "patient_id"])), sorted(known))
    for i in unmatched:
        patient, where = frame.at[i, "patient_id"], row_name(file, int(frame.at[i, "row"])) if "row" in frame else file
        advice = "make them equal, or set acquire.id_column"
        alike = (
            f"; {would}: make them equal"
            if would
            else closest(patient, sorted(known))
            or f"; ids there look like {', '.join(repr(k) for k in sorted(known)[:2])}: {advice}"
        )
        frame.at[i, "reason"] = f"{where}: id '{patient}' matches nothing in {table}{alike}"
        frame.at[i, "status"] = EXCLUDED
    return frame


def patient_table(slides: pd.DataFrame, rna: pd.DataFrame, clinical: pd.DataFrame, cfg: dict) -> pd.DataFrame:
    """What each patient has: columns of ``acquire/patients``.

    A patient without a usable slide and without RNA is excluded, with the reasons of what was lost.
    """
    ids = sorted({*slides["patient_id"], *rna["patient_id"], *clinical["patient_id"]} - {""})
    usable = {
        name: frame[frame["status"] == OK] for name, frame in (("slides", slides), ("rna", rna), ("clinical", clinical))
    }
    rows = pd.DataFrame({"patient_id": ids})
    rows["slides"] = rows["patient_id"].map(usable["slides"].groupby("patient_id").size()).fillna(0).astype(int)
    rows["rna"] = rows["patient_id"].map(usable["rna"].groupby("patient_id").size()).fillna(0).astype(int)
    facts = usable["clinical"].set_index("patient_id").reindex(ids)
    rows["site"] = facts["site"].to_numpy(object) if len(facts.columns) else None
    for endpoint in cfg["tasks.survival"]:
        rows[f"has_{endpoint['name']}"] = facts[f"{endpoint['name']}_event"].notna().to_numpy()
    for label in cfg["tasks.labels"]:
        rows[f"has_{label['name']}"] = facts[f"label_{label['name']}"].notna().to_numpy()
    lost: dict[str, list[str]] = {}
    for frame in (clinical, slides, rna):
        for patient, reason in zip(frame["patient_id"], frame["reason"], strict=True):
            if isinstance(reason, str):
                lost.setdefault(patient, []).append(reason)
    twice = set(clinical.loc[clinical["status"] == EXCLUDED, "patient_id"])
    reasons, states = [], []
    for patient, n_slides, n_rna in zip(rows["patient_id"], rows["slides"], rows["rna"], strict=True):
        texts = list(dict.fromkeys(lost.get(patient, [])))
        out = (n_slides == 0 and n_rna == 0) or patient in twice
        if n_slides == 0 and n_rna == 0:
            texts.insert(0, "no usable slide and no usable RNA")
        states.append(EXCLUDED if out else OK)
        reasons.append("; ".join(texts) or None)
    return rows.assign(status=states, reason=reasons)
