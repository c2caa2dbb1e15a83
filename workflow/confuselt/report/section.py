"""What a section of the report is: a sentence of result, facts for its template, pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from confuselt.report.drawn import drawn


@dataclass(frozen=True)
class Picture:
    """A figure, and the data behind it where a reader can take them along.

    Attributes
    ----------
    figure : Figure
    alt : str
        What it shows, for whoever does not see it.
    data : DataFrame, optional
        By default what is drawn.
    """

    figure: Figure
    alt: str
    data: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        if self.data is None:
            object.__setattr__(self, "data", drawn(self.figure))


@dataclass(frozen=True)
class Content:
    """A section of one run.

    Attributes
    ----------
    result : str
        One sentence, before everything else.
    facts : dict
        What the template needs.
    pictures : dict of str to Picture
        Those that these results allow, by name.
    """

    result: str
    facts: dict
    pictures: dict[str, Picture]


@dataclass(frozen=True)
class Section:
    """A section.

    Attributes
    ----------
    name : str
        Its anchor.
    title : str
    template : Path
    make : callable
        Of what the page is about: a `run.Run`, a `patient.Patient`, a `predicted.Served`.
    """

    name: str
    title: str
    template: Path
    make: Callable[[Any], Content]


def pictures(**figures: tuple[Figure | None, str] | tuple[Figure | None, str, pd.DataFrame]) -> dict[str, Picture]:
    """Pictures by name (``_`` for ``-``), without those that there are none of."""
    return {name.replace("_", "-"): Picture(*given) for name, given in figures.items() if given[0] is not None}
