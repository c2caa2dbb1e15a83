"""RNA at a glance: how deep each sample is, how many genes it shows, and which lie apart from the others."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

APART = 5  # median absolute deviations, as single-cell practice has it (Germain et al., Genome Biol 2020)
FEWEST = 10  # samples of which it can be said
NAMED = 8  # of those that lie apart


def depth(index: pd.DataFrame, is_counts: bool) -> pd.DataFrame:
    """What a sample is judged by.

    Parameters
    ----------
    index : DataFrame
        ``rna/index``.
    is_counts : bool
        Whether the values are counts.

    Returns
    -------
    DataFrame
        By patient: ``depth``, log10 of all counts or the median of a ready-made sample; ``seen``, genes with a value
        other than 0; ``apart``, whether either is five median absolute deviations from the cohort's.
    """
    used = index[index["status"] == "ok"].set_index("patient_id")
    found = pd.DataFrame({"depth": np.log10(used["total"]) if is_counts else used["median"], "seen": used["seen"]})
    return found.assign(apart=_apart(found["depth"]) | _apart(found["seen"]))


def _apart(values: pd.Series) -> pd.Series:
    distance = (values - values.median()).abs()
    spread = distance.median()
    return (distance > APART * spread) & (spread > 0) & (len(values) >= FEWEST)


def rna_facts(samples: pd.DataFrame, is_counts: bool) -> dict[str, object]:
    """Numbers and names for the text beside the figure; `samples` are those of `depth`."""
    low, middle, high = samples["depth"].quantile([0, 0.5, 1])
    ends = [f"{10**v / 1e6:.3g}" if is_counts else f"{v:.3g}" for v in (low, middle, high)]
    return {
        "samples": len(samples),
        "what": "million reads" if is_counts else "as the middle of their values",
        "depth": dict(zip(("least", "median", "most"), ends, strict=True)),
        "seen": {"least": int(samples["seen"].min()), "most": int(samples["seen"].max())},
        "apart": list(samples.index[samples["apart"]]),
    }


def rna_figure(samples: pd.DataFrame, is_counts: bool) -> Figure | None:
    """Depth against genes seen, a dot per sample; `samples` are those of `depth`."""
    if samples.empty:
        return None
    figure, ax = plt.subplots(figsize=(4.6, 2.8))
    for apart, colour in ((False, "#3b5b92"), (True, "#b33a3a")):
        some = samples[samples["apart"] == apart]
        ax.scatter(some["depth"], some["seen"], s=9, color=colour, alpha=0.6, linewidths=0)
    for patient, row in samples[samples["apart"]].head(NAMED).iterrows():
        ax.annotate(str(patient), (row["depth"], row["seen"]), fontsize=6, xytext=(3, 3), textcoords="offset points")
    ax.set_xlabel("log10 of all counts" if is_counts else "median value")
    ax.set_ylabel("genes with a value other than 0")
    return figure
