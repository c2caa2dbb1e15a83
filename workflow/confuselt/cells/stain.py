"""Haematoxylin of a picture."""

import cv2
import numpy as np
from skimage.color import hed_from_rgb


def haematoxylin(image: np.ndarray) -> np.ndarray:
    """Haematoxylin of each pixel, (h, w) float32, by the fixed stain vectors of Ruifrok & Johnston (2001).

    In units of skimage's HED, but not cut off at 0, as there: where much eosin makes the background negative, nuclei
    would be lost, and more of them with a stronger stain.

    Parameters
    ----------
    image : (h, w, 3) uint8
        RGB.
    """
    density = cv2.LUT(image, (np.log(np.maximum(np.arange(256), 1) / 255) / np.log(1e-6)).astype(np.float32))
    return cv2.transform(density, hed_from_rgb[:, 0].astype(np.float32)[None])
