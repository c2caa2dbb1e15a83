"""Every file that the cohort lists, with size and content, or why it is not used."""

from pathlib import Path

import pandas as pd

from confuselt.acquire.downloads import FILES, fetched_table, listed_path, source_table
from confuselt.acquire.folder import is_pattern
from confuselt.acquire.schema import DOWNLOADS
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

READS = (
    "data",
    "acquire.id_column",
    "acquire.slides",
    "acquire.tile",
    "acquire.cells",
    "acquire.rna",
    "acquire.clinical",
    "acquire.site_map",
)


def main(downloads: Output, cfg: dict, fetched: list[Path]) -> None:
    """Hash the files for the report; of fetched ones the md5 was checked."""
    names = {k: cfg[f"acquire.{k}"] for k in FILES}
    listed = {k: listed_path(cfg["data"], name) for k, name in names.items() if name and not is_pattern(name)}
    others = pd.DataFrame(cfg.get("rows", []), columns=["what", "file", "reason"]).assign(status="not chosen", bytes=0)
    tables = [source_table(listed, cfg["acquire.id_column"]), *map(fetched_table, fetched), others]
    write_table(pd.concat(tables, ignore_index=True), downloads, DOWNLOADS)


if __name__ == "__main__":
    run_step(main, globals())
