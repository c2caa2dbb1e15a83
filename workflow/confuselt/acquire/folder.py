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
        ``slide_id, patient_id, file``, by file name; slides beside them that do not fit are no part of the cohort.
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
    beside = _slides_in(data / folder)
    rows = [
        {"slide_id": path.stem, "patient_id": found["patient_id"], "file": str(folder / path.name)}
        for path in beside
        if (found := fits.fullmatch(path.name))
    ]
    if not rows:
        raise ValueError(
            f"acquire.slides: none of {len(beside)} slides in {data / folder} "
            f"fits '{name}'{f', such as {folder / beside[0].name}' if beside else ''}"
        )
    return rows


def ignored_slides(data: Path, pattern: str) -> str | None:
    """A line where slides lie in the folder that do not fit the pattern."""
    used = {row["file"] for row in find_slides(data, pattern)}
    folder = PurePosixPath(pattern).parent
    ignored = [path.name for path in _slides_in(data / folder) if str(folder / path.name) not in used]
    if not ignored:
        return None
    return (
        f"acquire.slides: {len(used)} slides of {data / folder} fit the pattern, {len(ignored)} do not and are not "
        f"used, first {', '.join(ignored[:3])}"
    )


def _slides_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SLIDE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
