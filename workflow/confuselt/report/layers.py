"""A slide in layers for the page: its overview, where a model looks, how dense each kind of cell is."""

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np

from confuselt.cells.columns import NAMES
from confuselt.cells.roles import COLOURS, ROLES
from confuselt.tables import read_meta

ATTENTION = "attention"
VIEWER = "viewer.html.j2"  # what shows them on a page
WIDEST = 1200  # pixels of an overview
SPREAD = 2.0  # log2 of times the mean at which attention has its full colour
MORE, LESS = (204, 51, 17), (0, 119, 187)  # RGB


@dataclass(frozen=True)
class Layer:
    """A picture over a slide.

    Attributes
    ----------
    name : str
    said : str
    picture : str
        ``data:`` address.
    shown : bool
        From the start.
    """

    name: str
    said: str
    picture: str
    shown: bool = False


@dataclass(frozen=True)
class Layered:
    """A slide.

    Attributes
    ----------
    slide : str
    overview : str
        ``data:`` address.
    width, height : int
        Pixels of the overview.
    layers : tuple of Layer
    """

    slide: str
    overview: str
    width: int
    height: int
    layers: tuple[Layer, ...]


def layered(slide: str, grids: Path, looked: tuple[np.ndarray, np.ndarray], cells: Path | None) -> Layered:
    """A slide with its layers.

    Parameters
    ----------
    slide : str
    grids : Path
        Folder of ``<slide>.png`` and ``<slide>.parquet``.
    looked : (n, 2) int32, (n,) float64
        Tiles, level-0 pixels, and their attention times n.
    cells : Path, optional
        Bag of the slide's cell features by tile.
    """
    picture = cv2.imread(str(grids / f"{slide}.png"))
    geometry = read_meta(grids / f"{slide}.parquet")
    factor = min(1.0, WIDEST / picture.shape[1])
    picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    place = Place(picture.shape[1] / geometry["width"], geometry["tile_px"], picture.shape[:2])
    coords, weights = looked
    heat = place.painted(coords, _of_weights(weights))
    layers = [Layer(ATTENTION, "red: more than a mean would, blue: less", heat, shown=True)]
    if cells is not None and cells.is_file():
        layers += _of_cells(cells, place)
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    address = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    return Layered(slide, address, picture.shape[1], picture.shape[0], tuple(layers))


@dataclass(frozen=True)
class Place:
    """Where tiles lie on an overview.

    Attributes
    ----------
    scale : float
        Overview pixels per level-0 pixel.
    tile_px : int
        Side of a tile, level-0 pixels.
    shape : (int, int)
        Height and width of the overview.
    """

    scale: float
    tile_px: int
    shape: tuple[int, int]

    def painted(self, coords: np.ndarray, colours: np.ndarray) -> str:
        """``data:`` address of a transparent picture with a square per tile.

        Parameters
        ----------
        coords : (n, 2) int
        colours : (n, 4) uint8
            RGBA.
        """
        image = np.zeros((*self.shape, 4), np.uint8)
        start = np.rint(coords * self.scale).astype(int)
        stop = np.rint((coords + self.tile_px) * self.scale).astype(int)
        for (left, top), (right, bottom), colour in zip(start.tolist(), stop.tolist(), colours, strict=True):
            image[top:bottom, left:right] = colour
        png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA))[1]
        return "data:image/png;base64," + base64.b64encode(png).decode()


def _of_weights(weights: np.ndarray) -> np.ndarray:
    """Colours of attention: strong where it is far from a mean's, in both directions."""
    far = np.clip(np.log2(np.maximum(weights, 1e-9)) / SPREAD, -1, 1)
    rgb = np.where(far[:, None] > 0, MORE, LESS)
    return np.concatenate([rgb, np.abs(far)[:, None] * 255], 1).round().astype(np.uint8)


def _of_cells(path: Path, place: Place) -> list[Layer]:
    """Density of each role that is known on the slide, faint where it is low."""
    with h5py.File(path) as file:
        features, coords = file["features"][()].astype(np.float64), file["coords"][()]
    found = []
    if features.shape[1] != len(NAMES):
        return found
    for role in ROLES:
        density = features[:, NAMES.index(f"log_density_{role}")]
        known = np.isfinite(density)
        if not known.any() or np.ptp(density[known]) == 0:
            continue
        low, high = np.quantile(density[known], [0.02, 0.98])
        strength = np.clip((density[known] - low) / max(high - low, 1e-9), 0, 1)
        rgba = np.concatenate([np.tile(COLOURS[role], (known.sum(), 1)), strength[:, None] * 255], 1)
        said = f"{role} nuclei per mm², log scale, 2nd to 98th percentile of the slide's tiles"
        found.append(Layer(role, said, place.painted(coords[known], rgba.round().astype(np.uint8))))
    return found
