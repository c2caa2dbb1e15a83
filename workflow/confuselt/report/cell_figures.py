"""What nuclei the slides of a cohort hold: by class and by site."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.acquire.units import DAYS_PER
from confuselt.cells.roles import COLOURS, ROLES

SITES = 12  # shown at most: those with most slides


def cells_figure(index: pd.DataFrame, groups: dict[str, pd.Series]) -> Figure | None:
    """Nuclei per mm² of tissue by role: a row of stacked bars per class and per site.

    Parameters
    ----------
    index : DataFrame
        Columns of ``cells/index``.
    groups : dict of str to Series
        What patients are grouped by, such as a label or the site: value by patient id.

    Returns
    -------
    Figure or None
        None where no role's density is known (ready-made features).
    """
    columns = [f"{role}_mm2" for role in ROLES]
    fine = index[(index["status"] == "ok") & index[columns].notna().any(axis=1)]
    if fine.empty:
        return None
    slides = fine.set_index("patient_id")[columns].set_axis(list(ROLES), axis=1)
    parts = {name: _means(slides, values) for name, values in groups.items()}
    parts = {name: means for name, means in parts.items() if len(means)}
    if not parts:
        return None
    told = [role for role in ROLES if slides[role].notna().any()]
    heights = [len(means) for means in parts.values()]
    figure, axes = plt.subplots(
        len(parts),
        1,
        figsize=(7, 0.28 * sum(heights) + 0.8 * len(parts)),
        height_ratios=heights,
        sharex=True,
        squeeze=False,
    )
    for axis, (name, means) in zip(axes[:, 0], parts.items(), strict=True):
        left = np.zeros(len(means))
        for role in told:
            axis.barh(
                np.arange(len(means)),
                means[role],
                left=left,
                color=np.array(COLOURS[role]) / 255,
                label=role,
                height=0.75,
            )
            left += means[role].fillna(0).to_numpy()
        axis.set_yticks(np.arange(len(means)), [f"{k} ({n})" for k, n in zip(means.index, means["n"], strict=True)])
        axis.invert_yaxis()
        axis.set_title(name, fontsize=9, loc="left")
        axis.tick_params(labelsize=7)
    axes[-1, 0].set_xlabel("nuclei per mm² of tissue, mean over slides (number of slides)", fontsize=8)
    axes[0, 0].legend(frameon=False, fontsize=7, ncol=len(told), loc="lower right", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    return figure


def early_events(days: pd.Series, event: pd.Series) -> pd.Series:
    """Who had the event before the median time of all events, and who lived longer without; others are missing."""
    until = days[event == 1].median()
    early, late = (event == 1) & (days <= until), days > until
    years = f"{until / DAYS_PER['years']:.1f} years"
    said = np.select([early, late], [f"event within {years}", f"none within {years}"], "")
    return pd.Series(said, days.index).where(early | late)


def _means(slides: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    """Mean density by role and number of slides ``n`` of each group, the largest groups first."""
    own = values.reindex(slides.index)
    known = own.notna().to_numpy()
    grouped = slides[known].groupby(own[known].to_numpy())
    means = grouped.mean().assign(n=grouped.size())
    return means.sort_values("n", ascending=False, kind="stable").head(SITES)
