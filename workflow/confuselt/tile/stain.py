"""How strongly a slide is stained, with what, and what tells the texture of tissue from what is smooth."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

# Level of the stain: this percentile of what is stained and textured. The median halves where most of a slide is fat.
LEVEL_PERCENTILE = 75
WINDOW_UM = 24.0  # a nucleus and what is around it
# Texture is SD over mean of the density in a window: .23 (a squamous carcinoma) to .45 in the median of tissue in
# focus, .09 to .2 at its smoothest hundredth; .01 for ink on glass, .03 to .07 for opaque ink that covers tissue. Flat
# is what has less than .065, and than .3 of the slide's own where that is smooth (all of it out of focus).
LEAST_TEXTURE, FLATTEST, FLAT, FLAT_SHARE = 0.02, 0.01, 0.065, 0.3
# Kinds: least difference between channels over their mean, and shares of the stained area.
COLOURED, PINK_SHARE, BROWN_SHARE = 0.25, 0.10, 0.05


@dataclass(frozen=True)
class Stain:
    """The stain of a slide, measured once on its overview.

    Attributes
    ----------
    glass : (3,) float32
        Colour of the glass, RGB.
    level : float
        Optical density, mean of the channels, of well stained tissue at 4 µm per pixel: 0.15 to 0.35 on most slides; 0
        where nothing is stained.
    kind : {"H&E", "brown", "blue", "grey", "none"}
        Pink and purple; brown (DAB) over a blue counterstain; the counterstain alone; without colour; nothing stained.
    """

    glass: np.ndarray
    level: float
    kind: str


@dataclass(frozen=True)
class Seen:
    """Optical densities of a slide at low power, at half the resolution of its picture.

    Attributes
    ----------
    density : list of (h, w) float32
        Of red, green, blue.
    fine : (2 h, 2 w) float32
        Mean of the channels, at the resolution of the picture.
    mean, square : (h, w) float32
        Means of `fine` and of its square over the pixels that each one here stands for.
    mpp : float
        µm per pixel here.
    """

    density: list[np.ndarray]
    fine: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    mpp: float

    @cached_property
    def window(self) -> tuple[np.ndarray, np.ndarray]:
        """`around` in `WINDOW_UM`."""
        return self.around(WINDOW_UM)

    def around(self, side_um: float) -> tuple[np.ndarray, np.ndarray]:
        """Mean density and texture in a window, (h, w) float32."""
        side = 2 * max(1, int(side_um / self.mpp / 2)) + 1
        mean, square = (cv2.boxFilter(m, -1, (side, side)) for m in (self.mean, self.square))
        return mean, cv2.sqrt(cv2.max(square - mean * mean, 0.0)) / cv2.max(mean, 1e-3)


def flat_under(texture: np.ndarray) -> float:
    """Texture under which this slide is flat; that of windows (n,) where something is on the glass."""
    texture = texture[texture > LEAST_TEXTURE]  # so that ink has no say, even where it is most of what is there
    return float(np.clip(FLAT_SHARE * np.median(texture), FLATTEST, FLAT)) if len(texture) else FLAT


def is_flat(texture: np.ndarray, under: float, denser: np.ndarray) -> np.ndarray:
    """Where the density is smoother than tissue's, bool.

    What covers tissue keeps tissue's texture while it is denser: where density is more than the level of the slide's
    stain (`denser` is over 1), more is allowed in proportion.
    """
    return texture < under * cv2.max(denser, 1.0)


def coloured(density: list[np.ndarray]) -> list[np.ndarray]:
    """Of densities (n,) those dense enough for their colour to be known."""
    mean = sum(density)
    return [channel[mean > 0.5 * np.median(mean)] for channel in density]


def measure(density: list[np.ndarray], glass: np.ndarray) -> Stain:
    """Level and kind of a stain.

    Parameters
    ----------
    density : list of (n,) float32
        Of red, green, blue where tissue is stained.
    glass : (3,) float32
    """
    level = float(np.percentile(sum(density) / 3, LEVEL_PERCENTILE))
    return Stain(glass, level, _kind(*coloured(density)))


def _kind(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> str:
    differ = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    if np.percentile(3 * differ / (red + green + blue), 90) < COLOURED:
        return "grey"
    # Haematoxylin and eosin together absorb green most, eosin hardly anything else; DAB absorbs blue most.
    if ((red < 0.5 * green) & (blue < 0.8 * green)).mean() >= PINK_SHARE:
        return "H&E"
    if (blue > green).mean() > BROWN_SHARE:
        return "brown"
    return "blue" if np.median(red / green) > 1 else "H&E"
