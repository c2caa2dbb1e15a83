"""Fetch one file in segments, several at a time, and leave it under its name only when its md5 is right."""

import hashlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import requests
from urllib3.exceptions import HTTPError

from confuselt.acquire.given import file_md5, given_path, take
from confuselt.acquire.http import Client, Exhausted, Patience, Refused, check_status
from confuselt.acquire.partial import Partial, discard, discard_partial
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)
CHUNK = 1 << 18
PROGRESS = 1 << 16  # bytes of one answer that count as progress; a connection that brings less was a failed try
SLOWEST = 1024  # bytes a second under which a connection is given up, over one timeout
# How much more often than any other a copy of a segment must be seen, where the md5 of the file is wrong: two tries.
LEADS = (2, 4)
IGNORED = 3  # answers in a row with the whole file instead of the asked range: this server knows no ranges


@dataclass(frozen=True)
class Remote:
    """A file as the manifest knows it: ``md5`` and ``bytes`` are what must come."""

    file_id: str
    file_name: str
    md5: str
    bytes: int


@dataclass(frozen=True)
class Source:
    """A place that serves the files.

    Attributes
    ----------
    name : str
        In messages.
    url : str
        ``{file_id}`` and ``{file_name}`` stand for those of a file.
    client : Client
    probe : str or None
        Address that answers 200 while the server is well.
    """

    name: str
    url: str
    client: Client
    probe: str | None = None

    def address(self, remote: Remote) -> str:
        """Where a file lies; its name is quoted, whatever it holds."""
        return self.url.format(file_id=quote(remote.file_id, safe=""), file_name=quote(remote.file_name, safe=""))

    def well(self) -> bool:
        """Whether the server is well: what it does not serve is then the file's fault."""
        if self.probe is None:
            return False
        try:
            with self.client.open("GET", self.probe) as response:
                return response.status_code == 200
        except (requests.RequestException, Refused):
            return False


@dataclass(frozen=True)
class Manner:
    """How files are fetched; changes no byte of them.

    Attributes
    ----------
    connections : int
        Segments of one file at a time.
    segment : int
        Bytes.
    attempts : int
        Tries in a row that bring nothing before a source is given up.
    given : str or Path
        Folder of gdc-client, in which a file may lie already; "" for none.
    """

    connections: int = 4
    segment: int = 16 << 20
    attempts: int = 8
    given: str | Path = ""


class Outage(Exception):
    """No source answers at the moment, whatever is asked for: another run may well get the file."""


class Stopped(Exception):
    """Somebody asked to end."""


class _WrongBytes(Exception):
    """The bytes are what the source has, and their md5 is another one."""


class _NoRanges(Exception):
    """The server answers a range with the whole file."""


def fetch(
    remote: Remote,
    final: Path,
    sources: list[Source],
    manner: Manner,
    told: Callable[[int], None] = lambda n: None,
    stop: threading.Event | None = None,
) -> None:
    """Fetch a file to `final`, from the first source that serves it right; a file that is there is checked and kept.

    Parameters
    ----------
    remote : Remote
    final : Path
    sources : list of Source
        The same bytes; bytes of a source that failed halfway are kept for the next.
    manner : Manner
    told : callable
        Called with the number of bytes that came, from several threads.
    stop : Event, optional
        Once set, the download ends soon with `Stopped`; what came is kept.

    Raises
    ------
    Unusable
        No source has the right bytes, with what each said.
    Outage
        Nobody answers at the moment.
    OSError
        The disk is full, cannot be written, or another process writes the file.
    """
    if final.is_file() and final.stat().st_size == remote.bytes and file_md5(final) == remote.md5:
        return
    here = given_path(manner.given, remote.file_id, remote.file_name, remote.bytes)
    if here is not None and take(here, remote.md5, final):
        discard_partial(final)
        return
    part = Partial(final, remote.md5, remote.bytes, manner.segment)
    said, unreachable = [], []
    try:
        for source in sources:
            pull = _Pull(remote, source, part, manner, told, stop or threading.Event())
            try:
                pull.whole()
                part.finish()
                return
            except _WrongBytes as fault:
                part.clear()
                said.append(f"{source.name}: {fault}")
            except Exhausted as fault:
                said.append(f"{source.name}: {fault}")
                unreachable.append(source)
            except Refused as fault:
                said.append(f"{source.name}: {fault}")
            log.warning("%s: %s", remote.file_id, said[-1])
        if not any(part.good):
            discard(final)
        text = f"file {remote.file_id} ({remote.file_name}) could not be fetched: {'; '.join(said)}"
        # A source that is down says nothing of the file, unless its server is well otherwise.
        if unreachable and not any(source.well() for source in sources):
            raise Outage(text)
        raise Unusable(text)
    finally:
        part.close()


class _Pull:
    """All segments of one file from one source."""

    def __init__(
        self,
        remote: Remote,
        source: Source,
        part: Partial,
        manner: Manner,
        told: Callable[[int], None],
        outer: threading.Event,
    ) -> None:
        self._remote, self._source, self._part, self._manner, self._told, self._outer = (
            remote,
            source,
            part,
            manner,
            told,
            outer,
        )
        self._stop, self._ignored, self._copies = threading.Event(), 0, {}

    def whole(self) -> None:
        """Fetch what is missing and check the md5.

        Where it is wrong, fetch again until most copies of each segment agree.
        """
        try:
            if (found := self._threads(self._part.missing(), self._segment)) == self._remote.md5:
                return
            for lead in LEADS:
                log.warning("%s: md5 is %s, every segment is fetched again", self._remote.file_id, found)
                self._threads(list(range(self._part.count)), lambda i, lead=lead: self._agree(i, lead), follow=False)
                if (found := self._threads([], self._segment)) == self._remote.md5:
                    return
        except _NoRanges:
            log.info("%s serves no ranges: %s comes in one piece", self._source.name, self._remote.file_id)
            found = self._one_piece()
        if found != self._remote.md5:
            raise _WrongBytes(f"md5 is {found}, the manifest says {self._remote.md5}")

    def _one_piece(self) -> str:
        """Fetch the whole file until its md5 is right, or the same wrong one too often."""
        seen: Counter[str] = Counter()
        while True:
            found = self._threads([0], self._pour)
            seen[found] += 1
            if found == self._remote.md5 or seen[found] >= LEADS[-1] or seen.total() >= self._manner.attempts:
                return found
            self._part.clear()

    def _threads(self, segments: list[int], work: Callable[[int], None], follow: bool = True) -> str:
        """`work` on segments, a few at a time; the md5 of the whole.

        Meanwhile this thread hashes what is there from the start on. Without `follow` all is hashed at the end: while
        copies are compared, bytes change after they were there.
        """
        queue, hashed, digest = deque(segments), 0, hashlib.md5(usedforsecurity=False)
        self._stop.clear()

        def take() -> None:
            while not self._stop.is_set():
                try:
                    i = queue.popleft()
                except IndexError:
                    return
                work(i)

        workers = max(1, min(self._manner.connections, len(segments)))
        with ThreadPoolExecutor(workers) as pool:
            running = {pool.submit(take) for _ in range(workers)}
            try:
                while running:
                    done, running = wait(running, timeout=0.2, return_when=FIRST_EXCEPTION)
                    for job in done:
                        job.result()
                    if self._outer.is_set():
                        raise Stopped
                    ready = self._part.prefix() if follow else 0
                    self._part.update(digest, hashed, ready)
                    hashed = max(hashed, ready)
            except BaseException:
                self._stop.set()
                raise
        self._part.update(digest, hashed, self._part.size)
        return digest.hexdigest()

    def _insist(self, missing: Callable[[], int], attempt: Callable[[Patience], bool]) -> None:
        """`attempt` until no byte is missing; it says whether a body came.

        Too many attempts in a row without progress are `Exhausted`.
        """
        patience = Patience(self._manner.attempts, self._stop)
        while (before := missing()) and not self._stop.is_set():
            try:
                if attempt(patience) and missing():
                    raise HTTPError("the body ended early")
            except (requests.RequestException, HTTPError, OSError) as fault:
                _raise_of_disk(fault)
                if before - missing() >= PROGRESS:
                    patience.progressed()
                patience.failed(_plain(fault))

    def _segment(self, i: int) -> None:
        """What is missing of one segment, from its last good byte on."""
        first, length = i * self._part.segment, self._part.length(i)

        def attempt(patience: Patience) -> bool:
            start, last = first + self._part.good[i], first + length
            with self._asked(start, last, patience) as body:
                for data in self._chunks(body, last - start) if body is not None else ():
                    self._part.write(i, data)
                    self._told(len(data))
                return body is not None

        self._insist(lambda: length - self._part.good[i], attempt)

    def _asked(self, start: int, end: int, patience: Patience) -> "_Body":
        whole = start == 0 and end == self._part.size
        headers = {} if whole else {"Range": f"bytes={start}-{end - 1}"}
        response = self._source.client.open("GET", self._source.address(self._remote), headers)
        if not check_status(response, patience):
            return _Body(None)
        fault = _length_fault(response, start, self._part.size)
        if fault:
            response.close()
            raise HTTPError(fault)
        if response.status_code == 206 or whole:
            self._ignored = 0
            return _Body(response)
        self._ignored += 1
        response.close()
        if self._ignored >= IGNORED:
            raise _NoRanges
        raise HTTPError("asked for a range, the whole file came")

    def _chunks(self, response: requests.Response, most: int) -> Iterator[bytes]:
        """Bytes of a body, at most `most`; a connection that trickles is given up."""
        began, came = time.monotonic(), 0
        while most > 0 and not self._stop.is_set():
            data = response.raw.read1(min(CHUNK, most), decode_content=False)
            if not data:
                return
            most -= len(data)
            came += len(data)
            yield data
            if (spent := time.monotonic() - began) > self._source.client.timeout:
                if came < SLOWEST * spent:
                    raise HTTPError(f"{came} bytes in {spent:.0f} s: too slow")
                began, came = time.monotonic(), 0

    def _pour(self, _: int) -> None:
        """The whole file as one stream into all segments; bytes that are there are passed over."""

        def attempt(patience: Patience) -> bool:
            at = 0
            with self._asked(0, self._part.size, patience) as body:
                for data in self._chunks(body, self._part.size) if body is not None else ():
                    self._place(at, data)
                    at += len(data)
                return body is not None

        self._insist(lambda: self._part.size - sum(self._part.good), attempt)

    def _place(self, at: int, data: bytes) -> None:
        """Bytes of the file from `at` on into the segments that lack them."""
        while data:
            i = at // self._part.segment
            here = data[: (i + 1) * self._part.segment - at]
            new = here[max(0, i * self._part.segment + self._part.good[i] - at) :]
            if new:
                self._part.write(i, new)
                self._told(len(new))
            data, at = data[len(here) :], at + len(here)

    def _agree(self, i: int, lead: int) -> None:
        """Fetch a segment again until the copy that is there was seen `lead` times more often than any other."""
        copies = self._copies.setdefault(i, Counter({self._part.segment_hash(i): 1}))
        while not self._stop.is_set():
            here = self._part.segment_hash(i)
            if copies[here] - max((n for copy, n in copies.items() if copy != here), default=0) >= lead:
                return
            if copies.total() > 4 * self._manner.attempts:
                raise _WrongBytes(f"bytes from {i * self._part.segment} on are others each time")
            self._part.forget(i)
            self._segment(i)
            copies[self._part.segment_hash(i)] += 1


class _Body:
    """A response as a context; None where there is nothing to read."""

    def __init__(self, response: requests.Response | None) -> None:
        self._response = response

    def __enter__(self) -> requests.Response | None:
        return self._response

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()


def _length_fault(response: requests.Response, start: int, size: int) -> str | None:
    """What is wrong with the stated length or range of a response, if anything."""
    if response.status_code == 206:
        span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if span.partition("-")[0] != str(start):
            return f"asked for bytes from {start} on, '{response.headers.get('Content-Range')}' came"
        stated = total
    else:
        stated = response.headers.get("Content-Length", "*")
    return None if stated in ("*", str(size)) else f"the file has {stated} bytes there, {size} in the manifest"


def _raise_of_disk(fault: BaseException) -> None:
    """Faults of the own disk (requests' are OSErrors too) are not the server's."""
    if isinstance(fault, OSError) and not isinstance(fault, requests.RequestException | ConnectionError | TimeoutError):
        raise fault


def _plain(fault: BaseException) -> str:
    """A fault without addresses and object names."""
    text = str(fault) if isinstance(fault, HTTPError) and type(fault) is HTTPError else type(fault).__name__
    return {
        "ConnectTimeout": "no connection in time",
        "ReadTimeout": "no byte in time",
        "ReadTimeoutError": "no byte in time",
    }.get(text, text)
