"""Write a picture as a pyramidal slide that OpenSlide opens as Aperio."""

from pathlib import Path

import cv2
import numpy as np
import tifffile

TILE = 240  # Aperio's own tiles; not a divisor of what is cut from them


def write_svs(
    path: Path, image: np.ndarray, mpp: float | None, downsamples: tuple[int, ...] = (1, 4, 16), quality: int = 85
) -> None:
    """Write level 0, a thumbnail, and reduced levels as tiled JPEG.

    Parameters
    ----------
    path : Path
    image : (height, width, 3) uint8
        RGB.
    mpp : float or None
        µm per pixel; None leaves it out of the file, as some TCGA slides do.
    downsamples : tuple of int
        Levels, 1 first; one under a tile in size is left out.
    quality : int
        Of the JPEG tiles.

    Notes
    -----
    OpenSlide wants the description of the first page to begin with "Aperio", the second page to be the thumbnail, and
    tiled pages for levels. The compression is decided by libjpeg-turbo through imagecodecs: the same pixels give the
    same file.
    """
    height, width = image.shape[:2]
    head = f"Aperio Image Library v12.0.15 \r\n{width}x{height} [0,0 {width}x{height}] ({TILE}x{TILE})"
    facts = f" JPEG/RGB Q={quality}|AppMag = {20 if mpp is None or mpp > 0.4 else 40}" + (
        f"|MPP = {mpp}" if mpp is not None else ""
    )
    common = {
        "photometric": "rgb",
        "compression": "jpeg",
        "compressionargs": {"level": quality},
        "metadata": None,
        "software": None,
    }
    with tifffile.TiffWriter(path) as file:
        for downsample in downsamples:
            size = (-(-width // downsample), -(-height // downsample))
            if downsample > 1 and min(size) < TILE // 2:
                continue
            level = image if downsample == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            described = head + (facts if downsample == 1 else f" -> {size[0]}x{size[1]}{facts}")
            file.write(level, tile=(TILE, TILE), description=described, subfiletype=0, **common)
            if downsample == 1:
                small = cv2.resize(image, (512, max(1, round(512 * height / width))), interpolation=cv2.INTER_AREA)
                file.write(
                    small,
                    rowsperstrip=16,
                    description=f"{head} -> {small.shape[1]}x{small.shape[0]} -{facts}",
                    subfiletype=0,
                    **common,
                )
