"""Progress of anything long: a bar on a terminal, log lines otherwise and in a job, which has a log."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
log = logging.getLogger(__name__)
_bars = True


def no_bars() -> None:
    """From now on log lines only: a job shares the terminal with others."""
    global _bars
    _bars = False


def progress(items: Iterable[Item], what: str, total: int | None = None, every: float = 20.0) -> Iterator[Item]:
    """Yield `items` and show how far they are.

    Parameters
    ----------
    items : iterable
    what : str
        Named in the bar or in the log line.
    total : int, optional
        Number of items where `items` has no length.
    every : float
        Seconds between two log lines.
    """
    if _bars and sys.stderr.isatty():
        from tqdm import tqdm  # only here: training on a bare machine has no terminal, and needs no bar

        yield from tqdm(items, desc=what, total=total)
        return
    total = total if total is not None else len(items)  # type: ignore[arg-type]
    start = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last >= every:
            last = now
            left = (now - start) / max(done, 1) * (total - done)
            log.info("%s: %d of %d, about %.0f s left", what, done, total, left)
        yield item
    log.info("%s: %d of %d in %.1f s", what, total, total, time.monotonic() - start)
