"""How large a pixel of each level is, and which level serves."""

from collections.abc import Sequence
from dataclasses import dataclass

from confuselt.slides.reader import Reader

SQUARE = 0.02  # of a level's two scales; a label or macro page that is taken for a level has others
COARSER = 1.02  # a level may be this much coarser than what is made of it


@dataclass(frozen=True)
class View:
    """A level, divided while it is decoded.

    Attributes
    ----------
    level, reduction : int
    scale : (float, float)
        Level-0 pixels per pixel, along x and y: from exact sizes, as the two differ on narrow slides.
    size : (int, int)
        Width and height, pixels.
    """

    level: int
    reduction: int
    scale: tuple[float, float]
    size: tuple[int, int]


def views_of(reader: Reader) -> list[View]:
    """Every way to read a slide, levels of another shape left out."""
    width, height = reader.sizes[0]
    return [
        View(number, by, (by * width / size[0], by * height / size[1]), (max(1, size[0] // by), max(1, size[1] // by)))
        for number, size in enumerate(reader.sizes)
        if _is_level(size, (width, height))
        for by in reader.reductions[number]
    ]


def _is_level(size: tuple[int, int], whole: tuple[int, int]) -> bool:
    """Whether a picture shows the whole slide: its shape is the slide's, but for a pixel of rounding."""
    wanted = size[1] * whole[0] / whole[1], size[0] * whole[1] / whole[0]
    return any(abs(side - w) <= max(1.0, SQUARE * w) for side, w in zip(size, wanted, strict=True))


def choose(views: Sequence[View], scale: float) -> View:
    """The coarsest that is fine enough for one pixel per `scale` level-0 pixels; of two alike the smaller level."""
    fits = [v for v in views if max(v.scale) <= scale * COARSER] or [views[0]]
    best = max(min(v.scale) for v in fits)
    return max((v for v in fits if min(v.scale) * COARSER >= best), key=lambda v: v.level)
