"""Per-slide files of a group job: made anew, or kept from an earlier run where they still fit."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from confuselt.slides.files import sampled
from confuselt.stamp import config_hash, get_stamp
from confuselt.unusable import Unusable
from confuselt.written import written

KINDS = (".parquet", ".png", ".h5", ".nuclei.parquet")  # of files per slide, whatever the stage


def fit_key(*facts: object) -> str:
    """What a per-slide file must have been made from.

    That is the code of this step and the given facts (row, config, content of the inputs).
    """
    return config_hash([get_stamp().get("code", ""), *facts])


def slide_key(row: dict, data: Path, *facts: object) -> str:
    """`fit_key` of what is made from the tiles of a slide: its grid, how it is read, and the state of the file itself.

    Parameters
    ----------
    row : dict
        Sheet row with the columns of ``tile/index``; ``mpp_given`` is the sheet's own.
    data : Path
        Where relative paths start.
    facts : object
        Whatever else the file depends on.
    """
    state = slide_state(row, data / row["file"])
    # A table with an excluded slide in it holds whole numbers as floats.
    sheet = [row[name] for name in ("slide_id", "file", "mpp_given", "reader")]
    return fit_key(*sheet, int(row["tile_px"]), row["sha"], state, *facts)


def keep_or_make(path: Path, key: str, make: Callable[[Path], dict], beside: Sequence[Path] = ()) -> dict:
    """Facts of a per-slide file, from the record beside it where that fits, else by making the file.

    Parameters
    ----------
    path : Path
        ``<slide>.<suffix>``; the record is ``.<slide>.<suffix>.json``, written after the file itself is in place.
    key : str
        From `fit_key`.
    make : callable
        Temporary path to the facts (JSON values) of the file that it wrote there; may raise Unusable.
    beside : sequence of Path
        What `make` writes besides: where one is missing, nothing is kept.

    Returns
    -------
    dict
    """
    if (kept := kept_facts(path, key, beside)) is not None:
        return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    record = _record(path)
    for old in (record, path, *beside):
        old.unlink(missing_ok=True)
    with written(path) as partial:
        facts = make(partial)
    with written(record) as partial:
        partial.write_text(json.dumps({"key": key, "facts": facts}))
    return facts


def kept_facts(path: Path, key: str, beside: Sequence[Path] = ()) -> dict | None:
    """Facts of a file that still fits: see `keep_or_make`."""
    record = _record(path)
    if record.exists() and all(file.exists() for file in (path, *beside)):
        kept = json.loads(record.read_text())
        if kept["key"] == key:
            return kept["facts"]
    return None


def _record(path: Path) -> Path:
    return path.with_name(f".{path.name}.json")


def forget(slide: str, folder: Path) -> None:
    """Remove what an earlier run made of a slide that can no longer be used."""
    for kind in KINDS:
        (folder / f"{slide}{kind}").unlink(missing_ok=True)
        (folder / f".{slide}{kind}.json").unlink(missing_ok=True)


def slide_state(row: dict, path: Path) -> str | None:
    """What tells one slide from another: the pinned md5, else what `files.sampled` says; None where there is none."""
    if row.get("md5"):
        return row["md5"]
    with suppress(Unusable):
        return sampled(path)
    return None
