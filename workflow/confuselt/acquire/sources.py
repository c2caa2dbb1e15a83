"""What the workflow asks of a cohort's files while it is parsed: which exist, and whether they have the columns that the config names."""

from pathlib import Path

from confuselt.acquire.downloads import FILES
from confuselt.acquire.sheet import closest, columns_of, read_sheet
from confuselt.config.root import Config


def listed_files(config: Config) -> dict[str, Path]:
    """Every file that `acquire` lists, relative paths started at `data`."""
    block = config.acquire.model_dump()
    return {key: Path(config.data) / block[key] for key in FILES if block[key] is not None}


def existing_files(config: Config) -> dict[str, Path]:
    """Those of `listed_files` that are there."""
    return {k: p for k, p in listed_files(config).items() if p.is_file()}


def bag_files(config: Config, stream: str) -> list[str]:
    """Bag files of a stream that the slide sheet lists and that exist: inputs of the job that reads them."""
    sheet = existing_files(config).get("slides")
    if sheet is None or stream not in columns_of(sheet):
        return []
    listed = read_sheet(sheet, columns=[stream], ids=(stream,))[stream].dropna()
    return [str(Path(config.data) / name) for name in listed if (Path(config.data) / name).is_file()]


def check_sources(config: Config) -> None:
    """Raise ValueError for faults that are known before any job: no data at all, or a column that the config names and the table lacks."""
    if config.acquire.source != "local":
        return
    listed, present = listed_files(config), existing_files(config)
    if not {"slides", "tile", "cells", "rna"} & set(present):
        names = ", ".join(f"acquire.{k}: {p}" for k, p in listed.items())
        raise ValueError(
            f"cohort '{config.cohort}': none of its feature files exists ({names}); check the root key data ('{config.data}') and the acquire block"
        )
    for key, path in present.items():
        if path.suffix not in {".parquet", ".csv", ".tsv", ".txt"}:
            raise ValueError(f"acquire.{key}: {path} is none of .parquet, .csv, .tsv, .txt")
        columns = columns_of(path)
        for column, where in _wanted(config, key):
            if column not in columns:
                raise ValueError(f"{where}: {path} has no column '{column}'{closest(column, columns)}")


def _wanted(config: Config, key: str) -> list[tuple[str, str]]:
    if key == "site_map":
        return [("code", "acquire.site_map"), ("institution", "acquire.site_map")]
    wanted = [(config.acquire.id_column, "acquire.id_column")]
    if key == "slides":
        wanted.append(("slide_id", "acquire.slides"))
    if key == "clinical" and config.predict.name is None:
        wanted += [(config.acquire.site, "acquire.site")] if config.acquire.site else []
    return wanted
