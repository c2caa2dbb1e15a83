"""Processes that read the tiles of a slide beside whoever uses them.

Their number changes no result: batches are those of one process, and each states which tiles it holds.
"""

import mmap
import queue
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from confuselt.slides.slide import Slide, Wanted

TOGETHER = 8  # batches that one process reads after each other: neighbours share what is decoded
WAIT = 5.0  # seconds between two looks whether the processes live


class Workers:
    """Processes that read tiles; a context manager.

    To be made before the job touches a GPU, since they are forked.

    Parameters
    ----------
    count : int
    most : int
        Bytes of the largest batch that will be read.
    """

    def __init__(self, count: int, most: int) -> None:
        context = get_context("fork")
        slots = 2 * count + 1
        self._count, self._most, self._memory = count, most, mmap.mmap(-1, slots * most)
        self._tasks, self._free, self._done = (context.Queue() for _ in range(3))
        for slot in range(slots):
            self._free.put(slot)
        self._processes = [context.Process(target=self._work, daemon=True) for _ in range(count)]
        for process in self._processes:
            process.start()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: type | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()

    def _slot(self, slot: int, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape))
        return np.frombuffer(self._memory, np.uint8, size, slot * self._most).reshape(shape)

    def _work(self) -> None:
        from confuselt.slides.slide import Slide  # Slide itself looks here

        opened, key = None, None
        while True:
            opening, batches, coords, wanted = self._tasks.get()
            if opening != key:
                opened, key = Slide(*opening), opening
            for batch in batches:
                slot = self._free.get()
                pixels = self._slot(slot, (len(batch), wanted.out, wanted.out, 3))
                self._done.put((slot, *opened.read_batch(coords, batch, wanted, pixels)))
            self._done.put(None)

    def batches(
        self, slide: "Slide", coords: np.ndarray, batches: list[np.ndarray], wanted: "Wanted"
    ) -> Iterator[tuple[np.ndarray, np.ndarray, list[str]]]:
        """What `Slide.read_batch` says of each batch, in the order in which they come.

        Pixels are good until the next one is asked for.

        Raises
        ------
        RuntimeError
            A process has ended.
        """
        if max(map(len, batches), default=0) * wanted.out**2 * 3 > self._most:
            raise ValueError(f"tiles of {wanted.out} px are larger than these processes were made for")
        tasks = [batches[i : i + TOGETHER] for i in range(0, len(batches), TOGETHER)]
        opening: tuple[Path, float, str] = (slide.path, slide.mpp, slide.reader)
        given = done = 0
        try:
            while done < len(tasks):
                while given < len(tasks) and given - done < 2 * self._count:
                    self._tasks.put((opening, tasks[given], coords, wanted))
                    given += 1
                answer = self._answer()
                if answer is None:
                    done += 1
                    continue
                slot, at, faults = answer
                try:
                    yield at, self._slot(slot, (len(at), wanted.out, wanted.out, 3)), faults
                finally:
                    self._free.put(slot)
        finally:
            # Whoever stops early leaves nothing for the next slide.
            while done < given:
                answer = self._answer()
                if answer is None:
                    done += 1
                else:
                    self._free.put(answer[0])

    def _answer(self) -> tuple | None:
        while True:
            try:
                return self._done.get(timeout=WAIT)
            except queue.Empty:
                if dead := [p.exitcode for p in self._processes if not p.is_alive()]:
                    raise RuntimeError(f"a process that reads tiles has ended ({dead[0]}): out of memory?") from None
