"""All files that a slide consists of, and what tells one slide from another."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from confuselt.unusable import Unusable

SAMPLES, SAMPLE = 16, 4096  # places of a file, and bytes at each
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}
DICOM = {".dcm", ".dicom"}
HAMAMATSU = {".vms", ".vmu"}


def files_of(path: Path) -> list[Path]:
    """The slide's own file first, then those beside it that belong to it, in order.

    Those of MRXS are a folder of the same name, those of VMS and VMU are named in the file, those of DICOM are the
    other instances in the same folder; all other slides are one file.

    Raises
    ------
    Unusable
        The file is absent, empty or a picture, or something that belongs to it is absent.
    """
    if not path.is_file():
        raise Unusable(f"{path.name}: the file is listed but absent")
    if path.stat().st_size == 0:
        raise Unusable(f"{path.name}: the file is empty (0 bytes)")
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        raise Unusable(
            f"{path.name}: a picture is no slide; {as_pyramid(path)} and give its µm per pixel in a column mpp"
        )
    beside = {".mrxs": _of_mrxs, **dict.fromkeys(HAMAMATSU, _of_hamamatsu), **dict.fromkeys(DICOM, _of_dicom)}
    return [path, *beside[suffix](path)] if suffix in beside else [path]


def as_pyramid(path: Path) -> str:
    """How to make a slide of a picture."""
    made = f"{path.stem}.pyramid.tif"
    return f"make a tiled pyramid of it (vips tiffsave {path.name} {made} --tile --pyramid --compression jpeg --Q 85)"


def _of_mrxs(path: Path) -> list[Path]:
    folder = path.with_suffix("")
    index = folder / "Slidedat.ini"
    if not index.is_file():
        raise Unusable(
            f"{path.name}: {folder.name}/Slidedat.ini is absent; an MRXS slide is the file and the folder of the same "
            "name beside it: copy both"
        )
    named = sorted(folder / name for name in _values(index, lambda key: key.startswith("FILE_") and key[5:].isdigit()))
    _check(path, [*named, index])
    return sorted(file for file in folder.iterdir() if file.is_file())


def _of_hamamatsu(path: Path) -> list[Path]:
    named = [path.with_name(name) for name in _values(path, lambda key: key.split("(")[0] in {"ImageFile", "MapFile"})]
    _check(path, named)
    return sorted(named)


def _of_dicom(path: Path) -> list[Path]:
    return sorted(file for file in path.parent.iterdir() if file.suffix.lower() in DICOM and file != path)


def _values(path: Path, wanted: Callable[[str], bool]) -> Iterator[str]:
    """Values of the keys of an ini file that are wanted."""
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        key, sign, value = line.partition("=")
        if sign and value.strip() and wanted(key.strip()):
            yield value.strip()


def _check(path: Path, files: list[Path]) -> None:
    absent = [file for file in files if not file.is_file()]
    if absent:
        raise Unusable(
            f"{path.name}: {len(absent)} of the files that belong to it are absent, first "
            f"{absent[0].relative_to(path.parent)}; copy them too"
        )


def sampled(path: Path) -> str:
    """Sixteen hex digits over the sizes of a slide's files and bytes at places spread over each.

    Whole slides are too large to be hashed in every job. A slide that was copied or touched is the same one.

    Raises
    ------
    Unusable
        See `files_of`.
    """
    digest = hashlib.sha256()
    for file in files_of(path):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(path.parent)} {size}\n".encode())
        with file.open("rb") as stream:
            for number in range(SAMPLES):
                stream.seek(max(0, size - SAMPLE) * number // (SAMPLES - 1))
                digest.update(stream.read(SAMPLE))
    return digest.hexdigest()[:16]


def stated(path: Path) -> list[list[int]]:
    """Size and time of change of a slide's files: as long as these stay, so does what `sampled` says."""
    return [[state.st_size, state.st_mtime_ns] for state in map(os.stat, files_of(path))]
