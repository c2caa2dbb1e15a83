"""Files of a manifest to disk: sources, space, progress, and a reason for each one that does not come."""

import logging
import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from confuselt.acquire.download import Manner, Remote, Source, fetch
from confuselt.acquire.http import Client, read_token
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)
SPARE = 2 << 30  # bytes left free for what the other stages write


def sources_of(url: str, mirror: str | None, token_file: str | None, timeout: float) -> list[Source]:
    """GDC, and the open mirror, which never sees the token."""
    gdc = Client(timeout, read_token(token_file), url)
    found = [Source("GDC", f"{url.rstrip('/')}/data/{{file_id}}", gdc)]
    if mirror:
        found.append(Source("mirror", f"{mirror.rstrip('/')}/{{file_id}}/{{file_name}}", Client(timeout)))
    return found


def remote_of(row: dict) -> Remote:
    """A row of the manifest."""
    return Remote(row["file_id"], row["file_name"], row["md5"], int(row["bytes"]))


def fetch_rows(rows: list[dict], folder: Path, sources: list[Source], manner: Manner, at_once: int, whole: int) -> dict[str, str]:
    """Fetch rows to ``folder / row["file"]``; why each one that did not come did not, by file id.

    Parameters
    ----------
    rows : list of dict
        Of the manifest, with ``file``.
    folder : Path
    sources : list of Source
    manner : Manner
    at_once : int
        Files at a time.
    whole : int
        Bytes of everything that the cohort fetches into `folder`, for the progress and for the space that is left.
    """
    missing = [row for row in rows if not _there(folder / row["file"], row)]
    check_space(folder, max(whole - on_disk(folder), sum(row["bytes"] for row in missing)), len(missing))
    lost: dict[str, str] = {}
    with Meter(folder, whole) as meter, ThreadPoolExecutor(at_once) as pool:

        def one(row: dict) -> None:
            try:
                fetch(remote_of(row), folder / row["file"], sources, manner, meter.told)
            except Unusable as reason:
                lost[row["file_id"]] = str(reason)
                log.warning("%s", reason)

        jobs = [pool.submit(one, row) for row in missing]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return lost


def _there(path: Path, row: dict) -> bool:
    return path.is_file() and path.stat().st_size == row["bytes"]


def on_disk(folder: Path) -> int:
    """Bytes of everything below a folder, as the disk counts them (a file that is being fetched has holes)."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            try:
                total += min((state := Path(here, name).stat()).st_size, state.st_blocks * 512)
            except FileNotFoundError:  # renamed meanwhile
                continue
    return total


def check_space(folder: Path, wanted: int, files: int) -> None:
    """Raise OSError before a download that the disk cannot hold, in bytes or in files."""
    folder.mkdir(parents=True, exist_ok=True)
    free, slots = shutil.disk_usage(folder).free, os.statvfs(folder)
    if wanted + SPARE > free and wanted:
        raise OSError(
            f"{folder}: {wanted / 1e9:.1f} GB are still to come and {SPARE / 1e9:.0f} GB are kept for the other stages, {free / 1e9:.1f} GB are free; "
            "set acquire.keep_slides: false (slides are deleted after use), acquire.limit, or `results` on a larger disk"
        )
    if slots.f_files and files > slots.f_favail:
        raise OSError(f"{folder}: {files} files are still to come, the file system has room for {slots.f_favail} more")


class Meter:
    """How far a cohort's download is: a bar on a terminal, log lines with the time left otherwise.

    Parameters
    ----------
    folder : Path
        Other jobs fetch into it too: what lies there is what the cohort has.
    whole : int
        Bytes that it will have.
    every : float
        Seconds between two lines.
    """

    def __init__(self, folder: Path, whole: int, every: float = 20.0) -> None:
        self._folder, self._whole, self._every, self._lock = folder, whole, every, threading.Lock()
        self._first, self._start = on_disk(folder), time.monotonic()
        self._last, self._here = self._start, 0
        self._bar = tqdm(total=whole, initial=self._first, unit="B", unit_scale=True, desc="download") if sys.stderr.isatty() else None

    def told(self, n: int) -> None:
        """`n` bytes came."""
        with self._lock:
            self._here += n
            if self._bar is not None:
                self._bar.update(n)
            elif time.monotonic() - self._last >= self._every:
                self._last = time.monotonic()
                self._say()

    def _say(self) -> None:
        spent, there = time.monotonic() - self._start, on_disk(self._folder)
        rate = max(there - self._first, self._here, 1) / spent
        hours = max(self._whole - there, 0) / rate / 3600
        log.info(
            "cohort: %.1f of %.1f GB, %.1f MB/s, about %.1f h left; this job: %.2f GB", there / 1e9, self._whole / 1e9, rate / 1e6, hours, self._here / 1e9
        )

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        log.info("%.2f GB fetched in %.0f s", self._here / 1e9, time.monotonic() - self._start)
