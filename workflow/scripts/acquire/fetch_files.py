"""Everything of a GDC cohort that is no slide: counts, outcomes, subtypes."""

from pathlib import Path

import pandas as pd

from confuselt.acquire.download import Manner
from confuselt.acquire.excluded import EXCLUDED, OK
from confuselt.acquire.fetch import fetch_rows, sources_of
from confuselt.acquire.schema import FILES
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

READS = ("data",)


def main(
    files: Output,
    cfg: dict,
    url: str,
    mirror: str = "",
    token_file: str = "",
    connections: int = 4,
    attempts: int = 8,
    timeout: float = 30.0,
    given: str = "",
) -> None:
    """Fetch small files side by side, each over one connection; one that does not come is a row with its reason."""
    rows, folder = cfg["rows"], Path(cfg["data"])
    sources = sources_of(url, mirror or None, token_file or None, timeout)
    manner = Manner(connections=1, attempts=attempts, given=given)
    lost = fetch_rows(rows, folder, sources, manner, connections)
    found = [
        {**row, "status": EXCLUDED, "reason": lost[row["file_id"]], "n": 0, "sha": None}
        if row["file_id"] in lost
        else {**row, "status": OK, "reason": None, "n": row["bytes"], "sha": row["md5"]}
        for row in rows
    ]
    write_table(pd.DataFrame(found, columns=list(FILES.columns)), files, FILES)


if __name__ == "__main__":
    run_step(main, globals())
