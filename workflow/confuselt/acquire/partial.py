"""A file that is being fetched: its bytes, and how far each segment is.

A kill at any moment loses nothing that was written.
"""

import fcntl
import hashlib
import os
import struct
from pathlib import Path

BLOCK = 1 << 20


class Partial:
    """``.partial.<name>`` with the bytes and ``.partial.<name>.done`` with the bytes that each segment has.

    The second file is a line that says what is fetched, then one little-endian int64 a segment, written after the
    bytes themselves: what it counts is there. A file of another md5, size or segment length starts anew.

    Parameters
    ----------
    final : Path
        Where the whole file will be.
    md5 : str
    size : int
        Bytes of the whole file.
    segment : int
        Bytes of a segment.

    Raises
    ------
    OSError
        Another process writes it.
    """

    def __init__(self, final: Path, md5: str, size: int, segment: int) -> None:
        self.final, self.size, self.segment = final, size, segment
        self.count = -(-size // segment)
        self.path = final.with_name(f".partial.{final.name}")
        self.done = self.path.with_name(f"{self.path.name}.done")
        self._head = f"{md5} {size} {segment}\n".encode()
        final.parent.mkdir(parents=True, exist_ok=True)
        there = self.path.exists()
        self._bytes = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._bytes, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._bytes)
            raise OSError(
                f"{self.path} is being written by another process, a job that outlived its run: "
                "wait for it or end it, then go on"
            ) from None
        state = self.done.read_bytes() if there and self.done.exists() else b""
        fits = state.startswith(self._head) and len(state) == len(self._head) + 8 * self.count
        self._state = os.open(self.done, os.O_RDWR | os.O_CREAT, 0o644)
        self.good = list(struct.unpack(f"<{self.count}q", state[len(self._head) :])) if fits else [0] * self.count
        if not fits:
            self.clear()

    def clear(self) -> None:
        """Forget all bytes."""
        os.ftruncate(self._bytes, 0)
        os.ftruncate(self._state, 0)
        self.good = [0] * self.count
        os.pwrite(self._state, self._head + bytes(8 * self.count), 0)

    def length(self, i: int) -> int:
        """Bytes of segment `i`."""
        return min(self.segment, self.size - i * self.segment)

    def missing(self) -> list[int]:
        """Segments that are not whole."""
        return [i for i in range(self.count) if self.good[i] < self.length(i)]

    def write(self, i: int, data: bytes) -> None:
        """Append bytes to segment `i`."""
        view, at = memoryview(data), i * self.segment + self.good[i]
        while view:
            written = os.pwrite(self._bytes, view, at)
            view, at = view[written:], at + written
        self._set(i, self.good[i] + len(data))

    def forget(self, i: int) -> None:
        """Segment `i` is fetched again from its first byte."""
        self._set(i, 0)

    def _set(self, i: int, good: int) -> None:
        os.pwrite(self._state, struct.pack("<q", good), len(self._head) + 8 * i)
        self.good[i] = good

    def prefix(self) -> int:
        """Bytes from the start without a gap."""
        for i in range(self.count):
            if self.good[i] < self.length(i):
                return i * self.segment + self.good[i]
        return self.size

    def update(self, digest: "hashlib._Hash", start: int, end: int) -> None:
        """Feed bytes `start` to `end` to a hash."""
        while start < end:
            block = os.pread(self._bytes, min(BLOCK, end - start), start)
            if not block:
                raise OSError(f"{self.path} is shorter than what was written to it")
            digest.update(block)
            start += len(block)

    def segment_hash(self, i: int) -> bytes:
        """Hash of what segment `i` holds."""
        digest = hashlib.sha256()
        self.update(digest, i * self.segment, i * self.segment + self.length(i))
        return digest.digest()

    def finish(self) -> None:
        """Move the whole file to its place."""
        os.ftruncate(self._bytes, self.size)
        os.fsync(self._bytes)
        self.path.replace(self.final)
        self.done.unlink()
        folder = os.open(self.final.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def close(self) -> None:
        """Close both files; what they hold stays."""
        os.close(self._bytes)
        os.close(self._state)


def begun(final: Path) -> bool:
    """Whether a file is there, whole or in part."""
    return final.exists() or final.with_name(f".partial.{final.name}").exists()


def discard(final: Path) -> None:
    """Remove a file, fetched or half fetched."""
    final.unlink(missing_ok=True)
    discard_partial(final)


def discard_partial(final: Path) -> None:
    """Remove what is half fetched of a file."""
    partial = final.with_name(f".partial.{final.name}")
    for path in (partial, partial.with_name(f"{partial.name}.done")):
        path.unlink(missing_ok=True)
