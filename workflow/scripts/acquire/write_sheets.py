"""Sheets of a GDC cohort, as a group with its own slides would write them: from here on both take the same road."""

from pathlib import Path

import pandas as pd

from confuselt.acquire.schema import FILES
from confuselt.acquire.tcga import clinical_table, read_outcomes, read_subtypes
from confuselt.run_step import Output, run_step
from confuselt.tables import read_table

READS = ("data", "acquire.id_column", "acquire.gdc.labels", "acquire.gdc.sample_types")


def main(files: Path, slides: Output, rna: Output, clinical: Output, cfg: dict) -> None:
    """Write the sheets of slides and of RNA, and the clinical table."""
    key, found = cfg["acquire.id_column"], read_table(files, FILES)
    slide_sheet = pd.DataFrame(cfg["rows"], columns=["slide_id", "patient_id", "file", "mpp"])
    samples = found.loc[found["what"] == "rna", ["sample_id", "patient_id", "file", "reason"]].sort_values("sample_id")
    tables = {row["what"]: row for row in found[found["what"].isin(["outcomes", "subtypes"])].to_dict("records")}
    for what, row in tables.items():
        if row["status"] != "ok":
            raise ValueError(
                f"acquire.gdc.{what}: {row['reason']}; fetch it again (--forcerun fetch_files), "
                "or set the key to null to go on without"
            )
    patients = sorted({*slide_sheet["patient_id"], *samples["patient_id"]})
    outcomes = read_outcomes(Path(cfg["data"], tables["outcomes"]["file"])) if "outcomes" in tables else None
    subtypes = (
        read_subtypes(
            Path(cfg["data"], tables["subtypes"]["file"]), cfg["acquire.gdc.labels"], cfg["acquire.gdc.sample_types"]
        )
        if "subtypes" in tables
        else None
    )
    for frame, path in (
        (slide_sheet, slides),
        (samples, rna),
        (clinical_table(patients, outcomes, subtypes), clinical),
    ):
        frame.rename(columns={"patient_id": key}).to_parquet(path, index=False)


if __name__ == "__main__":
    run_step(main, globals())
