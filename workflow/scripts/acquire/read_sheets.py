"""Slides and RNA samples from sheets and ready-made tables.

Of the clinical table only the ids are read, so that outcomes and covariates never rerun embedding.
"""

from pathlib import Path

from confuselt.acquire.clinical import id_columns, read_columns
from confuselt.acquire.cohort import exclude_unmatched, read_rna_ids, read_streams
from confuselt.acquire.excluded import check_all_excluded, log_excluded
from confuselt.acquire.limit import first_patients
from confuselt.acquire.schema import RNA, SLIDES
from confuselt.run_step import Output, run_step
from confuselt.tables import empty_table, write_table

READS = ("acquire.id_column", "acquire.tile", "acquire.cells", "acquire.limit")


def main(
    slides: Output,
    rna: Output,
    cfg: dict,
    slide_sheet: Path | None = None,
    tile_table: Path | None = None,
    cells_table: Path | None = None,
    rna_matrix: Path | None = None,
    clinical_table: Path | None = None,
    max_excluded: float = 0.2,
) -> None:
    """Read who has which slides and RNA; exclude what the clinical table does not know."""
    streams = {k: v for k, v in (("slides", slide_sheet), ("tile", tile_table), ("cells", cells_table)) if v}
    slide_rows = read_streams(streams, cfg, cfg.get("rows"))
    rna_rows = read_rna_ids(rna_matrix, cfg) if rna_matrix else empty_table(RNA)
    key = cfg["acquire.id_column"]
    known = set(read_columns(clinical_table, id_columns(cfg), cfg)[key].dropna()) if clinical_table else set()
    if (
        chosen := first_patients(known, [*slide_rows["patient_id"], *rna_rows["patient_id"]], cfg["acquire.limit"])
    ) is not None:
        slide_rows, rna_rows = (f[f["patient_id"].isin(chosen)].reset_index(drop=True) for f in (slide_rows, rna_rows))
    if clinical_table:
        slide_rows = exclude_unmatched(
            slide_rows,
            known,
            clinical_table.name,
            ", ".join(p.name for p in streams.values()) or "the folder of slides",
        )
        rna_rows = exclude_unmatched(rna_rows, known, clinical_table.name, rna_matrix.name if rna_matrix else "")
    tables = [(slide_rows, "slides", "slide_id"), (rna_rows, "RNA samples", "sample_id")]
    for frame, what, column in tables:
        log_excluded(frame, what, column)
    check_all_excluded(tables, max_excluded)
    write_table(slide_rows, slides, SLIDES)
    write_table(rna_rows, rna, RNA)


if __name__ == "__main__":
    run_step(main, globals())
