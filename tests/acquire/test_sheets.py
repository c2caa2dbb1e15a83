"""The two halves of reading a cohort.

Slides and RNA know nothing of outcomes, and a cohort without clinical table loses nobody.
"""

import pandas as pd
import pytest
from conftest import script

CFG = {
    "acquire.id_column": "patient_id",
    "acquire.tile": "tile.csv",
    "acquire.cells": None,
    "acquire.site": "site",
    "acquire.limit": None,
    "acquire.covariates": ["age"],
    "tasks.survival": [{"name": "os", "time": None, "event": None, "event_is": None, "unit": "days", "factor": 1.0}],
    "tasks.labels": [{"name": "pam50", "column": None, "classes": ["A", "B"], "aliases": {}}],
}


def run(name, **arguments):
    script(f"acquire/{name}").main(**arguments)


def acquire(folder, clinical=None, max_excluded=0.0, **changes):
    """Slides, RNA and patients of three patients: slides only, RNA only, both."""
    pd.DataFrame({"patient_id": ["P1", "P3"], "f": [1.0, 2.0]}).to_csv(folder / "tile.csv", index=False)
    pd.DataFrame({"patient_id": ["P2", "P3"], "G": [1, 2]}).to_csv(folder / "rna.csv", index=False)
    if clinical is not None:
        clinical.to_csv(folder / "clinical.csv", index=False)
    table = folder / "clinical.csv" if clinical is not None else None
    out = {k: folder / f"{k}.parquet" for k in ("slides", "rna", "outcomes", "patients")}
    cfg = {**CFG, **changes}
    run(
        "read_sheets",
        slides=out["slides"],
        rna=out["rna"],
        cfg=cfg,
        tile_table=folder / "tile.csv",
        rna_matrix=folder / "rna.csv",
        clinical_table=table,
        max_excluded=max_excluded,
    )
    run("read_outcomes", **out, cfg=cfg, calls=[], clinical_table=table, max_excluded=max_excluded)
    return {k: pd.read_parquet(p) for k, p in out.items()}


def test_without_clinical_table_slides_and_rna_of_different_patients_all_stay(tmp_path):
    tables = acquire(tmp_path)
    assert all((tables[k]["status"] == "ok").all() for k in ("slides", "rna", "patients"))
    assert tables["patients"]["patient_id"].tolist() == ["P1", "P2", "P3"]
    assert tables["patients"]["slides"].tolist() == [1, 0, 1] and tables["patients"]["rna"].tolist() == [0, 1, 1]


def test_what_the_clinical_table_does_not_know_is_excluded(tmp_path):
    clinical = pd.DataFrame({"patient_id": ["P1", "P3"], "site": "S", "os_days": 5, "os_event": 1, "pam50": "A"})
    tables = acquire(tmp_path, clinical, max_excluded=0.5)
    assert (tables["slides"]["status"] == "ok").all()
    rna = tables["rna"].set_index("patient_id")
    assert (
        rna.loc["P3", "status"] == "ok"
        and "rna.csv row 1: id 'P2' matches nothing in clinical.csv; ids there look like 'P1', 'P3'"
        in rna.loc["P2", "reason"]
    )
    with pytest.raises(ValueError, match="1 of 2 RNA samples are excluded"):
        acquire(tmp_path, clinical)


def test_outcomes_do_not_reach_slides_and_rna(tmp_path):
    clinical = pd.DataFrame({"patient_id": ["P1", "P2", "P3"], "site": "S", "os_days": [5, 6, 7], "os_event": 1})
    before = acquire(tmp_path, clinical)
    after = acquire(tmp_path, clinical.assign(os_days=-1, age=40), max_excluded=1.0)
    for name in ("slides", "rna"):
        pd.testing.assert_frame_equal(before[name], after[name])
    assert after["outcomes"]["os_days"].isna().all()


def test_a_limit_takes_the_first_patients_and_calls_nobody_excluded(tmp_path):
    clinical = pd.DataFrame({"patient_id": ["P1", "P2", "P3"], "site": "S", "os_days": 5, "os_event": 1, "pam50": "A"})
    tables = acquire(tmp_path, clinical, **{"acquire.limit": 2})
    assert tables["patients"]["patient_id"].tolist() == ["P1", "P2"] == tables["outcomes"]["patient_id"].tolist()
    assert tables["slides"]["patient_id"].tolist() == ["P1"] and tables["rna"]["patient_id"].tolist() == ["P2"]
    assert all((t["status"] == "ok").all() for t in tables.values())
