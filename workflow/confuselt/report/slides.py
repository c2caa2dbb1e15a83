"""What the report says of slides: how they were tiled, and what is odd about them."""

from pathlib import Path

import pandas as pd

WARNED = 10
FEWEST = 5  # slides that tell what is usual at a site
# Facts of a slide, and by which factor it may differ from the median of its site. Scanners of one power differ by less.
OF_SITE = (("mpp", 1.4, "{:.3g} µm per pixel"), ("stain_level", 2.5, "a stain of density {:.2f}"))


def tile_facts(index: pd.DataFrame) -> dict[str, object]:
    """Counts for the table of slides."""
    used = index[index["status"] == "ok"]
    return {
        "slides": len(used),
        "excluded": len(index) - len(used),
        "tiles": int(used["n"].sum()),
        "fewest": int(used["n"].min()) if len(used) else 0,
        "most": int(used["n"].max()) if len(used) else 0,
        "under pen": int(used["under_pen"].sum()),
        "out of focus": int(used["out_of_focus"].sum()),
        "unreadable": int(used["unreadable"].sum()),
        "stain": ", ".join(f"{kind} ({n})" for kind, n in used["stain"].value_counts().items()),
        "mpp": ", ".join(f"{m:g}" for m in sorted(used["mpp"].round(3).unique())),
    }


def slide_warnings(grids: Path | None, cells: Path, patients: pd.DataFrame) -> list[str]:
    """What is odd about slides, their nuclei, or a slide beside those of its site; the first ten of each kind.

    Parameters
    ----------
    grids, cells : Path
        ``tile/index``, where there is one, and ``cells/index``.
    patients : DataFrame
        Columns ``patient_id, site``.
    """
    said = []
    for index in filter(None, (grids, cells)):
        table = pd.read_parquet(index, columns=["slide_id", "warning"]).dropna()
        said += _first([f"Slide {row.slide_id}: {row.warning}." for row in table.itertuples()], f"warning of {index}")
    if grids is not None:
        unlike = unlike_their_site(pd.read_parquet(grids), patients.set_index("patient_id")["site"])
        said += _first(unlike, f"mpp and stain_level of {grids}")
    return said


def _first(said: list[str], columns: str) -> list[str]:
    more = [f"{len(said) - WARNED} more slides are odd: columns {columns}."] if len(said) > WARNED else []
    return said[:WARNED] + more


def unlike_their_site(index: pd.DataFrame, site: pd.Series) -> list[str]:
    """Slides whose resolution or strength of stain is another one than that of their site's other slides.

    Parameters
    ----------
    index : DataFrame
        Columns of ``tile/index``.
    site : Series of str
        By patient.
    """
    used, said = index[index["status"] == "ok"], []
    for name, some in used.groupby(used["patient_id"].map(site)):
        for column, far, words in OF_SITE if len(some) >= FEWEST else ():
            usual = some[column].median()
            odd = some[(some[column] > far * usual) | (some[column] < usual / far)]
            said += [
                f"Slide {row['slide_id']}: {words.format(row[column])}; most slides of its site {name} have "
                f"{words.format(usual)}."
                for _, row in odd.iterrows()
            ]
    return said
