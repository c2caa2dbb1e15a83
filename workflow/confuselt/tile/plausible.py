"""What is odd about a slide: said, never acted upon."""

from collections.abc import Iterator

import pandas as pd

OBJECTIVE_MPP = 10.0  # µm per pixel times the power of the objective: 0.25 at 40x, 0.5 at 20x
FAR = 1.4  # scanners of one power differ by less
ALIKE = 0.02  # of two statements of one resolution
ALL_TISSUE = 0.95
USUAL, FEWEST = 0.8, 5  # share of slides that makes a stain the usual one, and how many tell


def odd_slides(index: pd.DataFrame) -> pd.Series:
    """A warning per slide, None where nothing is odd.

    Parameters
    ----------
    index : DataFrame
        Columns of ``tile/index``.

    Returns
    -------
    Series of str
        By row.
    """
    used = index[index["status"] == "ok"]
    kinds = used["stain"].value_counts(normalize=True)
    usual = kinds.index[0] if len(used) >= FEWEST and kinds.iloc[0] >= USUAL else None
    alike = {picture: some for picture, some in used.groupby("picture") if len(some) > 1}
    said = {
        at: "; ".join([*_resolution(row), *_looks(row, usual), *_twice(row, alike.get(row["picture"]))])
        for at, row in used.iterrows()
    }
    return pd.Series({at: words or None for at, words in said.items()}, dtype=object).reindex(index.index)


def _resolution(row: pd.Series) -> Iterator[str]:
    if row["mpp_file"] > 0 and abs(row["mpp"] / row["mpp_file"] - 1) > ALIKE:
        yield f"the sheet says {row['mpp']:.4g} µm per pixel, the file {row['mpp_file']:.4g}"
    if row["objective"] > 0 and not 1 / FAR <= row["mpp"] * row["objective"] / OBJECTIVE_MPP <= FAR:
        expected = OBJECTIVE_MPP / row["objective"]
        yield f"{row['mpp']:.3g} µm per pixel, but the file says {row['objective']:g}x, which is about {expected:.2g}"


def _looks(row: pd.Series, usual: str | None) -> Iterator[str]:
    if usual is not None and row["stain"] != usual:
        yield f"its stain looks {row['stain']}, that of most slides {usual}"
    if row["tissue_share"] > ALL_TISSUE:
        yield f"{row['tissue_share']:.0%} of it is taken for tissue; look at its picture"


def _twice(row: pd.Series, same: pd.DataFrame | None) -> Iterator[str]:
    if same is None:
        return
    other = same[same["slide_id"] != row["slide_id"]]
    strangers = other[other["patient_id"] != row["patient_id"]]
    if len(strangers):
        yield (
            f"the same pixels as slide {strangers.iloc[0]['slide_id']} of patient {strangers.iloc[0]['patient_id']}: "
            "one patient under two names is in training and test at once"
        )
    else:
        yield f"the same pixels as slide {other.iloc[0]['slide_id']} of the same patient"
