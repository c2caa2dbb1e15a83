"""A file has its final name only when it is whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written(final: Path) -> Iterator[Path]:
    """A temporary path beside `final`: flushed to the disk and renamed where the block ends without an error."""
    partial = final.with_name(f".partial.{final.name}")
    yield partial
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(final)
