"""Slides of a folder, by a pattern instead of a sheet."""

import re
from pathlib import Path, PurePosixPath

from confuselt.acquire.manifest import SLIDE_SUFFIXES

PATIENT = "{patient_id}"


def is_pattern(listed: str | None) -> bool:
    """Whether ``acquire.slides`` names slides by a pattern, not a sheet."""
    return listed is not None and bool(set("{*") & set(listed))


def find_slides(data: Path, pattern: str) -> list[dict]:
    """Slides whose names fit, and, with a reason, those that do not.

    Parameters
    ----------
    data : Path
        Where relative paths start.
    pattern : str
        ``folder/{patient_id}_*.svs``: the patient's id stands where it says so (the shortest that fits), ``*`` is
        anything. What comes before the last dot of a file's name is its slide id. Folders below the folder are not
        looked into.

    Returns
    -------
    list of dict
        ``slide_id, patient_id, file, reason``, by file name.
    """
    folder, name = PurePosixPath(pattern).parent, PurePosixPath(pattern).name
    if PATIENT not in name or pattern.count(PATIENT) != 1:
        raise ValueError(
            f"acquire.slides: '{pattern}' must have {PATIENT} once, in the file's name: folder/{PATIENT}_*.svs"
        )
    parts = re.split(r"(\*|\{patient_id\})", name)
    fits = re.compile("".join({"*": ".*", PATIENT: "(?P<patient_id>.+?)"}.get(part, re.escape(part)) for part in parts))
    if f"{PATIENT}*" in name or f"*{PATIENT}" in name:
        raise ValueError(
            f"acquire.slides: in '{pattern}' nothing stands between {PATIENT} and *, "
            f"so that no id has an end: {PATIENT}_*.svs"
        )
    if not (data / folder).is_dir():
        raise ValueError(
            f"acquire.slides: folder {data / folder} is absent; check acquire.slides and the root key data ('{data}')"
        )
    rows = []
    for path in sorted((data / folder).iterdir()):
        if path.suffix.lower() not in SLIDE_SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        found = fits.fullmatch(path.name)
        reason = None if found else f"{path.name} does not fit the pattern '{name}' of acquire.slides"
        rows.append(
            {
                "slide_id": path.stem,
                "patient_id": found["patient_id"] if found else "",
                "file": str(folder / path.name),
                "reason": reason,
            }
        )
    if not any(row["reason"] is None for row in rows):
        raise ValueError(
            f"acquire.slides: none of {len(rows)} slides in {data / folder} "
            f"fits '{name}'{', such as ' + rows[0]['file'] if rows else ''}"
        )
    return rows
