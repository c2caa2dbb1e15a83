"""Which files of a project make the cohort: one documented rule for each choice, and the reason of everything left out."""

import re
from pathlib import PurePosixPath

import pandas as pd

from confuselt.acquire.excluded import EXCLUDED, OK

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
MD5 = re.compile(r"[0-9a-f]{32}")
SLIDE_SUFFIXES = frozenset({".svs", ".ndpi", ".mrxs", ".scn", ".tif", ".tiff"})
# TCGA's codes of sample types, as they stand in barcodes: TCGA-A1-A0SB-01A.
CODES = {
    "Primary Tumor": "01",
    "Recurrent Tumor": "02",
    "Primary Blood Derived Cancer - Peripheral Blood": "03",
    "Additional - New Primary": "05",
    "Metastatic": "06",
    "Additional Metastatic": "07",
    "Solid Tissue Normal": "11",
}
CODE = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}-(\d\d)")
COLUMNS = ["file_id", "what", "patient_id", "slide_id", "sample_id", "sample_type", "file_name", "md5", "bytes", "status", "reason"]


def slide_rows(hits: list[dict], sample_types: list[str]) -> pd.DataFrame:
    """Diagnostic slides of the wanted sample types; every one of them is used.

    A slide's id is its file name up to the first dot (``TCGA-A1-A0SB-01Z-00-DX1``). The name is the server's word: one
    that is no plain name is left out, and nothing is ever written under it.
    """
    rows = [_row(hit, "slide", sample_types) for hit in hits]
    for row in rows:
        name = row["file_name"]
        row["slide_id"] = name.partition(".")[0]
        if row["status"] == OK and not SAFE.fullmatch(name):
            _leave_out(row, f"file name {name!r} is not plain letters, digits, dots, dashes and underscores")
        elif row["status"] == OK and PurePosixPath(name).suffix.lower() not in SLIDE_SUFFIXES:
            _leave_out(row, f"file name '{name}' ends in none of {', '.join(sorted(SLIDE_SUFFIXES))}")
    frame = _frame(rows)
    used = frame["status"] == OK
    for slide, some in frame[used].groupby("slide_id"):
        for i in some.index[1:]:
            _leave_out_at(frame, i, f"slide '{slide}' stands for several files; {some.iloc[0]['file_id']} (first by id) is used")
    return frame


def rna_rows(hits: list[dict], sample_types: list[str]) -> pd.DataFrame:
    """One count file per patient.

    Of several, the first vial is taken (01A before 01B), then total RNA (analyte R), then the highest plate, as the
    Broad's GDAC pipeline does, then the first file id.
    """
    frame = _frame([_row(hit, "rna", sample_types) for hit in hits])
    for patient, some in frame[frame["status"] == OK].groupby("patient_id"):
        order = sorted(some.index, key=lambda i: _rank(frame.at[i, "sample_id"], frame.at[i, "file_id"]))
        for i in order[1:]:
            _leave_out_at(frame, i, f"patient '{patient}' has {len(order)} aliquots; {frame.at[order[0], 'sample_id']} is used")
    return frame


def table_row(what: str, file_id: str, file_name: str, md5: str, size: int) -> dict:
    """Row of a table of the project: outcomes or subtypes."""
    return {**dict.fromkeys(COLUMNS), "file_id": file_id, "what": what, "file_name": file_name, "md5": md5, "bytes": size, "status": OK}


def _row(hit: dict, what: str, sample_types: list[str]) -> dict:
    cases = [case for case in hit.get("cases") or [] if isinstance(case, dict)]
    patients = sorted({str(case["submitter_id"]) for case in cases if case.get("submitter_id")})
    samples = [sample for case in cases for sample in case.get("samples") or [] if isinstance(sample, dict)]
    kinds = sorted({kind for sample in samples if (kind := _kind(sample, hit))})
    wanted = [sample for sample in samples if _kind(sample, hit) in sample_types]
    size = str(hit.get("file_size") or "0")
    file_id = str(hit.get("file_id") or hit.get("id") or "")
    row = {
        "file_id": file_id,
        "what": what,
        "patient_id": patients[0] if len(patients) == 1 else "",
        "slide_id": None,
        "sample_id": (_aliquots(wanted) or [str(s["submitter_id"]) for s in wanted if s.get("submitter_id")] or [file_id])[0],
        "sample_type": "; ".join(kinds) or None,
        "file_name": str(hit.get("file_name") or ""),
        "md5": str(hit.get("md5sum") or "").lower(),
        "bytes": int(size) if size.isdecimal() else 0,
        "status": OK,
        "reason": None,
    }
    if not SAFE.fullmatch(file_id):
        _leave_out(row, "the file id is no plain id")
    elif len(patients) != 1:
        _leave_out(row, f"the file belongs to {len(patients)} patients")
    elif not kinds:
        _leave_out(row, "the server states no sample type, and no barcode tells it")
    elif not wanted:
        _leave_out(row, f"sample type {row['sample_type']} is none of {', '.join(sample_types)} (acquire.gdc.sample_types)")
    elif not MD5.fullmatch(row["md5"]) or row["bytes"] <= 0:
        _leave_out(row, "the server states no md5 or no size")
    return row


def _kind(sample: dict, hit: dict) -> str | None:
    """Type of a sample as stated, else by the code of its barcode or of the file's name."""
    if sample.get("sample_type"):
        return str(sample["sample_type"])
    found = next((m for text in (sample.get("submitter_id"), hit.get("file_name")) if (m := CODE.match(str(text or "")))), None)
    return next((kind for kind, code in CODES.items() if found and code == found[1]), None)


def _aliquots(samples: list[dict]) -> list[str]:
    """Barcodes of all aliquots, the first by name first; whatever is not stated is passed over."""
    found = [a for s in samples for p in s.get("portions") or [] for n in p.get("analytes") or [] for a in n.get("aliquots") or []]
    return sorted(str(a["submitter_id"]) for a in found if a.get("submitter_id"))


def _rank(sample: str, file_id: str) -> tuple:
    # TCGA-A1-A0SB-01A-11R-A144-07: vial 01A, portion and analyte 11R, plate A144.
    parts = sample.split("-")
    vial, analyte, plate = (parts[i] if len(parts) > i else "" for i in (3, 4, 5))
    return vial, analyte[-1:] != "R", [-ord(c) for c in plate], file_id


def _leave_out(row: dict, reason: str) -> None:
    row["status"], row["reason"] = EXCLUDED, reason


def _leave_out_at(frame: pd.DataFrame, i: int, reason: str) -> None:
    frame.loc[i, ["status", "reason"]] = [EXCLUDED, reason]


def _frame(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("file_id", ignore_index=True)
