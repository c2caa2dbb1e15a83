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

from confuselt.acquire.download import Manner, Outage, Remote, Source, fetch
from confuselt.acquire.given import given_path
from confuselt.acquire.http import Client, read_token
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)
SPARE = 2 << 30  # bytes left free for what the other stages write


def sources_of(url: str, mirror: str | None, token_file: str | None, timeout: float) -> list[Source]:
    """GDC, and the open mirror, which never sees the token."""
    gdc = Client(timeout, read_token(token_file), url)
    base = url.rstrip("/")
    found = [Source("GDC", f"{base}/data/{{file_id}}", gdc, f"{base}/status")]
    if mirror:
        found.append(Source("mirror", f"{mirror.rstrip('/')}/{{file_id}}/{{file_name}}", Client(timeout)))
    return found


def remote_of(row: dict) -> Remote:
    """A row of the manifest."""
    return Remote(row["file_id"], row["file_name"], row["md5"], int(row["bytes"]))


def fetch_rows(
    rows: list[dict], folder: Path, sources: list[Source], manner: Manner, at_once: int = 1, cohort: int | None = None
) -> dict[str, str]:
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
    cohort : int, optional
        Bytes that all jobs together fetch into `folder`: for the progress of all, and for the space that is still
        needed.

    Raises
    ------
    OSError
        The disk cannot hold what is still to come.
    Outage
        Nobody answered for some file at the moment; all others were seen to before.
    """
    missing = [row for row in rows if not _there(folder / row["file"], row)]
    mine = sum(row["bytes"] for row in missing if not _given(row, manner))
    check_space(folder, mine if cohort is None else max(mine, cohort - on_disk(folder)), len(missing))
    lost: dict[str, str] = {}
    down: list[str] = []
    stop = threading.Event()
    with Meter(mine, folder, cohort) as meter, ThreadPoolExecutor(at_once) as pool:

        def one(row: dict) -> None:
            try:
                fetch(remote_of(row), folder / row["file"], sources, manner, meter.told, stop)
            except Unusable as reason:
                lost[row["file_id"]] = str(reason)
                log.warning("%s", reason)
            except Outage as reason:
                down.append(str(reason))

        jobs = [pool.submit(one, row) for row in rows]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if down:
        raise Outage(
            f"{len(down)} of {len(rows)} files did not come, since no source answers at the moment; "
            f"run the same command again. First: {down[0]}"
        )
    return lost


def _there(path: Path, row: dict) -> bool:
    return path.is_file() and path.stat().st_size == row["bytes"]


def _given(row: dict, manner: Manner) -> bool:
    return given_path(manner.given, row["file_id"], row["file_name"], row["bytes"]) is not None


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
            f"{folder}: {wanted / 1e9:.1f} GB are still to come and {SPARE / 1e9:.0f} GB are kept for the other "
            f"stages, {free / 1e9:.1f} GB are free; set acquire.keep_slides: false (slides are deleted after use), "
            "acquire.limit, or `results` on a larger disk"
        )
    if slots.f_files and files > slots.f_favail:
        raise OSError(f"{folder}: {files} files are still to come, the file system has room for {slots.f_favail} more")


class Meter:
    """How far a download is: a bar on a terminal, log lines with the time left otherwise.

    Parameters
    ----------
    mine : int
        Bytes that this job has to fetch.
    folder : Path
    cohort : int, optional
        Bytes that all jobs together fetch into `folder`: what lies there then is what the cohort has.
    every : float
        Seconds between two lines.
    """

    def __init__(self, mine: int, folder: Path, cohort: int | None = None, every: float = 20.0) -> None:
        self._mine, self._folder, self._cohort, self._every, self._lock = mine, folder, cohort, every, threading.Lock()
        self._first = 0 if cohort is None else on_disk(folder)
        self._start = self._last = time.monotonic()
        self._came = 0
        self._bar = tqdm(total=mine, unit="B", unit_scale=True, desc="download") if sys.stderr.isatty() else None

    def told(self, n: int) -> None:
        """`n` bytes came."""
        with self._lock:
            self._came += n
            if self._bar is not None:
                self._bar.update(n)
            if time.monotonic() - self._last >= self._every:
                self._last = time.monotonic()
                log.info("%s", self._line())

    def _line(self) -> str:
        spent = time.monotonic() - self._start
        text = _progress("this job", self._came, self._mine, self._came / spent)
        if self._cohort is None:
            return text
        there = on_disk(self._folder)
        return f"{text}; {_progress('cohort', there, self._cohort, (there - self._first) / spent)}"

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        log.info("%.2f GB fetched in %.0f s", self._came / 1e9, time.monotonic() - self._start)


def _progress(what: str, done: int, whole: int, rate: float) -> str:
    left = f"about {max(whole - done, 0) / rate / 60:.0f} min left" if rate > 0 else "nothing came yet"
    return f"{what}: {done / 1e9:.2f} of {whole / 1e9:.2f} GB, {rate / 1e6:.1f} MB/s, {left}"
