"""Sheets: every fault is named with file, row and id; the datum is left out and the rest goes on."""

import numpy as np
import pandas as pd
import pytest

from confuselt.acquire.clinical import merge_sites, read_covariates, read_outcomes
from confuselt.acquire.cohort import exclude_unmatched, patient_table, read_rna_ids, read_streams
from confuselt.acquire.excluded import check_all_excluded, check_excluded
from confuselt.acquire.schema import COVARIATES, OUTCOMES, PATIENTS, RNA, SLIDES
from confuselt.sheets.read import read_sheet
from confuselt.tables import check_table, empty_table

CFG = {
    "acquire.tile": "tile.csv",
    "acquire.id_column": "patient_id",
    "acquire.site": "site",
    "acquire.covariates": ["age"],
    "tasks.survival": [{"name": "os", "time": None, "event": None, "event_is": None, "unit": "months", "factor": 2.0}],
    "tasks.labels": [{"name": "pam50", "column": None, "classes": ["A", "B"], "aliases": {"a-like": "A"}}],
}


def clinical(tmp_path, rows, **changes):
    path = tmp_path / "clinical.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return read_outcomes(path, {**CFG, **changes}).rows


def good(patient="P1", **changes):
    return {"patient_id": patient, "site": "S1", "age": 50, "os_days": 10, "os_event": 1, "pam50": "A", **changes}


def test_unit_and_factor_become_days(tmp_path):
    table = clinical(tmp_path, [good()])
    assert table["os_days"][0] == pytest.approx(10 * 2 * 365.25 / 12)
    check_table(table, OUTCOMES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"os_days": -3}, "clinical.csv row 2: os dropped, os_days -3 is negative"),
        ({"os_days": None}, "row 2: os dropped, os_days is missing but os_event is not"),
        ({"os_days": "long"}, "os_days 'long' is no number"),
        ({"os_event": None}, "os_event is missing but os_days is not"),
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
    table = clinical(tmp_path, [good(pam50="a-like"), good("P2", os_days=None, os_event=None, pam50=None)]).set_index(
        "patient_id"
    )
    assert table.loc["P1", "label_pam50"] == "A" and table.loc["P2", "reason"] is None


def test_duplicate_ids_are_excluded_with_their_rows(tmp_path):
    table = clinical(tmp_path, [good(), good("P2"), good("P1", os_days=51)]).set_index("patient_id")
    assert table.loc["P1", "status"] == "excluded"
    assert "'P1' stands in rows 1, 3" in table.loc["P1", "reason"]
    assert table.loc["P2", "status"] == "ok"


def test_rows_of_a_patient_that_agree_in_what_is_read_are_one(tmp_path):
    rows = [good(), good("P2", pam50=None), good("P1", note="a second sample"), good("P1"), good("P2", pam50=None)]
    table = clinical(tmp_path, rows).set_index("patient_id")
    assert table["status"].to_dict() == {"P1": "ok", "P2": "ok"} and table["reason"].isna().all()


def test_without_a_site_column_the_patients_stay(tmp_path):
    table = clinical(tmp_path, [{k: v for k, v in good().items() if k != "site"}])
    assert table["site"].isna().all() and table["reason"].isna().all() and (table["status"] == "ok").all()
    check_table(table, OUTCOMES)


def test_unmatched_ids_are_excluded_with_the_closest():
    frame = pd.DataFrame({"patient_id": ["TCGA-A1-A0SX", "TCGA-A1-A0SB"], "status": "ok", "reason": None})
    out = exclude_unmatched(frame, {"TCGA-A1-A0SB", "TCGA-A1-A0SD"}, "clinical.csv", "rna.parquet")
    assert out["status"].tolist() == ["excluded", "ok"]
    assert "rna.parquet: id 'TCGA-A1-A0SX' matches nothing in clinical.csv; closest: " in out["reason"][0]
    assert exclude_unmatched(frame, set(), "", "x")["status"].tolist() == ["ok", "ok"]
    frame = frame.assign(patient_id=["PT-008", "PT-060"])
    out = exclude_unmatched(frame, {"pt-008", "PT-060", "PT-058"}, "clinical.csv", "tile.csv")
    assert out["reason"][0].endswith("closest: 'pt-008'"), "what differs by case alone is nearest"


def test_streams_of_tables_and_sheets(tmp_path):
    pd.DataFrame({"patient_id": ["P1", "P1", "P2"], "slide_id": ["a", "a", "b"], "f": [1.0, 2.0, 3.0]}).to_csv(
        tmp_path / "tile.csv", index=False
    )
    pd.DataFrame(
        {"slide_id": ["c", "d", "d"], "patient_id": ["P3", "P4", "P4"], "tile": ["c.h5", "d.h5", "d.h5"]}
    ).to_csv(tmp_path / "slides.csv", index=False)
    table = read_streams({"tile": tmp_path / "tile.csv", "slides": tmp_path / "slides.csv"}, CFG).set_index("slide_id")
    assert (
        table.loc["a", "status"] == "ok" and table.loc["c", "tile"] == "c.h5" and table.loc["a", "tile"] == "tile.csv"
    )
    assert "rows 2, 3" in table.loc["d", "reason"] and table.loc["d", "status"] == "excluded"
    check_table(table.reset_index(), SLIDES)


def test_one_row_per_patient_twice_is_a_duplicate(tmp_path):
    pd.DataFrame({"patient_id": ["P1", "P1"], "f": [1.0, 2.0]}).to_csv(tmp_path / "tile.csv", index=False)
    table = read_streams({"tile": tmp_path / "tile.csv"}, CFG)
    assert table["status"].tolist() == ["excluded"] and "rows 1, 2" in table["reason"][0]


def test_a_slide_of_two_patients_is_excluded(tmp_path):
    pd.DataFrame({"patient_id": ["P1", "P2"], "slide_id": ["a", "a"], "f": [1.0, 2.0]}).to_csv(
        tmp_path / "tile.csv", index=False
    )
    assert (
        "slide 'a' belongs to 'P2', elsewhere to 'P1'"
        in read_streams({"tile": tmp_path / "tile.csv"}, CFG)["reason"][0]
    )


def test_two_rna_rows_of_a_patient_are_excluded(tmp_path):
    pd.DataFrame({"patient_id": ["P1", "P1", "P2"], "G": [1, 2, 3]}).to_csv(tmp_path / "rna.csv", index=False)
    table = read_rna_ids(tmp_path / "rna.csv", CFG)
    check_table(table, RNA)
    assert dict(zip(table["patient_id"], table["status"], strict=True)) == {"P1": "excluded", "P2": "ok"}


def test_patients_know_what_they_have(tmp_path):
    facts = clinical(tmp_path, [good(), good("P2"), good("P3", os_days=-1)])
    slides = pd.DataFrame({"slide_id": ["a", "b"], "patient_id": ["P1", "P3"], "status": "ok", "reason": None})
    rna = pd.DataFrame(
        {"sample_id": ["P1", "P4"], "patient_id": ["P1", "P4"], "status": ["ok", "excluded"], "reason": [None, "empty"]}
    )
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


def test_every_table_with_too_many_exclusions_is_listed_at_once():
    slides = pd.DataFrame({"slide_id": list("ab"), "status": ["ok", "excluded"], "reason": [None, "torn"]})
    rna = pd.DataFrame({"sample_id": list("cd"), "status": ["excluded", "ok"], "reason": ["empty", None]})
    fine = pd.DataFrame({"patient_id": ["P"], "status": ["ok"], "reason": [None]})
    tables = [(slides, "slides", "slide_id"), (rna, "RNA samples", "sample_id"), (fine, "patients", "patient_id")]
    check_all_excluded(tables, 0.5)
    with pytest.raises(
        ValueError, match="1 of 2 slides(.|\n)*b: torn(.|\n)*1 of 2 RNA samples(.|\n)*c: empty"
    ) as error:
        check_all_excluded(tables, 0.4)
    assert "patients" not in str(error.value)


def test_a_clinical_row_without_id_is_an_excluded_row(tmp_path):
    table = clinical(tmp_path, [good(), good(None), good(" ")])
    check_table(table, OUTCOMES)
    table = table.set_index("patient_id")
    assert table["status"].to_dict() == {"P1": "ok", "clinical.csv row 2": "excluded", "clinical.csv row 3": "excluded"}
    assert (
        table.loc["clinical.csv row 2", "reason"]
        == "clinical.csv row 2: patient_id is empty; write the id, or take the row out"
    )
    slides = pd.DataFrame({"slide_id": ["a"], "patient_id": ["P1"], "status": "ok", "reason": None})
    people = patient_table(slides, empty_table(RNA), table.reset_index(), CFG).set_index("patient_id")
    assert (
        people.loc["clinical.csv row 2", "status"] == "excluded"
        and "patient_id is empty" in people.loc["clinical.csv row 2", "reason"]
    )


def test_a_slide_row_without_id_is_an_excluded_row(tmp_path):
    pd.DataFrame({"slide_id": ["a", None, None, "d"], "patient_id": ["P1", "P2", None, None], "tile": "x.h5"}).to_csv(
        tmp_path / "slides.csv", index=False
    )
    table = read_streams({"slides": tmp_path / "slides.csv"}, CFG)
    check_table(table, SLIDES)
    table = table.set_index("slide_id")
    assert table["status"].to_dict() == {
        "a": "ok",
        "d": "excluded",
        "slides.csv row 2": "excluded",
        "slides.csv row 3": "excluded",
    }
    assert (
        table.loc["slides.csv row 2", "reason"].startswith("slides.csv row 2: slide_id is empty")
        and table.loc["slides.csv row 2", "patient_id"] == "P2"
    )
    assert table.loc["d", "reason"] == "slides.csv row 4: slide 'd' has no patient_id"


def test_feature_rows_without_id_are_excluded_rows(tmp_path):
    pd.DataFrame({"patient_id": ["P1", None, None], "f": [1.0, 2.0, 3.0]}).to_csv(tmp_path / "tile.csv", index=False)
    table = read_streams({"tile": tmp_path / "tile.csv"}, CFG).set_index("slide_id")
    assert table["status"].to_dict() == {"P1": "ok", "tile.csv row 2": "excluded", "tile.csv row 3": "excluded"}
    many = {"patient_id": ["P1", "P2", "P2", "P2", None], "slide_id": ["a", "b", None, None, None], "f": 1.0}
    pd.DataFrame(many).to_csv(tmp_path / "tile.csv", index=False)
    table = read_streams({"tile": tmp_path / "tile.csv"}, CFG)
    check_table(table, SLIDES)
    table = table.set_index("slide_id")
    assert table["status"].to_dict() == {
        "a": "ok",
        "b": "ok",
        "tile.csv row 3": "excluded",
        "tile.csv row 5": "excluded",
    }
    assert (
        table.loc["tile.csv row 3", "reason"].startswith("tile.csv row 3 and 1 more rows: slide_id is empty")
        and table.loc["tile.csv row 3", "patient_id"] == "P2"
    )


def test_rna_rows_without_id_or_with_the_sample_id_of_another_are_excluded_rows(tmp_path):
    rows = {
        "patient_id": ["P1", None, "P3", "P4", "P5", "P6", "P6", None],
        "sample_id": ["s1", "s2", None, "s4", "s4", "s6", "s6", "s2"],
        "G": 1,
    }
    pd.DataFrame(rows).to_csv(tmp_path / "rna.csv", index=False)
    table = read_rna_ids(tmp_path / "rna.csv", CFG)
    check_table(table, RNA)
    table = table.set_index("sample_id")
    assert table.index[table["status"] == "ok"].tolist() == ["rna.csv row 3", "s1"]
    for row in ("rna.csv row 2", "rna.csv row 8"):
        assert table.loc[row, "reason"].startswith(f"{row}: patient_id is empty")
    assert (
        "sample_id 's4' stands for several patients, 'P4' (row 4), 'P5' (row 5)"
        in table.set_index("patient_id").loc["P5", "reason"]
    )
    assert "id 'P6' stands in rows 6, 7" in table.loc["s6", "reason"]


def test_sheets_keep_ids_as_text_and_missing_columns_suggest(tmp_path):
    (tmp_path / "t.tsv").write_text("patient_id\tx\n007\t1\n")
    assert read_sheet(tmp_path / "t.tsv")["patient_id"].tolist() == ["007"]
    with pytest.raises(ValueError, match="no column 'patient'; closest: 'patient_id'"):
        read_sheet(tmp_path / "t.tsv", columns=["patient"])


def write(frame, path):
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path, index=False)


@pytest.mark.parametrize("name", ["clinical.csv", "clinical.parquet"])
def test_numeric_ids_sites_and_classes_stay_as_written(tmp_path, name):
    facts = pd.DataFrame(
        {
            "patient_id": [1, 2, 3],
            "site": [1, None, 2],
            "grade": [1, 2, None],
            "age": [50, None, 60.5],
            "os_days": [1.5, 2, None],
            "os_event": [1, 0, None],
        }
    )
    if name.endswith("csv"):
        facts = facts.astype({"site": "Int64", "grade": "Int64"})
    write(facts, tmp_path / name)
    label = {"name": "g", "column": "grade", "classes": ["1", "2"], "aliases": {}}
    table = read_outcomes(tmp_path / name, {**CFG, "tasks.labels": [label]}).rows
    check_table(table, OUTCOMES)
    assert table["patient_id"].tolist() == ["1", "2", "3"] and table["site"].tolist() == ["1", None, "2"]
    assert table["label_g"].tolist() == ["1", "2", None]
    covariates = read_covariates(tmp_path / name, CFG)
    check_table(covariates, COVARIATES)
    assert covariates["covariate_age"].tolist() == ["50", None, "60.5"]
    assert table["os_event"].tolist()[:2] == [1, 0] and table["os_days"].dtype == float


@pytest.mark.parametrize("name", ["map.csv", "map.parquet"])
def test_numeric_site_codes_are_merged(tmp_path, name):
    write(
        pd.DataFrame({"code": pd.array([1, 2, None], "Int64"), "institution": ["Basel", "Basel", "Bern"]}),
        tmp_path / name,
    )
    sites = merge_sites(pd.DataFrame({"site": ["1", "2", "3", None]}), read_sheet(tmp_path / name))["site"]
    assert sites.tolist() == ["Basel", "Basel", "3", None]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pd.array([7, None], "Int64"), ["7", None]),
        (np.array([7.0, np.nan]), ["7", None]),
        (np.array([7.5, 2.0]), ["7.5", "2"]),
        (pd.Categorical(["007", " b "]), ["007", "b"]),
        ([True, False], ["True", "False"]),
    ],
)
def test_parquet_columns_of_any_type_are_text_where_asked(tmp_path, column, text):
    frame = pd.DataFrame({"patient_id": column, "x": [1, 2]})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.set_index("patient_id").to_parquet(tmp_path / "b.parquet")
    for name in ("a.parquet", "b.parquet"):
        read = read_sheet(tmp_path / name)
        assert read["patient_id"].tolist() == text and read["x"].tolist() == ["1", "2"]


def test_events_may_be_true_and_false(tmp_path):
    table = clinical(
        tmp_path, [good(os_event=True), good("P2", os_event=False), good("P3", os_days=None, os_event=None)]
    )
    assert table["os_event"].tolist()[:2] == [1, 0] and table["reason"].isna().all()


def test_schema_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="column 'extra' is not in the schema"):
        check_table(empty_table(SLIDES).assign(extra=[]), SLIDES)
    with pytest.raises(ValueError, match="are missing"):
        check_table(empty_table(SLIDES).drop(columns="status"), SLIDES)


def test_covariates_have_a_row_per_patient_of_the_outcomes(tmp_path):
    """Rows without an id and with one that stands twice too: who is excluded, outcomes say."""
    rows = [good(), good("P2", age=">=90"), good("P1", age=51), good(None), good("P3", age=60), good("P4", os_days=-1)]
    outcomes = clinical(tmp_path, rows)
    covariates = read_covariates(tmp_path / "clinical.csv", CFG)
    check_table(covariates, COVARIATES)
    assert covariates["patient_id"].tolist() == outcomes["patient_id"].tolist()
    covariates, outcomes = covariates.set_index("patient_id"), outcomes.set_index("patient_id")
    assert covariates["reason"].to_dict() == {
        "P1": None,
        "P2": "clinical.csv row 2: age '>=90' read as 90",
        "P3": None,
        "P4": None,
        "clinical.csv row 4": None,
    }
    assert outcomes.loc["P2", "reason"] is None and "negative" in outcomes.loc["P4", "reason"]


def test_a_site_called_na_is_a_site(tmp_path):
    """TCGA-NA-A4QV: NA is a tissue source site."""
    for name in ("clinical.csv", "clinical.parquet"):
        write(
            pd.DataFrame(
                {
                    "patient_id": ["P1", "P2", "P3"],
                    "site": ["NA", "A1", " "],
                    "os_days": 5,
                    "os_event": 1,
                    "pam50": "NA",
                }
            ),
            tmp_path / name,
        )
        table = read_outcomes(tmp_path / name, CFG).rows
        assert table["site"].tolist() == ["NA", "A1", None] and table["label_pam50"].isna().all()
