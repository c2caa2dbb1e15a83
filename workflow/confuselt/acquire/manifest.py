"""Which files of a project make the cohort.

There is one documented rule for each choice, and everything left out has its reason.
"""

import re
from collections import Counter
from pathlib import PurePosixPath

import pandas as pd

from confuselt.acquire.excluded import EXCLUDED, OK
from confuselt.acquire.slide_name import slide_fault

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
MD5 = re.compile(r"[0-9a-f]{32}")
MOST_BYTES = 10**11  # of a file: one that states more would have the disk refuse all
SLIDE_SUFFIXES = frozenset({".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".tif", ".tiff"})
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
COLUMNS = [
    "file_id",
    "what",
    "patient_id",
    "slide_id",
    "sample_id",
    "sample_type",
    "file_name",
    "md5",
    "bytes",
    "status",
    "reason",
]


def record_id(hit: object) -> str:
    """Id of a record of the server's list, ``""`` where it has none."""
    found = hit.get("file_id") or hit.get("id") if isinstance(hit, dict) else None
    return found if isinstance(found, str) else ""


def fault_of(row: dict) -> str | None:
    """Why a row of the manifest cannot be fetched, or would be written where it must not.

    None where nothing is wrong with it. Every name is the server's word. Ids and file names are plain (they become
    paths and addresses), those of patients are printable.
    """
    name = row["file_name"] or ""
    if not SAFE.fullmatch(row["file_id"] or ""):
        return "the file id is no plain id"
    if not SAFE.fullmatch(name):
        return f"file name {_shown(name)} is not plain letters, digits, dots, dashes and underscores"
    if row["what"] == "slide":
        if PurePosixPath(name).suffix.lower() not in SLIDE_SUFFIXES:
            return f"file name '{name}' ends in none of {', '.join(sorted(SLIDE_SUFFIXES))}"
        if row["slide_id"] != name.partition(".")[0]:
            return f"slide {_shown(row['slide_id'])} is not called as its file is, '{name}'"
        if reason := slide_fault(row["slide_id"]):
            return reason
    if row["what"] in ("slide", "rna") and not _plain(row["patient_id"]):
        return f"the patient id {_shown(row['patient_id'])} is no printable text"
    if not MD5.fullmatch(row["md5"] or "") or not 0 < (row["bytes"] or 0) <= MOST_BYTES:
        return "the server states no md5, or no size that a file can have"
    return None


def slide_rows(hits: list, sample_types: list[str]) -> pd.DataFrame:
    """Diagnostic slides of the wanted sample types; every one of them is used.

    A slide's id is its file name up to the first dot (``TCGA-A1-A0SB-01Z-00-DX1``).
    """
    rows = _rows(hits, "slide", sample_types)
    frame = _frame(rows)
    used = frame["status"] == OK
    for slide, some in frame[used].groupby("slide_id"):
        for i in some.index[1:]:
            _leave_out_at(
                frame, i, f"slide '{slide}' stands for several files; {some.iloc[0]['file_id']} (first by id) is used"
            )
    return frame


def rna_rows(hits: list, sample_types: list[str]) -> pd.DataFrame:
    """One count file per patient.

    Of several, the first vial is taken (01A before 01B), then total RNA (analyte R), then the highest plate, as the
    Broad's GDAC pipeline does, then the first file id.
    """
    frame = _frame(_rows(hits, "rna", sample_types))
    for patient, some in frame[frame["status"] == OK].groupby("patient_id"):
        order = sorted(some.index, key=lambda i: _rank(frame.at[i, "sample_id"], frame.at[i, "file_id"]))
        for i in order[1:]:
            used = f"{frame.at[order[0], 'sample_id']} (file {frame.at[order[0], 'file_id']})"
            _leave_out_at(frame, i, f"patient '{patient}' has {len(order)} aliquots; {used} is used")
    return frame


def table_row(what: str, file_id: str, file_name: str, md5: str, size: int) -> dict:
    """Row of a table of the project: outcomes or subtypes."""
    return {
        **dict.fromkeys(COLUMNS),
        "file_id": file_id,
        "what": what,
        "file_name": file_name,
        "md5": md5,
        "bytes": size,
        "status": OK,
    }


def left_out_row(file_id: str, file_name: str, reason: str) -> dict:
    """Row of a file of a portal's manifest that is neither a slide nor counts, or nobody's."""
    known = table_row("other", _kept(file_id), _kept(file_name), "", 0)
    return {**known, "status": EXCLUDED, "reason": reason}


def unique_ids(table: pd.DataFrame) -> pd.DataFrame:
    """A row per file: what has no id, or one that an earlier row has, is left out under a name of its own."""
    again = (table["file_id"] == "") | table.duplicated("file_id")
    for i in table.index[again]:
        known = table.at[i, "file_id"]
        if known and table.at[i, "status"] == OK:
            _leave_out_at(table, i, f"the server lists file {known} several times")
        table.at[i, "file_id"] = f"{known or 'no file id'} (row {i})"
    return table


def _rows(hits: list, what: str, sample_types: list[str]) -> list[dict]:
    rows = [_row(hit, what, sample_types) for hit in hits]
    listed = Counter(row["file_id"] for row in rows)
    for row, hit in zip(rows, hits, strict=True):
        # Of a file that is listed twice it cannot be known whose it is, unless both say the same.
        if (
            row["status"] == OK
            and listed[row["file_id"]] > 1
            and any(record_id(h) == row["file_id"] and h != hit for h in hits)
        ):
            _leave_out(row, "the server lists the file several times, and not alike")
    return rows


def _row(hit: object, what: str, sample_types: list[str]) -> dict:
    hit = hit if isinstance(hit, dict) else {}
    cases = _objects(hit.get("cases"))
    patients = sorted({str(case["submitter_id"]) for case in cases if case.get("submitter_id")})
    samples = [sample for case in cases for sample in _objects(case.get("samples"))]
    kinds = sorted({kind for sample in samples if (kind := _kind(sample, hit))})
    wanted = [sample for sample in samples if _kind(sample, hit) in sample_types]
    size, name, file_id = str(hit.get("file_size")), hit.get("file_name"), record_id(hit)
    row = {
        "file_id": file_id,
        "what": what,
        "patient_id": patients[0] if len(patients) == 1 else "",
        "slide_id": None if what == "rna" else str(name).partition(".")[0],
        "sample_id": (
            _aliquots(wanted) or [s["submitter_id"] for s in wanted if _plain(s.get("submitter_id"))] or [file_id]
        )[0],
        "sample_type": "; ".join(kinds) or None,
        "file_name": name if isinstance(name, str) else "",
        "md5": str(hit.get("md5sum") or "").lower(),
        "bytes": int(size) if size.isdecimal() and len(size) < 19 else 0,
        "status": OK,
        "reason": None,
    }
    if len(patients) != 1:
        _leave_out(row, f"the file belongs to {len(patients)} patients")
    elif not kinds:
        _leave_out(row, "no sample type is stated, and no barcode tells it")
    elif not wanted:
        _leave_out(
            row, f"sample type {row['sample_type']} is none of {', '.join(sample_types)} (acquire.gdc.sample_types)"
        )
    if not SAFE.fullmatch(file_id) or row["status"] == OK:
        _leave_out(row, fault_of(row))
    return row | {k: _kept(row[k]) for k in ("file_id", "patient_id", "slide_id", "sample_id", "file_name", "md5")}


def _kind(sample: dict, hit: dict) -> str | None:
    """Type of a sample as stated, else by the code of its barcode or of the file's name."""
    if _plain(stated := sample.get("sample_type")):
        return stated
    found = next(
        (
            m
            for text in (sample.get("submitter_id"), hit.get("file_name"))
            if isinstance(text, str) and (m := CODE.match(text))
        ),
        None,
    )
    return next((kind for kind, code in CODES.items() if found and code == found[1]), None)


def _aliquots(samples: list[dict]) -> list[str]:
    """Barcodes of all aliquots, the first by name first; whatever is not stated is passed over."""
    found = [
        a
        for s in samples
        for p in _objects(s.get("portions"))
        for n in _objects(p.get("analytes"))
        for a in _objects(n.get("aliquots"))
    ]
    return sorted(a["submitter_id"] for a in found if _plain(a.get("submitter_id")))


def _objects(value: object) -> list[dict]:
    """The objects of what should be a list of objects."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _plain(value: object) -> bool:
    """Text of some length that can be printed, and written as UTF-8."""
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() and value == value.strip()


def _shown(value: object) -> str:
    """What a server wrote, for the eye: escaped and short."""
    return ascii(value)[:100]


def _kept(value: str | None) -> str | None:
    """As it is, or what can be written of it."""
    return value if not value or _plain(value) else _shown(value)


def _rank(sample: str, file_id: str) -> tuple:
    # TCGA-A1-A0SB-01A-11R-A144-07: vial 01A, portion and analyte 11R, plate A144.
    parts = sample.split("-")
    vial, analyte, plate = (parts[i] if len(parts) > i else "" for i in (3, 4, 5))
    return vial, analyte[-1:] != "R", [-ord(c) for c in plate], file_id


def _leave_out(row: dict, reason: str | None) -> None:
    """Where there is a reason."""
    if reason:
        row["status"], row["reason"] = EXCLUDED, reason


def _leave_out_at(frame: pd.DataFrame, i: int, reason: str) -> None:
    frame.loc[i, ["status", "reason"]] = [EXCLUDED, reason]


def _frame(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("file_id", ignore_index=True)
