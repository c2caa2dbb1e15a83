"""Ask GDC which files make the cohort, and pin them: ids, md5, sizes, data release, query."""

import shutil
import sys
import time
from pathlib import Path

import pandas as pd

from confuselt.acquire.gdc import COUNTS, SLIDES, Gdc
from confuselt.acquire.http import Client, read_token
from confuselt.acquire.manifest import left_out_row, rna_rows, slide_rows, unique_ids
from confuselt.acquire.pin import pin_table
from confuselt.acquire.portal import portal_hash, read_portal
from confuselt.acquire.schema import MANIFEST
from confuselt.run_step import Output, run_step
from confuselt.tables import write_table

READS = (
    "acquire.gdc.project",
    "acquire.gdc.sample_types",
    "acquire.gdc.outcomes",
    "acquire.gdc.outcomes_md5",
    "acquire.gdc.subtypes",
)


def main(
    manifest: Output,
    cfg: dict,
    url: str,
    token_file: str = "",
    attempts: int = 8,
    timeout: float = 30.0,
    portal: str = "",
    sample_sheet: str = "",
) -> None:
    """Write the manifest, of what GDC lists or of what a manifest of its portal does.

    Runs start from it and never ask again.
    """
    client = Client(timeout, read_token(token_file or None), url)
    gdc, project, kinds = Gdc(url, client, attempts), cfg["acquire.gdc.project"], cfg["acquire.gdc.sample_types"]
    if portal:
        asked = _of_portal(Path(portal), Path(sample_sheet) if sample_sheet else None, cfg)
    else:
        asked = [slide_rows(gdc.files(project, SLIDES), kinds), rna_rows(gdc.files(project, COUNTS), kinds)]
        if all(frame.empty for frame in asked):
            raise ValueError(
                f"{url} has no open slides and no open counts of project '{project}'{gdc.projects_like(project)} "
                "(acquire.gdc.project)"
            )
    pins = [
        pin_table(what, cfg[f"acquire.gdc.{what}"], cfg.get(f"acquire.gdc.{what}_md5"), url, client, attempts)
        for what in ("outcomes", "subtypes")
    ]
    table = unique_ids(
        pd.concat([pd.DataFrame([p for p in pins if p], columns=asked[0].columns), *asked], ignore_index=True)
    )
    given = portal_hash(portal or None, sample_sheet or None)
    queries = {} if given else {"slides": gdc.query(project, SLIDES), "rna": gdc.query(project, COUNTS)}
    chosen = {key: cfg[f"acquire.gdc.{key}"] for key in ("sample_types", "outcomes", "subtypes")}
    about = {
        "project": project,
        **chosen,
        "manifest": given,
        "url": url,
        "release": "manifest of the portal" if given else gdc.release(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "query": queries,
    }
    write_table(table, manifest, MANIFEST, meta=about)
    print(summary(table, about["release"], shutil.disk_usage(manifest.parent).free), file=sys.stderr)


def _of_portal(path: Path, sheet: Path | None, cfg: dict) -> list[pd.DataFrame]:
    """Rows of the files that the portal's manifest names."""
    tables, kinds = (cfg["acquire.gdc.outcomes"], cfg["acquire.gdc.subtypes"]), cfg["acquire.gdc.sample_types"]
    found = read_portal(path, sheet, cfg["acquire.gdc.project"], tuple(filter(None, tables)))
    if not (found.slides or found.counts):
        raise ValueError(
            f"{path} names no slide and no STAR counts that can be used: "
            f"{'; '.join(reason for _, reason in list(found.others.values())[:3]) or 'it has no row'}"
        )
    others = [left_out_row(file_id, name, reason) for file_id, (name, reason) in found.others.items()]
    frames = [slide_rows(found.slides, kinds), rna_rows(found.counts, kinds)]
    return [*frames, pd.DataFrame(others, columns=frames[0].columns)]


def summary(table: pd.DataFrame, release: str, free: int) -> str:
    """What was pinned, in words for the terminal."""
    used = table[table["status"] == "ok"]
    slides, size = used[used["what"] == "slide"], used.loc[used["what"] == "slide", "bytes"].sum()
    room = "" if size < free else "; set acquire.keep_slides: false, or `results` on a larger disk"
    return (
        f"{release}: {len(slides)} slides of {slides['patient_id'].nunique()} patients "
        f"({size / 1e9:.1f} GB; {free / 1e9:.1f} GB are free here{room}), "
        f"{int((used['what'] == 'rna').sum())} RNA samples; "
        f"{len(table) - len(used)} files left out, each with its reason in the manifest"
    )


if __name__ == "__main__":
    run_step(main, globals())
