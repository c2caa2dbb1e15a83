"""Sheets: every fault is named with file, row and id; the datum is left out and the rest goes on."""

import numpy as np
import pandas as pd
import pytest

from confuselt.acquire.cohort import exclude_unmatched, patient_table, read_clinical, read_rna_ids, read_streams
from confuselt.acquire.excluded import check_excluded
from confuselt.acquire.schema import CLINICAL, PATIENTS, RNA, SLIDES
from confuselt.acquire.sheet import read_sheet
from confuselt.tables import check_table, empty_table

CFG = {
    "acquire.tile": "tile.csv",
    "acquire.id_column": "patient_id",
    "acquire.site": "site",
    "acquire.covariates": ["age"],
    "tasks.survival": [{"name": "os", "time": None, "event": None, "unit": "months", "factor": 2.0}],
    "tasks.labels": [{"name": "pam50", "column": None, "classes": ["A", "B"], "aliases": {"a-like": "A"}}],
}


def clinical(tmp_path, rows, **changes):
    path = tmp_path / "clinical.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return read_clinical(path, {**CFG, **changes})


def good(patient="P1", **changes):
    return {"patient_id": patient, "site": "S1", "age": 50, "os_days": 10, "os_event": 1, "pam50": "A", **changes}


def test_unit_and_factor_become_days(tmp_path):
    table = clinical(tmp_path, [good()])
    assert table["os_days"][0] == pytest.approx(10 * 2 * 365.25 / 12)
    check_table(table, CLINICAL)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"os_days": -3}, "clinical.csv row 2: os dropped, os_days -3 is negative"),
        ({"os_days": None}, "row 2: os dropped, os_days is missing but os_event is not"),
        ({"os_days": "long"}, "os_days 'long' is no number"),
        ({"os_event": 2}, "os_event '2' is neither 0 nor 1"),
        ({"pam50": "C"}, r"pam50 'C' is none of \['A', 'B'\]"),
        ({"site": None}, "row 2: no site"),
        ({"os_days": "inf"}, "os_days 'inf' is no number"),
    ],
)
def test_a_bad_value_is_dropped_with_file_row_and_reason(tmp_path, change, said):
    table = clinical(tmp_path, [good(), good("P2", **change)]).set_index("patient_id")
    assert table.loc["P1", "status"] == "ok" and table.loc["P1", "reason"] is None
    assert pd.Series([table.loc["P2", "reason"]]).str.contains(said).all()
    assert table.loc["P2", "status"] == "ok"
    if "os" in said:
        assert np.isnan(table.loc["P2", "os_days"]) and np.isnan(table.loc["P2", "os_event"])


def test_an_alias_is_the_class_and_missing_outcome_is_no_fault(tmp_path):
    table = clinical(tmp_path, [good(pam50="a-like"), good("P2", os_days=None, os_event=None, pam50=None)]).set_index("patient_id")
    assert table.loc["P1", "label_pam50"] == "A" and table.loc["P2", "reason"] is None


def test_duplicate_ids_are_excluded_with_their_rows(tmp_path):
    table = clinical(tmp_path, [good(), good("P2"), good("P1", age=51)]).set_index("patient_id")
    assert table.loc["P1", "status"] == "excluded"
    assert "'P1' stands in rows 1, 3" in table.loc["P1", "reason"]
    assert table.loc["P2", "status"] == "ok"


def test_without_a_site_column_the_patients_stay(tmp_path):
    table = clinical(tmp_path, [{k: v for k, v in good().items() if k != "site"}])
    assert table["site"].isna().all() and table["reason"].isna().all() and (table["status"] == "ok").all()
    check_table(table, CLINICAL)


def test_unmatched_ids_are_excluded_with_the_closest():
    frame = pd.DataFrame({"patient_id": ["TCGA-A1-A0SX", "TCGA-A1-A0SB"], "status": "ok", "reason": None})
    out = exclude_unmatched(frame, {"TCGA-A1-A0SB", "TCGA-A1-A0SD"}, "clinical.csv", "rna.parquet")
    assert out["status"].tolist() == ["excluded", "ok"]
    assert "rna.parquet: id 'TCGA-A1-A0SX' matches nothing in clinical.csv; closest: " in out["reason"][0]
    assert exclude_unmatched(frame, set(), "", "x")["status"].tolist() == ["ok", "ok"]


def test_streams_of_tables_and_sheets(tmp_path):
    pd.DataFrame({"patient_id": ["P1", "P1", "P2"], "slide_id": ["a", "a", "b"], "f": [1.0, 2.0, 3.0]}).to_csv(tmp_path / "tile.csv", index=False)
    pd.DataFrame({"slide_id": ["c", "d", "d"], "patient_id": ["P3", "P4", "P4"], "tile": ["c.h5", "d.h5", "d.h5"]}).to_csv(tmp_path / "slides.csv", index=False)
    table = read_streams({"tile": tmp_path / "tile.csv", "slides": tmp_path / "slides.csv"}, CFG).set_index("slide_id")
    assert table.loc["a", "status"] == "ok" and table.loc["c", "tile"] == "c.h5" and table.loc["a", "tile"] == "tile.csv"
    assert "rows 2, 3" in table.loc["d", "reason"] and table.loc["d", "status"] == "excluded"
    check_table(table.reset_index(), SLIDES)


def test_one_row_per_patient_twice_is_a_duplicate(tmp_path):
    pd.DataFrame({"patient_id": ["P1", "P1"], "f": [1.0, 2.0]}).to_csv(tmp_path / "tile.csv", index=False)
    table = read_streams({"tile": tmp_path / "tile.csv"}, CFG)
    assert table["status"].tolist() == ["excluded"] and "rows 1, 2" in table["reason"][0]


def test_a_slide_of_two_patients_is_excluded(tmp_path):
    pd.DataFrame({"patient_id": ["P1", "P2"], "slide_id": ["a", "a"], "f": [1.0, 2.0]}).to_csv(tmp_path / "tile.csv", index=False)
    assert "slide 'a' belongs to 'P2', elsewhere to 'P1'" in read_streams({"tile": tmp_path / "tile.csv"}, CFG)["reason"][0]


def test_two_rna_rows_of_a_patient_are_excluded(tmp_path):
    pd.DataFrame({"patient_id": ["P1", "P1", "P2"], "G": [1, 2, 3]}).to_csv(tmp_path / "rna.csv", index=False)
    table = read_rna_ids(tmp_path / "rna.csv", CFG)
    check_table(table, RNA)
    assert dict(zip(table["patient_id"], table["status"], strict=True)) == {"P1": "excluded", "P2": "ok"}


def test_patients_know_what_they_have(tmp_path):
    facts = clinical(tmp_path, [good(), good("P2"), good("P3", os_days=-1)])
    slides = pd.DataFrame({"slide_id": ["a", "b"], "patient_id": ["P1", "P3"], "status": "ok", "reason": None})
    rna = pd.DataFrame({"sample_id": ["P1", "P4"], "patient_id": ["P1", "P4"], "status": ["ok", "excluded"], "reason": [None, "empty"]})
    table = patient_table(slides, rna, facts, CFG)
    check_table(table, PATIENTS)
    table = table.set_index("patient_id")
    assert (table.loc["P1", ["slides", "rna"]] == 1).all() and table.loc["P1", "has_os"]
    assert table.loc["P2", "status"] == "excluded" and "no usable slide and no usable RNA" in table.loc["P2", "reason"]
    assert table.loc["P3", "status"] == "ok" and not table.loc["P3", "has_os"]
    assert "empty" in table.loc["P4", "reason"]


def test_too_many_exclusions_end_in_an_error_that_lists_them():
    frame = pd.DataFrame({"slide_id": list("abc"), "status": ["ok", "excluded", "ok"], "reason": [None, "torn", None]})
    check_excluded(frame, 0.34, "slides", "slide_id")
    with pytest.raises(ValueError, match="1 of 3 slides are excluded(.|\n)*b: torn"):
        check_excluded(frame, 0.2, "slides", "slide_id")


def test_sheets_keep_ids_as_text_and_missing_columns_suggest(tmp_path):
    (tmp_path / "t.tsv").write_text("patient_id\tx\n007\t1\n")
    assert read_sheet(tmp_path / "t.tsv")["patient_id"].tolist() == ["007"]
    with pytest.raises(ValueError, match="no column 'patient'; closest: 'patient_id'"):
        read_sheet(tmp_path / "t.tsv", columns=["patient"])


def test_schema_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="column 'extra' is not in the schema"):
        check_table(empty_table(SLIDES).assign(extra=[]), SLIDES)
    with pytest.raises(ValueError, match="are missing"):
        check_table(empty_table(SLIDES).drop(columns="status"), SLIDES)
