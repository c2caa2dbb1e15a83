"""Ask GDC which files make the cohort, and pin them: ids, md5, sizes, data release, query."""

import shutil
import sys
import time
from pathlib import Path

import pandas as pd

from confuselt.acquire.gdc import COUNTS, SLIDES, Gdc
from confuselt.acquire.http import Client, read_token
from confuselt.acquire.manifest import rna_rows, slide_rows, unique_ids
from confuselt.acquire.pin import pin_table, summary
from confuselt.acquire.portal import portal_hash, portal_rows
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
        tables = tuple(filter(None, (cfg["acquire.gdc.outcomes"], cfg["acquire.gdc.subtypes"])))
        asked = portal_rows(Path(portal), Path(sample_sheet) if sample_sheet else None, project, tables, kinds)
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


if __name__ == "__main__":
    run_step(main, globals())
