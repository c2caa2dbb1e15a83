"""Which reader is tried before OpenSlide, by the name of a file.

Only what plans a run looks here: a job is told in the rows of its slides, so that a reader more changes the jobs of its
own files alone.
"""

from pathlib import Path

DIRECT = {".svs": "tiled_tiff", ".tif": "tiled_tiff", ".tiff": "tiled_tiff"}


def reader_of(file: str | None) -> str:
    """Name of a module in `readers/`."""
    return DIRECT.get(Path(file or "").suffix.lower(), "openslide")
