"""Folds that one job makes one after the other.

Each is kept when it is whole, so that a killed job goes on after the last one.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from confuselt.content import content_key
from confuselt.stamp import config_hash, get_stamp
from confuselt.written import written

log = logging.getLogger(__name__)


@cache
def _key_of(path: Path, changed: int) -> str:
    """Content key of a file that did not change since: folds of a job share most of theirs."""
    return content_key(path)


def fold_key(files: list[Path], cfg: dict) -> str:
    """What a kept fold depends on: files by content, config, code."""
    facts = [_key_of(Path(f), Path(f).stat().st_mtime_ns) for f in files] + [
        config_hash(dict(cfg)),
        get_stamp().get("code", ""),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def resumed(fold: int) -> None:
    """Say that a fold need not be made."""
    log.info("fold %d was finished by an earlier, interrupted job", fold)


def make_folds(
    make: Callable[..., None], outputs: list[list[Path]], inputs_of: Callable[[int], list[Path]], cfg: dict, parts: Path
) -> None:
    """Make the files of every fold, keeping those of each finished fold in `parts` until all are done.

    Parameters
    ----------
    make : callable
        Takes a fold and a path for each of its files, and writes them.
    outputs : list of list of Path
        Per kind of file, a path per fold.
    inputs_of : callable
        Fold to the files that it reads: a fold is kept only while their content, the config and the code are the same.
    cfg : dict
    parts : Path
        Folder of the finished folds; `run_step` removes it once the outputs are in place.
    """
    folds = list(zip(*outputs, strict=True))
    kept = [
        [parts / f"f{fold}.{kind}{path.suffix}" for kind, path in enumerate(paths)] for fold, paths in enumerate(folds)
    ]
    for fold, files in enumerate(kept):
        key, mark = fold_key(inputs_of(fold), cfg), parts / f"f{fold}.key"
        if mark.exists() and mark.read_text() == key:
            resumed(fold)
            continue
        mark.unlink(missing_ok=True)  # before the first of its files is another one
        with ExitStack() as stack:
            make(fold, *(stack.enter_context(written(file)) for file in files))
        with written(mark) as partial:
            partial.write_text(key)
    for paths, files in zip(folds, kept, strict=True):
        for path, file in zip(paths, files, strict=True):
            shutil.copyfile(file, path)
