"""Files that gdc-client has fetched already: ``<folder>/<file id>/<file name>``, taken where their md5 is right."""

import hashlib
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)


def given_path(folder: Path | str | None, file_id: str, file_name: str, size: int) -> Path | None:
    """Where gdc-client has put a file; None where it is not there whole."""
    path = folder and Path(folder, file_id, file_name)
    return path if path and path.is_file() and path.stat().st_size == size else None


def take(path: Path, md5: str, final: Path) -> bool:
    """Put a given file in its place without copying it, if it is the right one.

    Parameters
    ----------
    path : Path
        Of `given_path`.
    md5 : str
    final : Path
        Becomes a second name of the file, or, on another disk, a link to it: deleting it leaves the user's file alone.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != md5:
            raise ValueError(f"md5 is {found}, the manifest says {md5}")
        _link(path, final)
    except (OSError, ValueError) as fault:
        log.warning("%s is not taken, but fetched: %s", path, fault)
        return False
    return True


def _link(path: Path, final: Path) -> None:
    partial = final.with_name(f".partial.given.{final.name}")
    final.parent.mkdir(parents=True, exist_ok=True)
    partial.unlink(missing_ok=True)
    try:
        os.link(path, partial)
    except OSError:  # on another disk
        partial.symlink_to(path.resolve())
    partial.replace(final)
