"""The data behind a figure as they are drawn, for pictures that have no table of their own."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter


def drawn(figure: Figure) -> pd.DataFrame | None:
    """Columns ``panel, series, x, y``: points of lines and scatters, lengths of bars; None where nothing is drawn.

    Lines across a whole panel, such as chance, are none. Series without a name of their own are numbered, bars have
    that of what they measure.
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
            yield _bars(axis, bars, number)


def _bars(axis: Axes, bars: BarContainer, number: int) -> tuple[str, np.ndarray]:
    """Lengths of bars by the names below them, or by their places where these are numbers."""
    boxes, side = [bar.get_bbox() for bar in bars], int(bars.orientation == "horizontal")
    along, across = (axis.yaxis, axis.xaxis) if side else (axis.xaxis, axis.yaxis)
    places = np.array([(box.min[side] + box.max[side]) / 2 for box in boxes], object)
    if not isinstance(along.get_major_formatter(), ScalarFormatter) and len(at := along.get_ticklocs()):
        names = [tick.get_text() for tick in along.get_ticklabels()]
        # Bars of several series stand side by side about the tick of their name.
        places = np.array([names[np.abs(at - place).argmin()] for place in places], object)
    label = str(bars.get_label() or "_")
    named = across.get_label_text() or f"bars {number}" if label.startswith("_") else label
    return named, np.column_stack([places, bars.datavalues])
