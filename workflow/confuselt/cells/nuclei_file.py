"""Nuclei that another tool has found on a slide: one file, whichever tool wrote it.

Places are level-0 pixels, but for columns and files that say otherwise.
"""

import logging
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.cells.features import MEASURED
from confuselt.cells.nuclei_json import read_json
from confuselt.cells.nuclei_table import read_rows
from confuselt.cells.outlines import MOST_LOST
from confuselt.cells.places import Extent, check_within
from confuselt.cells.schema import NUCLEI
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)
SUFFIXES = (".geojson", ".json", ".geojson.gz", ".json.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".parquet")
MOST_TWICE = 0.5  # of the nuclei of a file: more stand at too few places to be nuclei
LARGEST = 5_000  # µm² of a nucleus: the largest of 592,349 real ones has 2,612


def read_nuclei(path: Path, slide: Extent) -> pd.DataFrame:
    """Nuclei of a file.

    Parameters
    ----------
    path : Path
    slide : Extent

    Returns
    -------
    DataFrame
        Columns of `NUCLEI`; what the file does not say is NaN.

    Raises
    ------
    Unusable
        The file cannot be read, states no places or no types, or its places are not those of this slide.
    """
    name = path.name.lower()
    if not name.endswith(SUFFIXES):
        raise Unusable(f"{path.name}: nuclei are read from {', '.join(SUFFIXES)}")
    try:
        if name.removesuffix(".gz").endswith("json"):
            found = read_json(path, slide)
        else:
            found = read_rows(path, slide)
    except (OSError, zlib.error, EOFError) as fault:
        raise Unusable(f"{path.name}: cannot be read ({str(fault)[:120]})") from None
    except UnicodeDecodeError as fault:
        raise Unusable(
            f"{path.name}: no text in UTF-8 ({fault.reason} at byte {fault.start}); save it so, or let its name "
            "end in .gz where it is packed"
        ) from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError) as fault:
        raise Unusable(
            f"{path.name}: an entry is not as its tool writes it ({type(fault).__name__}: {fault})"
        ) from None
    if found.empty:
        return found.reindex(columns=list(NUCLEI.columns)).astype(dict.fromkeys(("x", "y", *MEASURED), float))
    placed = np.isfinite(found[["x", "y"]].to_numpy(float)).all(1)
    found = _without(found, ~placed, "have no place, or an outline without area", path.name)
    if "area_um2" in found:
        area = found["area_um2"]
        of_no_nucleus = ((area <= 0) | (area > LARGEST)).to_numpy()
        found = _without(found, of_no_nucleus, f"are not between 0 and {LARGEST} µm² large: regions?", path.name)
    twice = found.duplicated(["x", "y", "type"]).to_numpy()
    found = _without(found, twice, "stand where another of their type stands", path.name, MOST_TWICE)
    untyped = found["type"].isna()
    if untyped.mean() > MOST_LOST:
        raise Unusable(f"{path.name}: {int(untyped.sum())} of {len(found)} nuclei have no type; classify them first")
    if untyped.any():
        log.warning("%s: %d of %d nuclei have no type: they count in no role", path.name, untyped.sum(), len(found))
    odd = ~found["probability"].dropna().between(0, 1)
    if odd.any():
        raise Unusable(f"{path.name}: {int(odd.sum())} probabilities are not between 0 and 1; are they percent?")
    found = found.assign(x=found["x"] + slide.left, y=found["y"] + slide.top)
    check_within(found, slide, path.name)
    missing = {column: np.nan for column in MEASURED if column not in found}
    return found.assign(**missing)[list(NUCLEI.columns)].reset_index(drop=True)


def _without(found: pd.DataFrame, which: np.ndarray, why: str, where: str, most: float = MOST_LOST) -> pd.DataFrame:
    """The others, and a word on those left out; Unusable where they are more than `most` of all."""
    if not which.any():
        return found
    said = f"{where}: {int(which.sum())} of {len(found)} nuclei {why}"
    if which.mean() > most:
        raise Unusable(said)
    log.warning("%s; they are left out", said)
    return found[~which]
