"""Whether a patient is one of the cohort."""

import difflib
from pathlib import Path

import pyarrow.parquet as pq


def check_known(patients: Path, patient: str) -> None:
    """ValueError that names ids alike where ``acquire/patients`` has no such patient."""
    ids = pq.read_table(patients, columns=["patient_id"]).column("patient_id").to_pylist()
    if patient not in ids:
        near = difflib.get_close_matches(patient, ids, 3)
        raise ValueError(
            f"patient.id '{patient}' is no patient of this cohort" + (f"; is it {', '.join(near)}?" if near else "")
        )
