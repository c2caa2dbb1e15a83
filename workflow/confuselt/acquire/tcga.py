"""The clinical table of a GDC cohort: outcomes of TCGA-CDR, published subtypes, site from the barcode.

TCGA-CDR: Liu et al., Cell 2018, sheet ``TCGA-CDR`` of its supplement; subtypes: the PanCanAtlas table
``TCGASubtype.20170308.tsv``. Column names are those of the two files.
"""

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.acquire.manifest import CODES
from confuselt.sheets.read import closest, read_sheet

log = logging.getLogger(__name__)
ENDPOINTS = ("OS", "DSS", "DFI", "PFI")
BARCODE = re.compile(r"TCGA-([A-Z0-9]{2})-[A-Z0-9]{4}")
STAGE = re.compile(r"Stage (IV|I{1,3})[ABC]?\d?")


def read_outcomes(path: Path) -> pd.DataFrame:
    """Outcomes and covariates per patient, from the workbook (its sheet TCGA-CDR) or a .tsv with the same columns.

    Returns
    -------
    DataFrame
        By patient: ``age`` (years), ``sex``, ``stage`` (I to IV; A, B, C dropped), ``<endpoint>_days``,
        ``<endpoint>_event``. Redacted patients have none of these.
    """
    raw = read_sheet(path, sheet="TCGA-CDR")
    key = _column(raw, "bcr_patient_barcode", path)
    raw = raw[raw[key].notna()].drop_duplicates(key).set_index(key)
    out = pd.DataFrame(index=raw.index.rename("patient_id"))
    out["age"] = pd.to_numeric(raw[_column(raw, "age_at_initial_pathologic_diagnosis", path)], errors="coerce")
    out["sex"] = raw["gender"].str.lower() if "gender" in raw else None
    stages = raw[_column(raw, "ajcc_pathologic_tumor_stage", path)].astype(str)
    out["stage"] = [found.group(1) if (found := STAGE.fullmatch(s.strip())) else None for s in stages]
    for name in ENDPOINTS:
        out[f"{name.lower()}_days"] = pd.to_numeric(raw[_column(raw, f"{name}.time", path)], errors="coerce")
        event = raw[_column(raw, name, path)]
        out[f"{name.lower()}_event"] = pd.to_numeric(event, errors="coerce")
        if (worded := event[event.notna() & ~out[f"{name.lower()}_event"].isin([0, 1])]).any():
            raise ValueError(
                f"{path.name}: column {name} says {worded.iloc[0]!r}, wanted are 0 and 1; "
                "take your own table (acquire.clinical) with event_is"
            )
    # Half an outcome is none: the time of an event that is not stated says nothing.
    for name in ENDPOINTS:
        pair = [f"{name.lower()}_days", f"{name.lower()}_event"]
        out.loc[out[pair].isna().any(axis=1), pair] = np.nan
    if "Redaction" in raw:
        redacted = raw["Redaction"].astype(str).str.lower().eq("redacted").to_numpy()
        for patient in out.index[redacted]:
            log.warning("%s is redacted and keeps no outcomes", patient)
        out.loc[redacted] = None
    return out


def read_subtypes(path: Path, names: dict[str, str], sample_types: list[str]) -> pd.DataFrame:
    """Labels per patient from the table of subtypes; of a patient's samples only those of the wanted types count.

    Parameters
    ----------
    path : Path
    names : dict of str to str
        Name that a label gets, to the column of the table.
    sample_types : list of str
        Types of samples, told by the code of the barcode; an id without one is a patient's.
    """
    raw = read_sheet(path)
    sample = raw[_column(raw, "pan.samplesID", path)].fillna("")
    code = sample.str.split("-").str[3].str[:2]
    kept = (
        raw[code.isin([CODES[kind] for kind in sample_types if kind in CODES]) | code.isna()]
        .assign(patient_id=sample.str[:12])
        .drop_duplicates("patient_id")
        .set_index("patient_id")
    )
    return pd.DataFrame({name: kept[_column(kept, column, path)] for name, column in names.items()}, index=kept.index)


def clinical_table(patients: list[str], outcomes: pd.DataFrame | None, subtypes: pd.DataFrame | None) -> pd.DataFrame:
    """A row per patient of the manifest, with ``site``.

    The site is the barcode's second part; there is none where the id is no TCGA barcode.
    """
    sites = [found.group(1) if (found := BARCODE.fullmatch(p)) else None for p in patients]
    table = pd.DataFrame({"patient_id": patients, "site": sites})
    for part in (outcomes, subtypes):
        if part is not None:
            table = table.merge(part, how="left", left_on="patient_id", right_index=True)
    return table


def _column(frame: pd.DataFrame, name: str, path: Path) -> str:
    if name not in frame:
        raise ValueError(f"{path.name}: no column '{name}'{closest(name, [str(c) for c in frame.columns])}")
    return name
