"""Small drawn slides for tests."""

from pathlib import Path

import numpy as np

from confuselt.simulate.histology import Drawn, Section, draw
from confuselt.simulate.svs import write_svs

CFG = {"tile.size": 224, "tile.mpp": 0.5, "tile.min_tissue": 0.5, "tile.max_pen": 0.1, "tile.min_focus": 2.5}


def drawn_slide(
    path: Path, seed: int = 3, mpp: float = 0.5, stated: float | None = 0.5, width_um: float = 700, **facts
) -> Drawn:
    """Draw a section and write it as a slide."""
    width = round(width_um / mpp)
    drawn = draw(Section(width, round(width * 0.75), mpp, **facts), np.random.default_rng(seed))
    write_svs(path, drawn.image, stated)
    return drawn
