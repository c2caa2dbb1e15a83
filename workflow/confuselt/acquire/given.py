"""Files that gdc-client has fetched already: ``<folder>/<file id>/<file name>``, taken where their md5 is right."""

import hashlib
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)


def given_path(folder: str | Path | None, file_id: str, file_name: str, size: int) -> Path | None:
    """Where gdc-client has put a file; None where there is no folder, or the file is not there whole."""
    path = Path(folder, file_id, file_name) if folder else None
    return path if path and path.is_file() and path.stat().st_size == size else None


def file_md5(path: Path) -> str:
    """md5 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


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
        if (found := file_md5(path)) != md5:
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
