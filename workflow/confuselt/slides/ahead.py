"""Tiles of the slides of a job, read by a thread ahead of whoever uses them.

So a model goes on while the next slide is opened and its first tiles are decoded. Batches are joined to blocks as large
as a model takes at once.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import numpy as np

BLOCKS = 6  # that wait at most
TICK = 0.5  # seconds between two looks whether anyone still waits for the thread's work

Tiles = Callable[[str], Generator[tuple[np.ndarray, np.ndarray], None, None]]


@dataclass(frozen=True)
class _End:
    """What follows the last block of a slide: its fault, if it had one."""

    fault: Exception | None = None


class Ahead:
    """A thread that reads; a context manager.

    Parameters
    ----------
    read : callable
        Slide to its batches: which tiles, (k,) int, and their pixels, (k, size, size, 3) uint8, good until the next.
    slides : list of str
        In the order in which they will be asked for.
    block : callable
        Makes an array for so many tiles, (n, size, size, 3) uint8.
    most : int
        Tiles of a block; no batch is larger.
    """

    def __init__(self, read: Tiles, slides: list[str], block: Callable[[int], np.ndarray], most: int) -> None:
        self._read, self._slides, self._block, self._most = read, slides, block, most
        self._made: queue.Queue = queue.Queue(BLOCKS)
        self._left, self._stopped = list(slides), threading.Event()
        self._thread = threading.Thread(target=self._work, name="reads ahead", daemon=True)

    def __enter__(self) -> "Ahead":
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join()

    def of(self, slide: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of a slide's tiles; what is left of slides before it is passed over.

        Raises
        ------
        Exception
            What reading the slide has raised.
        KeyError
            It is none of those that are still to come.
        """
        if slide not in self._left:
            raise KeyError(slide)
        while self._left[0] != slide:
            with suppress(Exception):  # of a slide that nobody waits for any more
                for _ in self._blocks():
                    pass
        yield from self._blocks()

    def _blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of the first slide that is left; whoever stops early finds the rest at the next call."""
        while True:
            made = self._made.get()
            if isinstance(made, _End):
                del self._left[0]
                if made.fault is not None:
                    raise made.fault
                return
            yield made

    def _work(self) -> None:
        for slide in self._slides:
            end = _End()
            try:
                for made in self._joined(slide):
                    if not self._put(made):
                        return
            except Exception as fault:  # raised where the slide is asked for
                end = _End(fault)
            if not self._put(end):
                return

    def _joined(self, slide: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of a slide: as many whole batches as fit, so that a block of one is the same whoever reads."""
        batches, held, at = self._read(slide), None, []
        try:
            for some, pixels in batches:
                if held is not None and sum(map(len, at)) + len(some) > self._most:
                    yield _block(held, at)
                    held, at = None, []
                held = self._block(self._most) if held is None else held
                start = sum(map(len, at))
                held[start : start + len(some)] = pixels
                at.append(some)
            if held is not None:
                yield _block(held, at)
        finally:
            batches.close()

    def _put(self, made: object) -> bool:
        """Hand on; False where nobody waits any more."""
        while not self._stopped.is_set():
            try:
                self._made.put(made, timeout=TICK)
            except queue.Full:
                continue
            return True
        return False


def _block(held: np.ndarray, at: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    which = np.concatenate(at)
    return which, held[: len(which)]
