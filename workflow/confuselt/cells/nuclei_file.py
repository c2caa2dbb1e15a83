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
from confuselt.cells.places import Extent, check_within
from confuselt.cells.schema import NUCLEI
from confuselt.unusable import Unusable

log = logging.getLogger(__name__)
SUFFIXES = (".geojson", ".json", ".geojson.gz", ".json.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".parquet")
MOST_LOST = 0.1  # of the nuclei of a file


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
        if ".json" in name or ".geojson" in name:
            found = read_json(path, slide)
        else:
            found = read_rows(path, slide)
    except (OSError, zlib.error, EOFError) as fault:
        raise Unusable(f"{path.name}: cannot be read ({str(fault)[:120]})") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as fault:
        raise Unusable(
            f"{path.name}: an entry is not as its tool writes it ({type(fault).__name__}: {fault})"
        ) from None
    if found.empty:
        return found.reindex(columns=list(NUCLEI.columns)).astype(dict.fromkeys(("x", "y", *MEASURED), float))
    lost = ~(np.isfinite(found[["x", "y"]].to_numpy(float)).all(1))
    if lost.mean() > MOST_LOST:
        raise Unusable(
            f"{path.name}: {int(lost.sum())} of {len(lost)} nuclei have no place, or an outline without area"
        )
    if lost.any():
        log.warning("%s: %d of %d nuclei have no place and are left out", path.name, lost.sum(), len(lost))
    found = found[~lost]
    twice = found.duplicated(["x", "y", "type"])
    if twice.any():
        log.warning("%s: %d of %d nuclei stand there twice; one of each is kept", path.name, twice.sum(), len(found))
        found = found[~twice]
    untyped = found["type"].isna()
    if untyped.mean() > MOST_LOST:
        raise Unusable(f"{path.name}: {int(untyped.sum())} of {len(found)} nuclei have no type; classify them first")
    odd = ~found["probability"].dropna().between(0, 1)
    if odd.any():
        raise Unusable(f"{path.name}: {int(odd.sum())} probabilities are not between 0 and 1; are they percent?")
    check_within(found, slide, path.name)
    missing = {column: np.nan for column in MEASURED if column not in found}
    return found.assign(**missing)[list(NUCLEI.columns)].reset_index(drop=True)
