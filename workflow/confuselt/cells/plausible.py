"""Slides on which too few or too many nuclei are found: said, never acted upon."""

import pandas as pd

# Nuclei per mm² in the median of a slide's tiles: fat has some 200, sections of carcinoma 4,500 to 5,000, a tumour full
# of lymphocytes 10,000.
FEWEST, MOST = 100.0, 15_000.0
FAR, TELL = 5.0, 5  # times the median of the cohort, and how many slides make one


def odd_cells(index: pd.DataFrame) -> pd.Series:
    """A warning per slide, None where nothing is odd.

    Parameters
    ----------
    index : DataFrame
        Columns of ``cells/index``.

    Returns
    -------
    Series of str
        By row.
    """
    found = index["nuclei_mm2"].where(index["status"] == "ok").astype(float)
    usual = found.median() if found.count() >= TELL else None
    said = {slide: _oddity(value, usual) for slide, value in found.dropna().items()}
    return pd.Series(said, dtype=object).reindex(index.index)


def _oddity(found: float, usual: float | None) -> str | None:
    said = f"{found:,.0f} nuclei per mm² of tissue in the median of its tiles"
    if found < FEWEST or found > MOST:
        return f"{said}, which stained tissue in focus hardly has"
    if usual and not 1 / FAR <= found / usual <= FAR:
        return f"{said}, most slides have about {usual:,.0f}"
    return None
