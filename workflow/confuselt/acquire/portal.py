"""A manifest as GDC's portal and gdc-client have it, with its sample sheet, as the records that the API would give.

The manifest (``id filename md5 size state``) says which files make the cohort, the sample sheet (``File ID``, ``Case
ID``, ``Sample ID``, …) whose they are. Without a sheet the names of TCGA's slides tell that; those of counts do not.
Sections of frozen tissue are known by TCGA's names alone; the sheet states samples and no aliquots.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from confuselt.acquire.manifest import CODE, SLIDE_SUFFIXES, left_out_row, rna_rows, slide_rows
from confuselt.sheets.read import closest, columns_of, read_sheet

COLUMNS = ("id", "filename", "md5", "size")
SHEET = ("File ID", "Case ID", "Sample ID")
COUNTS = ".rna_seq.augmented_star_gene_counts.tsv"
FROZEN = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}-\d\d[A-Z]-\d\d-[TBM]S")  # a section of frozen tissue


@dataclass(frozen=True)
class Portal:
    """Files of a portal's manifest.

    Attributes
    ----------
    slides, counts : list of dict
        Records as `manifest.slide_rows` and `manifest.rna_rows` read them.
    others : dict of str to (str, str)
        File id to its name, and why it is neither.
    """

    slides: list[dict]
    counts: list[dict]
    others: dict[str, tuple[str, str]]


def read_portal(manifest: Path, sample_sheet: Path | None, project: str, tables: tuple[str, ...]) -> Portal:
    """Read a manifest and its sample sheet.

    Parameters
    ----------
    manifest : Path
    sample_sheet : Path or None
    project : str
        Files of other projects, by the sheet, are left out.
    tables : tuple of str
        Ids of files that are pinned in another way.

    Raises
    ------
    ValueError
        A file is absent, or no such table.
    """
    files = _table(manifest, COLUMNS, "acquire.gdc.manifest").dropna(subset=["id"])
    owners = _owners(sample_sheet)
    slides, counts, others = [], [], {}
    for row in files[~files["id"].isin(tables)].to_dict("records"):
        name, owner = row["filename"] or "", owners.get(row["id"], {})
        hit = {"file_id": row["id"], "file_name": name, "md5sum": row["md5"], "file_size": row["size"]}
        hit["cases"] = _cases(name, owner)
        if owner.get("project", project) != project:
            others[row["id"]] = (name, f"it belongs to project {owner['project']}, not {project} (acquire.gdc.project)")
        elif sample_sheet is not None and not owner and not hit["cases"]:
            others[row["id"]] = (name, f"{sample_sheet.name} does not say whose file it is")
        elif FROZEN.match(name):
            others[row["id"]] = (name, "it is a section of frozen tissue; wanted are diagnostic slides (DX)")
        elif PurePosixPath(name).suffix.lower() in SLIDE_SUFFIXES:
            slides.append(hit)
        elif name.endswith(COUNTS) and not hit["cases"]:
            reason = "its name does not say whose counts they are: name the portal's sample sheet in "
            others[row["id"]] = (name, f"{reason}acquire.gdc.sample_sheet")
        elif name.endswith(COUNTS):
            counts.append(hit)
        else:
            others[row["id"]] = (name, f"it is neither a slide ({', '.join(sorted(SLIDE_SUFFIXES))}) nor *{COUNTS}")
    return Portal(slides, counts, others)


def portal_rows(
    manifest: Path, sample_sheet: Path | None, project: str, tables: tuple[str, ...], sample_types: list[str]
) -> list[pd.DataFrame]:
    """Rows of our manifest for the files of the portal's: slides, counts, and what is neither, with the reason.

    Parameters are those of `read_portal`, and the sample types that are used. ValueError where nothing can be.
    """
    found = read_portal(manifest, sample_sheet, project, tables)
    if not (found.slides or found.counts):
        raise ValueError(
            f"{manifest} names no slide and no STAR counts that can be used: "
            f"{'; '.join(reason for _, reason in list(found.others.values())[:3]) or 'it has no row'}"
        )
    others = [left_out_row(file_id, name, reason) for file_id, (name, reason) in found.others.items()]
    frames = [slide_rows(found.slides, sample_types), rna_rows(found.counts, sample_types)]
    return [*frames, pd.DataFrame(others, columns=frames[0].columns)]


def portal_hash(manifest: str | None, sample_sheet: str | None) -> str | None:
    """What the files hold, in sixteen hex digits; None where none is named, or one is not there any more.

    ValueError for a sheet without a manifest.
    """
    if sample_sheet and not manifest:
        raise ValueError("acquire.gdc.sample_sheet belongs to a manifest: name that, too (acquire.gdc.manifest)")
    named = [Path(path) for path in (manifest, sample_sheet) if path]
    if not manifest or not all(path.is_file() for path in named):
        return None
    return hashlib.sha256(b"".join(path.read_bytes() for path in named)).hexdigest()[:16]


def _table(path: Path, wanted: tuple[str, ...], key: str) -> pd.DataFrame:
    there = columns_of(path)
    for column in wanted:
        if column not in there:
            raise ValueError(
                f"{path}: no column '{column}'{closest(column, there)}; it holds {', '.join(there[:6])}. "
                f"Wanted is what GDC's portal offers to download ({key})"
            )
    return read_sheet(path, [c for c in there if c])


def _owners(sheet: Path | None) -> dict[str, dict]:
    """File id to its cases, samples, their types and its project, by the sample sheet."""
    if sheet is None:
        return {}
    found = {}
    for row in _table(sheet, SHEET, "acquire.gdc.sample_sheet").dropna(subset=["File ID"]).to_dict("records"):
        owner = found.setdefault(row["File ID"], {"cases": {}})
        for case, sample in zip(_listed(row["Case ID"]), _listed(row["Sample ID"]), strict=False):
            owner["cases"].setdefault(case, {})[sample] = _kind(row)
        if row.get("Project ID"):
            owner["project"] = _listed(row["Project ID"])[0]
    return found


def _kind(row: dict) -> str | None:
    """Type of a sample; newer sheets say tumour and descriptor in columns of their own."""
    if stated := _listed(row.get("Sample Type")):
        return stated[0]
    tissue, tumour = (" ".join(_listed(row.get(name))[:1]) for name in ("Tissue Type", "Tumor Descriptor"))
    if tissue == "Normal":
        return "Solid Tissue Normal"
    return {"Primary": "Primary Tumor", "Metastatic": "Metastatic", "Recurrence": "Recurrent Tumor"}.get(tumour)


def _listed(cell: str | None) -> list[str]:
    """The portal writes several values into one cell: TCGA-A1-A0SB, TCGA-A1-A0SB."""
    return [part.strip() for part in (cell or "").split(",") if part.strip()]


def _cases(name: str, owner: dict) -> list[dict]:
    if owner.get("cases"):
        return [
            {
                "submitter_id": case,
                "samples": [{"submitter_id": sample, "sample_type": kind} for sample, kind in samples.items()],
            }
            for case, samples in owner["cases"].items()
        ]
    return [{"submitter_id": name[:12], "samples": [{}]}] if CODE.match(name) else []
