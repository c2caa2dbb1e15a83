"""The data behind a figure as they are drawn, for pictures that have no table of their own."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def drawn(figure: Figure) -> pd.DataFrame | None:
    """Columns ``panel, series, x, y``: points of lines and scatters, lengths of bars; None where nothing is drawn.

    Lines across a whole panel, such as chance, are none. Series without a name of their own are numbered.
    """
    rows = [
        {"panel": axis.get_title() or axis.get_title(loc="left") or number, "series": name, "x": x, "y": y}
        for number, axis in enumerate(figure.axes, 1)
        for name, points in _series(axis)
        for x, y in points
    ]
    return pd.DataFrame(rows) if rows else None


def _series(axis: Axes) -> Iterator[tuple[str, np.ndarray]]:
    named = 0
    for line in axis.get_lines():
        if line.get_transform() == axis.transData and len(line.get_xdata()):
            named += 1
            label = str(line.get_label())
            yield (
                (label if not label.startswith("_") else f"line {named}"),
                np.column_stack([np.asarray(line.get_xdata(), object), np.asarray(line.get_ydata(), object)]),
            )
    for number, dots in enumerate(axis.collections, 1):
        points = np.asarray(dots.get_offsets())
        if len(points) > 1:
            yield f"points {number}", points
    for number, bars in enumerate(axis.containers, 1):
        if hasattr(bars, "datavalues"):
            yield str(bars.get_label() or number), np.column_stack([np.arange(len(bars)), bars.datavalues])
