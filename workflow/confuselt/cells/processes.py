"""A function over pictures in processes beside this one, results in their order and a bounded number under way."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")
UNDER_WAY = 8  # items per process; a result of a network is some MB


def mapped(
    work: Callable[[Given], Found], items: Iterable[tuple[int, Given]], pool: ProcessPoolExecutor | None, workers: int
) -> Iterator[tuple[int, Found]]:
    """``(number, work(item))`` of every item, in their order.

    Parameters
    ----------
    work : callable
        Pickled, so of a module.
    items : iterable of (int, item)
        Asked for one ahead of what the processes take: who makes them (a GPU) goes on meanwhile.
    pool : ProcessPoolExecutor, optional
        None: everything happens here.
    workers : int
        Processes of the pool.
    """
    if pool is None:
        yield from ((number, work(item)) for number, item in items)
        return
    running: deque[tuple[int, Future]] = deque()
    for number, item in items:
        running.append((number, pool.submit(work, item)))
        while len(running) > UNDER_WAY * workers:
            first, future = running.popleft()
            yield first, future.result()
    for number, future in running:
        yield number, future.result()


def processes(workers: int) -> ProcessPoolExecutor | None:
    """A pool, or None for none; spawned, since a GPU may be in use by now."""
    return ProcessPoolExecutor(workers, get_context("spawn")) if workers else None
