"""Slides of a job, each fetched once, by a thread, so that one comes while another is worked on."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from confuselt.acquire.download import Manner, Source, fetch
from confuselt.acquire.fetch import Meter, check_space, remote_of
from confuselt.acquire.given import given_path
from confuselt.unusable import Unusable


class Fetcher:
    """A context manager: on leaving it, what is on its way stops, and what came of it stays.

    Parameters
    ----------
    data : Path
        Where relative paths start.
    sources : list of Source
    manner : Manner

    Attributes
    ----------
    waited : float
        Seconds for which slides were waited for.
    lost : dict
        Why a slide does not come, by its id.
    """

    def __init__(self, data: Path, sources: list[Source], manner: Manner) -> None:
        self._data, self._sources, self._manner = data, sources, manner
        self._pool, self._stop = ThreadPoolExecutor(1, "fetches"), threading.Event()
        self._begun: dict[str, Future] = {}
        self.waited, self.lost = 0.0, {}

    def __enter__(self) -> "Fetcher":
        return self

    def __exit__(self, kind: type | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def begin(self, row: dict) -> Future:
        """Fetch the slide of a row of the manifest, after those that were begun before."""
        slide = row["slide_id"]
        if slide not in self._begun:
            self._begun[slide] = self._pool.submit(self._fetch, row)
        return self._begun[slide]

    def bring(self, row: dict) -> None:
        """Wait until the slide is there.

        Raises
        ------
        Unusable
            No source has it.
        Outage
            Nobody answers at the moment.
        OSError
            The disk is full or cannot be written.
        """
        start = time.perf_counter()
        try:
            self.begin(row).result()
        except Unusable as reason:
            self.lost[row["slide_id"]] = str(reason)
            raise Unusable(f"excluded at acquire: {reason}") from None
        finally:
            self.waited += time.perf_counter() - start

    def _fetch(self, row: dict) -> None:
        path = self._data / row["file"]
        here = given_path(self._manner.given, row["file_id"], row["file_name"], row["bytes"])
        if not path.is_file() and here is None:
            check_space(path.parent, row["bytes"], 1)
        with Meter(row["bytes"], path.parent) as meter:
            fetch(remote_of(row), path, self._sources, self._manner, meter.told, self._stop)
