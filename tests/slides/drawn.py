"""Small drawn slides for tests."""

from pathlib import Path

import numpy as np

from confuselt.config.root import Config
from confuselt.simulate.histology import Drawn, Section, draw
from confuselt.simulate.svs import write_svs

CFG = {f"tile.{name}": value for name, value in Config().tile.model_dump().items()}


def drawn_slide(
    path: Path, seed: int = 3, mpp: float = 0.5, stated: float | None = 0.5, width_um: float = 700, **facts
) -> Drawn:
    """Draw a section and write it as a slide."""
    width = round(width_um / mpp)
    drawn = draw(Section(width, round(width * 0.75), mpp, **facts), np.random.default_rng(seed))
    write_svs(path, drawn.image, stated)
    return drawn
