"""TIFF and SVS files whose levels are tiled JPEG or JPEG 2000: each of their tiles is decoded once.

OpenSlide draws every part on a surface with alpha; a whole tile costs it three times its decoding, and a tile that four
parts touch is decoded up to four times. A JPEG tile is decoded at a half, a quarter or an eighth of its size from a
part of its coefficients, which is closer to the mean over pixels (45 dB and more) than two libraries are to each other.
Half of a JPEG 2000 tile is not (30 dB).
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import simplejpeg
import tifffile

from confuselt.slides.reader import HELD, Unfit, Unreadable

JPEG, JPEG2000 = 7, 33005  # TIFF compression; Aperio's JPEG 2000 of RGB
RGB, YCBCR = 2, 6  # TIFF photometric
START = b"\xff\xd8"
# Adobe's marker, transform 0: the pixels are RGB. Without it decoders take them for YCbCr.
IS_RGB = bytes.fromhex("ffee000e41646f626500640000000000")


@dataclass(frozen=True)
class _Level:
    """A level as it is stored: size and block in pixels, where each tile lies, and how one is decoded."""

    size: tuple[int, int]
    block: tuple[int, int]
    reductions: tuple[int, ...]
    starts: np.ndarray
    lengths: np.ndarray
    decode: Callable[[bytes, int], np.ndarray]


def open_direct(path: Path, sizes: list[tuple[int, int]]) -> "TiledTiff":
    """What `opening` asks a direct reader for."""
    return TiledTiff(path, sizes)


class TiledTiff:
    """A `Reader` of tiled TIFF.

    Parameters
    ----------
    path : Path
    sizes : list of (int, int)
        Width and height of the levels that are wanted, as OpenSlide finds them.

    Raises
    ------
    Unfit
        A level is stored in another way.
    """

    def __init__(self, path: Path, sizes: list[tuple[int, int]]) -> None:
        try:
            with tifffile.TiffFile(path) as file:
                pages = [page for page in file.pages if page.is_tiled]
                self._levels = [_level(_page(pages, size)) for size in sizes]
        except (tifffile.TiffFileError, ValueError, KeyError, IndexError) as error:
            raise Unfit(str(error)) from None
        self.sizes = sizes
        self.blocks = [level.block for level in self._levels]
        self.reductions = [level.reductions for level in self._levels]
        self._file = os.open(path, os.O_RDONLY)
        self._held: OrderedDict[tuple[int, int, int], np.ndarray] = OrderedDict()
        self._bytes = 0

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def read(self, level: int, reduction: int, box: tuple[int, int, int, int]) -> np.ndarray:
        """See `Reader`."""
        left, top, width, height = box
        stored = self._levels[level]
        across, down = (side // reduction for side in stored.block)
        # What is beyond the size is padding of the last tiles; a pixel that holds some of it is no pixel of the slide.
        right, bottom = min(left + width, stored.size[0] // reduction), min(top + height, stored.size[1] // reduction)
        part = np.empty((height, width, 3), np.uint8)
        if left < 0 or top < 0 or right < left + width or bottom < top + height:
            part[:] = 255
        if right <= max(left, 0) or bottom <= max(top, 0):
            return part
        per_row = -(-stored.size[0] // stored.block[0])
        for row in range(max(top, 0) // down, -(-bottom // down)):
            y, end = max(top, row * down), min(bottom, (row + 1) * down)
            for column in range(max(left, 0) // across, -(-right // across)):
                x, stop = max(left, column * across), min(right, (column + 1) * across)
                tile = self._tile(level, reduction, row * per_row + column)
                part[y - top : end - top, x - left : stop - left] = tile[
                    y - row * down : end - row * down, x - column * across : stop - column * across
                ]
        return part

    def fullest(self, level: int, number: int) -> list[tuple[int, int, int, int]]:
        """Boxes of the tiles that take most bytes: tissue, not glass."""
        stored = self._levels[level]
        (width, height), (across, down) = stored.size, stored.block
        rows, columns = np.divmod(np.argsort(-stored.lengths, kind="stable")[:number], -(-width // across))
        places = zip((columns * across).tolist(), (rows * down).tolist(), strict=True)
        return [(x, y, min(across, width - x), min(down, height - y)) for x, y in places]

    def _tile(self, level: int, reduction: int, number: int) -> np.ndarray:
        """A decoded tile; those least lately used make room."""
        key = (level, reduction, number)
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        stored = self._levels[level]
        length = int(stored.lengths[number])
        data = os.pread(self._file, length, int(stored.starts[number]))
        across, down = (side // reduction for side in stored.block)
        if len(data) < length:
            raise Unreadable("the file ends before this tile does")
        try:
            tile = stored.decode(data, reduction)
        except (ValueError, RuntimeError) as error:  # of simplejpeg; imagecodecs' own error is a RuntimeError
            raise Unreadable(str(error)) from None
        if tile.shape != (down, across, 3) or tile.dtype != np.uint8:
            raise Unreadable(f"a tile of {tile.shape[1]} x {tile.shape[0]} px where {across} x {down} belong")
        self._held[key] = tile
        self._bytes += tile.nbytes
        while self._bytes > HELD:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return tile


def _page(pages: list[tifffile.TiffPage], size: tuple[int, int]) -> tifffile.TiffPage:
    """The page that is a level."""
    found = [page for page in pages if (page.imagewidth, page.imagelength) == size]
    if len(found) != 1:
        raise Unfit(f"{len(found)} tiled pages of {size[0]} x {size[1]} px")
    return found[0]


def _level(page: tifffile.TiffPage) -> _Level:
    kinds = (int(page.compression), int(page.photometric))
    if page.samplesperpixel != 3 or page.bitspersample != 8 or page.planarconfig != 1:
        raise Unfit("pixels that are not three times eight bits")
    if kinds not in {(JPEG, RGB), (JPEG, YCBCR), (JPEG2000, RGB)}:
        raise Unfit(f"compression {kinds[0]} of colours {kinds[1]}")
    if not all(page.databytecounts):
        raise Unfit("tiles that are not stored")
    block = (page.tilewidth, page.tilelength)
    fits = tuple(r for r in (1, 2, 4, 8) if not (block[0] % r or block[1] % r)) if kinds[0] == JPEG else (1,)
    starts, lengths = (np.array(v, np.int64) for v in (page.dataoffsets, page.databytecounts))
    decode = _jpeg(page, block) if kinds[0] == JPEG else _jpeg2000
    return _Level((page.imagewidth, page.imagelength), block, fits, starts, lengths, decode)


def _jpeg(page: tifffile.TiffPage, block: tuple[int, int]) -> Callable[[bytes, int], np.ndarray]:
    """Decoder of a level's tiles, which share the tables that its page holds."""
    tables = (page.jpegtables or START + b"\xff\xd9")[2:-2]
    head = START + (IS_RGB if page.photometric == RGB else b"") + tables

    def decode(data: bytes, reduction: int) -> np.ndarray:
        if data[:2] != START:
            raise ValueError("no JPEG")
        across, down = (side // reduction for side in block)
        # Strict: what libjpeg would mend with grey is an error.
        return simplejpeg.decode_jpeg(head + data[2:], "RGB", min_height=down, min_width=across, strict=True)

    return decode


def _jpeg2000(data: bytes, reduction: int) -> np.ndarray:
    return imagecodecs.jpeg2k_decode(data)
