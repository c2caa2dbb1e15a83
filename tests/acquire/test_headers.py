"""A column of another table among features or genes would be learnt from: the run stops before any job and names it."""

import pandas as pd
import pytest
from conftest import shared

from confuselt.acquire.downloads import source_table
from confuselt.acquire.headers import check_matrices, foreign_columns, header_notes
from confuselt.sheets.read import columns_of


def files(folder, **tables):
    found = {}
    for key, names in tables.items():
        found[key] = folder / f"{key}.csv"
        found[key].write_text(",".join(["patient_id", *names]) + "\n" + ",".join(["P1", *("1" for _ in names)]) + "\n")
    return found


@pytest.mark.parametrize("stream", ["rna", "tile", "cells"])
@pytest.mark.parametrize(
    "name",
    [
        "os_days", "OS.time", "OS_MONTHS", "PFI", "dss_event", "event", "Time", "vital_status", "days_to_death",
        "days_to_last_follow_up", "Overall Survival (Months)",
        "age", "age_at_diagnosis", "index", "rownames", "censorship", "os_cens", "status", "deceased", "relapse",
        "followup", "Survival months", "event_os", "Days to PFS", "surv_time",
        "is_dead", "t.dmfs", "e_os", "event_observed", "last_followup_days", "follow_up_time_months", "diagnosis_age",
        "RFS_event_1", "OS_5yr", "fustat", "osTimeDays", "survival_time_days", "death_event",
    ],
)  # fmt: skip
def test_a_time_an_event_an_age_or_an_index_stops_the_run(tmp_path, stream, name):
    with pytest.raises(
        ValueError, match=f"acquire.{stream}: .*{stream}.csv has columns that would be learnt from as a (gene|feature)"
    ):
        check_matrices(files(tmp_path, **{stream: ["A", name]}), "patient_id", True)


@pytest.mark.parametrize(
    ("clinical", "name"), [("grade", "grade"), ("HER2.status", "her2_status"), ("months", "months"), ("er", "ER")]
)
def test_a_column_of_the_clinical_table_stops_the_run(tmp_path, clinical, name):
    with pytest.raises(ValueError, match=f"'{name}' is a column of the clinical table"):
        check_matrices(files(tmp_path, clinical=[clinical], rna=["A", name]), "patient_id", True)


def test_genes_and_features_pass(tmp_path):
    genes = [
        "ESR1",
        "EFS",
        "TTR",
        "ATM",
        "AGER",
        "AGR2",
        "DEAF1",
        "TIMELESS",
        "TIMP1",
        "STAT1",
        "OSM",
        "OS9",
        "DSS1",
        "ROW1",
        "INDO",
        "ID1",
        "NODAL",
        "EVI1",
        "A1BG-AS1",
        "7SK",
    ]
    genes += ["T", "D", "E2F1", "DX-1", "H2AX", "IS1", "CSS", "MT-ND5", "HLA-E", "TP53", "EVENTLESS", "A-1"]
    cells = [
        "dead",
        "density of dead cells",
        "t_0",
        "e_1",
        "cell area",
        "row_entropy",
        "x_gradient",
        "mitotic index",
        "nucleus_area_mean",
        "count",
        "x",
        "y",
        "f_1",
        "0",
        "1",
    ]
    check_matrices(
        files(tmp_path, rna=genes, cells=cells, tile=["f1", "f2"], clinical=["age", "grade"]), "patient_id", True
    )


@pytest.mark.parametrize(
    ("name", "key"), [("rna_zscores", "rna"), ("cell_features", "cells"), ("tile_features", "tile")]
)
def test_real_tables_pass(name, key):
    clinical = columns_of(shared("tcga_brca_hif", "clinical.parquet"))
    assert foreign_columns(key, shared("tcga_brca_hif", f"{name}.parquet"), "patient_id", clinical) == {}


def test_repeated_genes_are_summed_and_repeated_features_refused(tmp_path):
    check_matrices(files(tmp_path, rna=["A", "A"]), "patient_id", True)
    for key, counts in (("rna", False), ("tile", True)):
        with pytest.raises(ValueError, match=f"acquire.{key}: .*'A' stand in several columns"):
            check_matrices(files(tmp_path, **{key: ["A", "B", "A"]}), "patient_id", counts)


def test_what_is_left_out_or_summed_is_said_and_stands_in_downloads(tmp_path):
    (tmp_path / "rna.csv").write_text(",patient_id,A,A,\n0,P1,1,2,\n")
    unnamed, summed = header_notes("rna", tmp_path / "rna.csv", "patient_id")
    assert (
        unnamed == "rna.csv: columns 1, 5 without a name are left out"
        and "counts of 1 genes that stand in several columns are summed (A)" in summed
    )
    (row,) = source_table({"rna": tmp_path / "rna.csv"}, "patient_id").to_dict("records")
    assert row["status"] == "ok" and row["reason"] == f"{unnamed}; {summed}"


def test_a_sheet_of_files_holds_no_genes(tmp_path):
    pd.DataFrame({"patient_id": ["P1"], "file": ["a.tsv"], "age": [5]}).to_csv(tmp_path / "rna.csv", index=False)
    check_matrices({"rna": tmp_path / "rna.csv"}, "patient_id", True)


@pytest.mark.parametrize("name", ["X", "coord_y", "x_px", "tile_id", "patch_index", "barcode", "left"])
def test_a_place_or_number_of_an_instance_is_no_feature(tmp_path, name):
    with pytest.raises(ValueError, match=f"'{name}' is the name of a place or a number of an instance"):
        check_matrices(files(tmp_path, tile=["f1", name]), "patient_id", True)


@pytest.mark.parametrize("name", ["1-Mar", "2-Sep", "Mar-01", "DEC-1", "2020-03-01", "1.Mär"])
def test_genes_that_became_dates_stop_the_run(tmp_path, name):
    pd.DataFrame({"patient_id": ["P1"], "TP53": [1], name: [2]}).to_csv(tmp_path / "rna.csv", index=False)
    with pytest.raises(ValueError, match=f"'{name}' are dates: a spreadsheet has turned names of genes"):
        check_matrices({"rna": tmp_path / "rna.csv"}, "patient_id", counts=True)
    pd.DataFrame({"patient_id": ["P1"], "MARCHF1": [1], "SEPTIN2": [2]}).to_csv(tmp_path / "rna.csv", index=False)
    check_matrices({"rna": tmp_path / "rna.csv"}, "patient_id", counts=True)
