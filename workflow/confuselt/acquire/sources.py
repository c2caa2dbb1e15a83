"""What the workflow asks of a cohort's files while it is parsed.

Which exist, and whether they have the columns that the config names.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from confuselt.acquire.clinical import balance_columns, covariate_columns, id_columns, outcome_columns, read_columns
from confuselt.acquire.downloads import FILES, listed_path
from confuselt.acquire.folder import find_slides, ignored_slides, is_pattern
from confuselt.acquire.headers import check_matrices, header_notes
from confuselt.acquire.limit import first_patients
from confuselt.acquire.outcomes import Endpoint, event_column, read_covariate, read_endpoint, time_columns
from confuselt.acquire.pinned import cohort_rows
from confuselt.acquire.plausible import contradictions, follow_up, odd_endpoint
from confuselt.acquire.slide_name import slide_fault
from confuselt.config.acquire import Acquire
from confuselt.config.root import Config
from confuselt.rna.centroids import check_centroids
from confuselt.rna.gene_sets import read_gene_sets
from confuselt.sheets.genes import genes_in_rows
from confuselt.sheets.read import SUFFIXES, closest, columns_of, ending_of, read_sheet
from confuselt.simulate.cohort import slide_sheet
from confuselt.slides.resolution import LEAST_MPP, MOST_MPP
from confuselt.stamp import config_hash


def listed_files(config: Config) -> dict[str, Path]:
    """Every file that `acquire` lists, relative paths started at `data`."""
    block = config.acquire.model_dump()
    listed = {
        key: block[key] for key in FILES if block[key] is not None and not (key == "slides" and is_pattern(block[key]))
    }
    return {key: listed_path(config.data, name) for key, name in listed.items()}


def has_own_clinical(config: Config) -> bool:
    """Whether the clinical table is the user's own, and not written by a rule."""
    block = config.acquire
    return block.source == "local" or (block.source == "gdc" and block.gdc.outcomes is None)


# What a rule may read of the user's clinical table, and of the map of its sites.
PARTS = {"ids": id_columns, "outcomes": outcome_columns, "covariates": covariate_columns, "balance": balance_columns}


def clinical_content(config: Config, parts: tuple[str, ...], cfg: dict) -> str:
    """Hash of what a rule reads of the user's own clinical table and site map ('': none, or those of another rule).

    Parameters
    ----------
    config : Config
        As seen by the cohort.
    parts : tuple of str
        Of `PARTS`, and ``site_map``.
    cfg : dict
        The rule's own keys, and ``task`` where it makes one label's.
    """
    if not has_own_clinical(config):
        return ""
    present, read = existing_files(config), {}
    if "site_map" in parts and "site_map" in present:
        read["site_map"] = read_sheet(present["site_map"], ["code", "institution"], codes=("code",)).to_dict("list")
    for part in (p for p in parts if p in PARTS and "clinical" in present):
        if columns := PARTS[part](cfg):
            read[part] = read_columns(present["clinical"], columns, cfg).to_dict("list")
    return config_hash(read) if read else ""


def folder_rows(config: Config) -> list[dict]:
    """Slides that the pattern of ``acquire.slides`` finds; none where it names a sheet."""
    local = config.acquire.source == "local" and is_pattern(config.acquire.slides)
    return find_slides(Path(config.data), config.acquire.slides) if local else []


def existing_files(config: Config) -> dict[str, Path]:
    """Those of `listed_files` that are there."""
    return {k: p for k, p in listed_files(config).items() if p.is_file()}


def absent_files(config: Config) -> list[str]:
    """A line for every listed file that is not there, with close names.

    The run goes on without it, and the user should know.
    """
    if config.acquire.source != "local":
        return []
    present = existing_files(config)
    return [
        f"{_absent(key, path)}; the run goes on without it"
        for key, path in listed_files(config).items()
        if key not in present
    ]


def _absent(key: str, path: Path) -> str:
    """That a listed file is not there, with close names of what lies beside."""
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"acquire.{key}: {path} is absent{closest(path.name, beside)}"


def named_files(config: Config, key: str, column: str) -> pd.Series:
    """Path of every file that a sheet (``acquire.<key>``) lists in a column, by row; blank cells are passed over."""
    sheet = existing_files(config).get(key)
    if sheet is None or column not in columns_of(sheet):
        return pd.Series(dtype=object)
    return read_sheet(sheet, columns=[column])[column].dropna().map(lambda name: Path(config.data, name))


def bag_files(config: Config, stream: str) -> list[str]:
    """Bag files of a stream that the slide sheet lists and that exist: inputs of the job that reads them."""
    return [str(path) for path in named_files(config, "slides", stream) if path.is_file()]


def count_files(config: Config) -> list[str]:
    """Count files that the RNA sheet lists (column ``file``) and that exist."""
    return [str(path) for path in named_files(config, "rna", "file") if path.is_file()]


def slide_rows(config: Config, cohort: str) -> list[dict]:
    """``slide_id, patient_id, file, mpp`` of every slide of the sheet, by slide; of GDC's with ``md5``.

    An `mpp` that is not stated is None. Known while the workflow is parsed: from the user's sheet, from the manifest,
    or, for a simulated cohort, from the config. Rows without an id, with one that stands twice or is no name for a
    file, or without a patient are left to `read_sheets`, which says so.
    """
    if config.acquire.source == "gdc":
        given = config.acquire.gdc.mpp
        slides = cohort_rows(config, cohort, "slide")
        if lost := sorted(set(given) - {row["slide_id"] for row in slides}):
            raise ValueError(
                f"acquire.gdc.mpp: no slide '{lost[0]}' "
                f"in the manifest{closest(lost[0], [row['slide_id'] for row in slides])}"
            )
        rows = [
            {**{k: row[k] for k in ("slide_id", "patient_id", "file", "md5")}, "mpp": given.get(row["slide_id"])}
            for row in slides
        ]
        return sorted(rows, key=lambda row: row["slide_id"])
    if config.acquire.source == "simulate":
        sheet = slide_sheet({f"simulate.{k}": v for k, v in config.simulate.model_dump().items()})
    elif found := folder_rows(config):
        sheet = pd.DataFrame(found)
        sheet = sheet[~sheet.duplicated("slide_id", keep=False)]
    else:
        path, key = existing_files(config).get("slides"), config.acquire.id_column
        if path is None:
            return []
        present = columns_of(path)
        sheet = read_sheet(path, [c for c in dict.fromkeys(("slide_id", key, "file", "mpp")) if c in present]).rename(
            columns={key: "patient_id"}
        )
        sheet = sheet[sheet["slide_id"].notna() & ~sheet.duplicated("slide_id", keep=False)]
    sheet = sheet[sheet["patient_id"].notna()].assign(**{} if "file" in sheet else {"file": None})
    sheet = sheet[
        [not isinstance(row["file"], str) or slide_fault(row["slide_id"]) is None for row in sheet.to_dict("records")]
    ]
    chosen = first_patients(_clinical_ids(config), sheet["patient_id"], config.acquire.limit)
    sheet = sheet if chosen is None else sheet[sheet["patient_id"].isin(chosen)]
    mpp = pd.to_numeric(sheet["mpp"], errors="coerce") if "mpp" in sheet else pd.Series(np.nan, sheet.index)
    mpp = mpp.where(
        mpp.between(LEAST_MPP, MOST_MPP)
    )  # `read_sheets` says what is wrong with the others, and leaves the slide out
    sheet = sheet.assign(mpp=mpp).reindex(columns=["slide_id", "patient_id", "file", "mpp"]).sort_values("slide_id")
    return [{k: None if pd.isna(v) else v for k, v in row.items()} for row in sheet.to_dict("records")]


def _clinical_ids(config: Config) -> list[str]:
    path, key = existing_files(config).get("clinical"), config.acquire.id_column
    return [] if path is None or config.acquire.limit is None else list(read_sheet(path, columns=[key])[key].dropna())


def check_sources(config: Config, cohort: str) -> None:
    """Raise ValueError for faults that are known before any job; only headers are read.

    Parameters
    ----------
    config : Config
        The whole config.
    cohort : str
        The training cohort or ``predict.name``. What only training needs (outcomes, site) a cohort to predict on may
        lack.
    """
    seen = config.for_cohort(cohort)
    if cohort == config.cohort:
        _check_calls(config)
        _check_pathways(config)
    if seen.acquire.source == "simulate":
        return
    listed, present = listed_files(seen), existing_files(seen)
    if seen.acquire.source == "gdc":
        if seen.acquire.gdc.outcomes is None and cohort == config.cohort:
            _check_outcomes(seen, listed, present)
        return
    if not folder_rows(seen) and not {"slides", "tile", "cells", "rna"} & set(present):
        names = ", ".join(f"acquire.{k}: {p}" for k, p in listed.items())
        where = "the root key data" if cohort == config.cohort else "predict.data"
        raise ValueError(
            f"cohort '{cohort}': none of its feature files exists ({names}); "
            f"check {where} ('{seen.data}') and the acquire block"
        )
    _check_there(config, seen, cohort)
    _check_read(seen, present)
    for key, path in present.items():
        if ending_of(path) is None:
            raise ValueError(f"acquire.{key}: {path} is none of {', '.join(SUFFIXES)}")
        columns = columns_of(path)
        if key == "rna" and genes_in_rows(path, seen.acquire.id_column):
            continue
        for column, where in _wanted(seen, key):
            if column not in columns:
                raise ValueError(f"{where}: {path} has no column '{column}'{closest(column, columns)}")
    _check_listed(seen, present)
    check_matrices(present, seen.acquire.id_column, seen.rna.matrix == "counts")
    if cohort == config.cohort:
        _check_outcomes(seen, listed, present)


def _check_listed(config: Config, present: dict[str, Path]) -> None:
    """Raise ValueError where more than ``max_excluded`` of the files that a sheet lists are not there."""
    for key, column in (*(("slides", c) for c in ("file", "tile", "cells")), ("rna", "file")):
        listed = named_files(config, key, column)
        if listed.empty:
            continue
        ids = read_sheet(present[key], [config.acquire.id_column])[config.acquire.id_column].loc[listed.index]
        chosen = first_patients(_clinical_ids(config), ids, config.acquire.limit)
        listed = listed[ids.notna() if chosen is None else ids.isin(chosen)]
        lost = [path for path in listed if not path.is_file()]
        if len(lost) > config.max_excluded * len(listed):
            raise ValueError(
                f"acquire.{key}: {len(lost)} of {len(listed)} files in column '{column}' of {present[key]} are "
                f"absent, more than max_excluded ({config.max_excluded:.0%}), first {lost[0]}; relative paths "
                f"start at the root key data ('{config.data}')"
            )


def _check_calls(config: Config) -> None:
    """Raise ValueError for a table of centroids that is absent, or by which its label cannot be called."""
    for name, calls in config.rna.calls.items():
        label = next(t for t in config.tasks.labels if t.name == name).model_dump()
        try:
            check_centroids(Path(calls.centroids), label, balanced=calls.balanced_by is not None)
        except ValueError as fault:
            raise ValueError(f"rna.calls '{name}': {fault}") from None


def _check_pathways(config: Config) -> None:
    """Raise ValueError for a file of gene sets that is absent or cannot be read."""
    if config.evaluate.pathways is None:
        return
    try:
        read_gene_sets(config.evaluate.pathways)
    except ValueError as fault:
        raise ValueError(f"evaluate.pathways: {fault}") from None


def _endpoints(config: Config) -> dict[str, Endpoint]:
    """Endpoints of the user's clinical table.

    ValueError where it is not clear what the values of an event column mean.
    """
    path = existing_files(config).get("clinical")
    if path is None:
        return {}
    present, tasks = columns_of(path), [task.model_dump() for task in config.tasks.survival]
    used = dict.fromkeys(
        column for task in tasks for column in (*time_columns(task), event_column(task)) if column in present
    )
    raw = read_sheet(path, list(used), nones=tuple(event_column(task) for task in tasks))
    found = {task["name"]: read_endpoint(raw, task, path.name) for task in tasks}
    return {name: endpoint for name, endpoint in found.items() if endpoint}


def table_notes(config: Config) -> list[str]:
    """A line for everything that is read in a way that the user should know of.

    Such are codings, columns left out, and endpoints that look upside down.
    """
    if config.acquire.source == "simulate" or (config.acquire.source == "gdc" and config.acquire.gdc.outcomes):
        return []
    own = existing_files(config) if config.acquire.source == "local" else {}
    notes = [
        f"acquire.{key}: {note}"
        for key, path in own.items()
        for note in header_notes(key, path, config.acquire.id_column)
    ]
    if is_pattern(config.acquire.slides) and (note := ignored_slides(Path(config.data), config.acquire.slides)):
        notes.append(note)
    endpoints, horizons = _endpoints(config), {task.name: task.horizons for task in config.tasks.survival}
    for name, endpoint in endpoints.items():
        halves = (
            f"{len(endpoint.halves)} of {endpoint.given} patients have a time or an event alone "
            "(the other is blank, or a word for nothing) and are left out"
        )
        notes.append(
            f"tasks.survival '{name}': {endpoint.coding}; {follow_up(endpoint.days, endpoint.event)}"
            + (f"; {halves}" if len(endpoint.halves) > config.max_excluded * endpoint.given else "")
        )
        notes += odd_endpoint(name, endpoint.days, endpoint.event, horizons[name])
    return notes + contradictions({name: (e.days, e.event) for name, e in endpoints.items()})


def _check_there(config: Config, seen: Config, cohort: str) -> None:
    """Files that the user named are there.

    One with a default name a cohort may lack, and a cohort to predict on also what the training cohort calls its own.
    """
    own = config.acquire.model_dump() if cohort == config.cohort else config.predict.acquire
    present, default = existing_files(seen), Acquire()
    for key, path in listed_files(seen).items():
        if key not in present and key != "clinical" and own.get(key, getattr(default, key)) != getattr(default, key):
            raise ValueError(f"{_absent(key, path)}; correct the name, or set acquire.{key}: null to go on without it")


def _check_read(config: Config, present: dict[str, Path]) -> None:
    """Features that came with the cohort are read.

    Otherwise nobody would notice that slides were looked for in their place.
    """
    if config.from_slides and "tile" in present:
        raise ValueError(
            f"acquire.tile: {present['tile']} would not be read, embed.encoder {config.embed.encoder} embeds slides: "
            "set embed.encoder to the name of what made these features, and cells.method: ready; or acquire.tile: null"
        )
    if not config.from_slides and "tile" not in present and "slides" in present:
        columns = columns_of(present["slides"])
        if "file" in columns and not {"tile", "cells"} & set(columns):
            raise ValueError(
                f"acquire.slides: {present['slides']} lists slides (column file), and nothing would read them: "
                f"{config.readers}; features that you have are a column tile there, or acquire.tile"
            )
    if config.cells.method != "ready" and "cells" in present:
        raise ValueError(
            f"acquire.cells: {present['cells']} would not be read, cells.method {config.cells.method} finds nuclei "
            "in slides: set cells.method: ready; or acquire.cells: null"
        )


def has_cells(config: Config) -> bool:
    """Whether a cohort has, or will be given, a cells stream."""
    if config.cells.method != "ready":
        return True
    if config.acquire.source == "simulate":
        return config.acquire.cells is not None
    present = existing_files(config)
    return "cells" in present or ("slides" in present and "cells" in columns_of(present["slides"]))


def cells_warning(config: Config) -> str | None:
    """A line where planned contrasts ask for cells and the cohort has none.

    If that were known too late, another plan would be exploratory.
    """
    asked = [
        q
        for q, c in config.evaluate.plan.contrasts.items()
        if any(not a.endswith("-nocells") and not a.startswith("rna") for a in (c.arm, *c.against))
    ]
    if has_cells(config) or not set(asked) - {"cells"}:
        return None
    return (
        f"no cells stream: the planned contrasts {', '.join(asked)} compare arms with cells and will not be available. "
        "Before the first run set evaluate.plan.contrasts: "
        "{modality: {arm: both-scratch-nocells, against: [wsi-scratch-nocells, rna-scratch]}, "
        "pretraining: {arm: wsi-pretrained-nocells, against: [wsi-scratch-nocells]}}, "
        "and in finetune.arms and evaluate.baselines name arms that end in -nocells. "
        "Controls and the other baselines are made of such arms by themselves"
    )


def _wanted(config: Config, key: str) -> list[tuple[str, str]]:
    """(column, config key) that a file must have in every cohort."""
    if key == "site_map":
        return [("code", "acquire.site_map"), ("institution", "acquire.site_map")]
    wanted = [(config.acquire.id_column, "acquire.id_column")]
    if key == "slides":
        wanted.append(("slide_id", "acquire.slides"))
        if config.from_slides:
            wanted.append(("file", f"embed.encoder {config.embed.encoder} reads slides; acquire.slides"))
    return wanted


def _check_outcomes(config: Config, listed: dict[str, Path], present: dict[str, Path]) -> None:
    """The clinical table of the training cohort: there, and with every column that the config names."""
    if "clinical" not in listed:
        raise ValueError(
            f"acquire.clinical is null: the training cohort '{config.cohort}' needs a clinical table; "
            "only a cohort to predict on may lack it"
        )
    path = listed["clinical"]
    if "clinical" not in present:
        raise ValueError(
            f"{_absent('clinical', path)}: the training cohort '{config.cohort}' needs it; "
            f"check acquire.clinical and data ('{config.data}')"
        )
    columns = columns_of(path)
    lost = [(column, where) for column, where in named_columns(config) if column not in columns]
    if lost:
        lines = "\n".join(f"  - {where}: no column '{column}'{closest(column, columns)}" for column, where in lost)
        single = (
            "; without sites: acquire.site: null and split.group: patient"
            if any(where == "acquire.site" for _, where in lost)
            else ""
        )
        raise ValueError(
            f"{path} lacks columns that the config names; correct the name or take the key out{single}:\n{lines}"
        )
    _endpoints(config)
    covariates = read_sheet(path, [c for c in config.acquire.covariates if c in columns])
    for name in covariates:
        read_covariate(covariates[name], name, path.name)


def named_columns(config: Config) -> list[tuple[str, str]]:
    """(column, config key) of the clinical table that the config names.

    Defaults are not named by the user: a cohort may lack them (the task is then not available). But where
    a task names its time or its event, it needs both.
    """
    named = [(config.acquire.site, "acquire.site")] if config.acquire.site else []
    for task in config.tasks.survival:
        if task.time or task.event:
            where = f"tasks.survival '{task.name}'"
            named += [(column, f"{where} time") for column in task.time_columns]
            named.append((task.event_column, f"{where} event"))
    named += [(task.label_column, f"tasks.labels '{task.name}' column") for task in config.tasks.labels if task.column]
    named += [
        (c.balanced_by, f"rna.calls '{task}' balanced_by") for task, c in config.rna.calls.items() if c.balanced_by
    ]
    # config.yaml writes the default list out, so that an explicit list is told by its value.
    if config.acquire.covariates != Acquire().covariates:
        named += [(column, "acquire.covariates") for column in config.acquire.covariates]
    return named
