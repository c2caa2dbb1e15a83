"""Which features move a prediction most, as bars."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

MOST = 12  # features of a panel
UP, DOWN, NEITHER = "#cc3311", "#0077bb", "#888888"


def attribution_figure(table: pd.DataFrame, tasks: list[str]) -> Figure | None:
    """A panel per output: strongest features, mean over folds; red where a higher value raises it in most folds.

    Parameters
    ----------
    table : DataFrame
        ``evaluate/attributions`` of one stream.
    tasks : list of str
    """
    rows = table[table["task"].isin(tasks)]
    outputs = sorted({(tasks.index(t), t, o) for t, o in zip(rows["task"], rows["output"], strict=True)})
    if not outputs:
        return None
    across = min(3, len(outputs))
    down = -(-len(outputs) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(3.6 * across, 0.19 * MOST * down + 0.6 * down), squeeze=False, layout="constrained"
    )
    for axis, (_, task, output) in zip(axes.flat, outputs, strict=False):
        own = rows[(rows["task"] == task) & (rows["output"] == output)]
        mean = own.groupby("feature").agg(strength=("strength", "mean"), direction=("direction", "mean"))
        best = mean.sort_values("strength", ascending=False).head(MOST)
        colours = [UP if d > 0.5 else DOWN if d < -0.5 else NEITHER for d in best["direction"]]
        axis.barh(range(len(best)), best["strength"], color=colours, height=0.7)
        axis.set_yticks(range(len(best)), best.index, fontsize=7)
        axis.invert_yaxis()
        axis.set_title(f"{task}: {output}", fontsize=9, loc="left")
        axis.tick_params(axis="x", labelsize=7)
    for axis in axes.flat[len(outputs) :]:
        axis.set_axis_off()
    return figure
