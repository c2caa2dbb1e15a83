"""Which features move a prediction most, as bars."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

MOST = 12  # features of a panel
LONGEST = 34  # letters of a name beside a bar; the table behind the figure has all
AGREED = 0.5  # of +1 and -1 over folds: three of four
UP, DOWN, NEITHER = "#cc3311", "#0077bb", "#888888"


def strongest(table: pd.DataFrame, tasks: list[str]) -> pd.DataFrame:
    """Of every output of some tasks the `MOST` strongest features: ``task, output, feature, strength, direction``.

    Means over folds, see `mean_over_folds`.

    Parameters
    ----------
    table : DataFrame
        ``evaluate/attributions`` of one stream.
    tasks : list of str
    """
    found = [pd.DataFrame(columns=["task", "output", "feature", "strength", "direction"])]
    for (task, output), own in table[table["task"].isin(tasks)].groupby(["task", "output"]):
        best = mean_over_folds(own).sort_values("strength", ascending=False).head(MOST).reset_index()
        found.append(best.assign(task=task, output=output)[list(found[0].columns)])
    return pd.concat(found[1:] or found, ignore_index=True)


def mean_over_folds(own: pd.DataFrame) -> pd.DataFrame:
    """Mean ``strength`` and ``direction`` by feature; a gene that a fold has not chosen moves nothing there.

    Parameters
    ----------
    own : DataFrame
        ``evaluate/attributions`` of one stream, task and output.
    """
    return own.groupby("feature")[["strength", "direction"]].sum() / own["fold"].nunique()


def attribution_figure(table: pd.DataFrame, tasks: list[str]) -> Figure | None:
    """A panel per output with its strongest features; red where a higher value raises it in three of four folds.

    Parameters
    ----------
    table : DataFrame
        ``evaluate/attributions`` of one stream.
    tasks : list of str
    """
    ranked = strongest(table, tasks)
    outputs = sorted({(tasks.index(t), t, o) for t, o in zip(ranked["task"], ranked["output"], strict=True)})
    if not outputs:
        return None
    across = min(3, len(outputs))
    down = -(-len(outputs) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(3.6 * across, 0.19 * MOST * down + 0.6 * down), squeeze=False, layout="constrained"
    )
    for axis, (_, task, output) in zip(axes.flat, outputs, strict=False):
        best = ranked[(ranked["task"] == task) & (ranked["output"] == output)].set_index("feature")
        colours = [UP if d > AGREED else DOWN if d < -AGREED else NEITHER for d in best["direction"]]
        axis.barh(range(len(best)), best["strength"], color=colours, height=0.7)
        axis.set_yticks(range(len(best)), [shortened(name) for name in best.index], fontsize=7)
        axis.invert_yaxis()
        axis.set_title(f"{task}: {output}", fontsize=9, loc="left")
        axis.tick_params(axis="x", labelsize=7)
    for axis in axes.flat[len(outputs) :]:
        axis.set_axis_off()
    return figure


def shortened(name: str) -> str:
    """A name that fits beside a panel, without its middle."""
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half + 1 :]}"
