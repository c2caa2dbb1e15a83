"""Slides of a group, fetched and kept."""

from pathlib import Path

from confuselt.acquire.download import Manner
from confuselt.acquire.fetch import fetch_rows, sources_of
from confuselt.acquire.schema import FETCHED
from confuselt.run_step import Output, run_step
from confuselt.slides.group import run_group
from confuselt.tables import write_table
from confuselt.unusable import Unusable

READS = ("data",)


def main(
    part: Output,
    cfg: dict,
    url: str,
    mirror: str = "",
    token_file: str = "",
    connections: int = 4,
    segment_mb: int = 16,
    attempts: int = 8,
    timeout: float = 30.0,
    cohort_mb: int = 0,
    given: str = "",
) -> None:
    """Fetch one slide after the other, each over several connections.

    One that does not come is a row with its reason.
    """
    rows, sources = cfg["rows"], sources_of(url, mirror or None, token_file or None, timeout)
    folder = Path(cfg["data"], "slides")
    named = [{**row, "file": Path(row["file"]).name} for row in rows]
    manner = Manner(connections, segment_mb << 20, attempts, given)
    lost = fetch_rows(named, folder, sources, manner, cohort=cohort_mb << 20)

    def found(row: dict) -> dict:
        if row["file_id"] in lost:
            raise Unusable(lost[row["file_id"]])
        return {"n": row["bytes"], "sha": row["md5"]}

    write_table(run_group(rows, found, FETCHED), part, FETCHED)


if __name__ == "__main__":
    run_step(main, globals())
