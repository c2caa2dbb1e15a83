"""Pictures that lie beside what they show."""

from pathlib import Path

import cv2
import numpy as np

from confuselt.written import written


def write_picture(pixels: np.ndarray, final: Path) -> None:
    """A PNG of (h, w) or (h, w, 3) RGB uint8 pixels; OSError where it cannot be written."""
    with written(final) as partial:
        # OpenCV says no more than that it failed.
        if not cv2.imwrite(str(partial), pixels[..., ::-1] if pixels.ndim == 3 else pixels):
            raise OSError(f"{final}: the picture cannot be written; is the disk full, or may nothing be written there?")
