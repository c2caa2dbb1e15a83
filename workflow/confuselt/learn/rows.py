"""Rows of one stream of the training store: on disk, or in the memory of the training device."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import h5py
import numpy as np
import torch

CHUNK = 1 << 19  # bytes that are read at once where many rows of them are wanted
SPARSE = 16  # a wanted row among so many others is read alone
PIECE = 1 << 25  # bytes of a piece by which a device is filled
FILLERS = 4


class DiskRows:
    """Rows that stay on disk.

    They are read with pread and not mapped: mapped pages count against a job's memory, and a job that is near its limit
    reads the same pages over and over.

    Parameters
    ----------
    store : Path
    dataset : Dataset
        Contiguous, as pack writes it.

    Raises
    ------
    ValueError
        The dataset is not contiguous.
    """

    def __init__(self, store: Path, dataset: h5py.Dataset) -> None:
        offset = dataset.id.get_offset() if dataset.size else 0
        if offset is None:
            raise ValueError(f"{store}: {dataset.name} is not contiguous; it was not written by pack")
        self._file = Path(store).open("rb", buffering=0)  # noqa: SIM115 - read for as long as the rows are
        self._offset, self.dtype = offset, dataset.dtype
        self.kind = torch.from_numpy(np.empty(0, dataset.dtype)).dtype  # the same, in torch's words
        self.length, self.width = dataset.shape
        self.bytes_of_row = self.width * self.dtype.itemsize

    @property
    def bytes(self) -> int:
        """Size of all rows."""
        return self.length * self.bytes_of_row

    def read(self, at: np.ndarray, out: np.ndarray) -> None:
        """Read rows `at` (n,) int64, ascending, into `out` (n, width)."""
        chunk = max(1, CHUNK // max(self.bytes_of_row, 1))
        buffer, done = np.empty((chunk, self.width), self.dtype), 0
        while done < len(at):
            first = int(at[done])
            stop = int(np.searchsorted(at, first + chunk))
            span = int(at[stop - 1]) + 1 - first
            if span == stop - done:
                self.span(first, out[done:stop])
            elif span > SPARSE * (stop - done):
                for k in range(done, stop):
                    self.span(int(at[k]), out[k : k + 1])
            else:
                self.span(first, buffer[:span])
                np.take(buffer, at[done:stop] - first, 0, out=out[done:stop])
            done = stop

    def span(self, first: int, out: np.ndarray) -> None:
        """Read the rows from `first` on into `out` (n, width)."""
        view, position = memoryview(out.reshape(-1).view(np.uint8)), self._offset + first * self.bytes_of_row
        while len(view):
            got = os.preadv(self._file.fileno(), [view], position)
            if not got:
                raise OSError(f"{self._file.name} ends before row {first} of {self.length}: it is truncated")
            view, position = view[got:], position + got


class DeviceRows:
    """Rows that live on the training device, in the type of their stream.

    Parameters
    ----------
    rows : DiskRows
        Read once, piece by piece, by several threads: never twice in memory.
    device : device
    """

    def __init__(self, rows: DiskRows, device: torch.device) -> None:
        self.length, self.width = rows.length, rows.width
        self._rows = torch.empty(rows.length, rows.width, dtype=rows.kind, device=device)
        piece, pinned = max(1, PIECE // max(rows.bytes_of_row, 1)), device.type == "cuda"
        buffers: SimpleQueue[torch.Tensor] = SimpleQueue()
        for _ in range(FILLERS):
            buffers.put(torch.empty(piece, rows.width, dtype=rows.kind, pin_memory=pinned))

        def fill(start: int) -> None:
            buffer = buffers.get()
            some = buffer[: min(piece, rows.length - start)]
            rows.span(start, some.numpy())
            self._rows[start : start + len(some)].copy_(some)  # blocks until the buffer may be used anew
            buffers.put(buffer)

        with ThreadPoolExecutor(FILLERS) as pool:
            list(pool.map(fill, range(0, rows.length, piece)))

    def take(self, at: torch.Tensor) -> torch.Tensor:
        """Rows `at` (n,) int64 on the device, in any order."""
        return self._rows.index_select(0, at)


def spans(lengths: list[int], most: int) -> Iterator[slice]:
    """Neighbours that hold at most `most` together; one that holds more stands alone.

    Parameters
    ----------
    lengths : list of int
        Rows of each.
    most : int
    """
    start, rows = 0, 0
    for i, length in enumerate(lengths):
        if i > start and rows + length > most:
            yield slice(start, i)
            start, rows = i, 0
        rows += length
    if start < len(lengths):
        yield slice(start, len(lengths))
