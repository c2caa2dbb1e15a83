"""What GDC is asked, what becomes of its answer, and the clinical tables of TCGA."""

import json

import pandas as pd
import pytest
from acquire.gdc_project import subtypes, workbook
from acquire.gdc_server import Server, case

from confuselt.acquire.gdc import COUNTS, PAGE, SLIDES, Gdc
from confuselt.acquire.http import Client
from confuselt.acquire.manifest import rna_rows, slide_rows
from confuselt.acquire.pin import pin_table
from confuselt.acquire.tcga import clinical_table, read_outcomes, read_subtypes

SLIDE = {"data_type": "Slide Image", "experimental_strategy": "Diagnostic Slide"}
COUNT = {"data_type": "Gene Expression Quantification", "analysis": {"workflow_type": "STAR - Counts"}}
PRIMARY = ["Primary Tumor"]


@pytest.fixture
def server():
    with Server() as running:
        yield running


def gdc(server):
    return Gdc(server.url, Client(5), 3)


def slide(server, patient, name=None, **record):
    return server.add(
        b"x", file_name=name or f"{patient}-01Z-00-DX1.AAAA.svs", **{**SLIDE, "cases": case(patient), **record}
    )


def test_all_pages_and_only_what_is_asked_for(server):
    for i in range(PAGE + 120):
        slide(server, f"TCGA-A1-{i:04d}")
    server.page_limit = 90  # a server may give less than it is asked for
    slide(server, "TCGA-ZZ-0001", cases=case("TCGA-ZZ-0001", "TCGA-LUAD"))
    slide(server, "TCGA-ZZ-0002", experimental_strategy="Tissue Slide")
    slide(server, "TCGA-ZZ-0003", access="controlled")
    server.add(b"x", file_name="a.tsv", cases=case("TCGA-ZZ-0004"), **COUNT)
    server.add(
        b"x",
        file_name="b.tsv",
        cases=case("TCGA-ZZ-0005"),
        **{**COUNT, "analysis": {"workflow_type": "HTSeq - Counts"}},
    )
    hits = gdc(server).files("TCGA-BRCA", SLIDES)
    assert len(hits) == PAGE + 120 and [h["file_id"] for h in hits] == sorted(h["file_id"] for h in hits)
    assert not any(h["cases"][0]["submitter_id"].startswith("TCGA-ZZ") for h in hits)
    assert [h["cases"][0]["submitter_id"] for h in gdc(server).files("TCGA-BRCA", COUNTS)] == ["TCGA-ZZ-0004"]
    assert (
        gdc(server).release() == server.release and gdc(server).projects_like("TCGA-BRAC") == "; closest: 'TCGA-BRCA'"
    )


def test_a_list_that_changes_between_pages_is_an_error(server):
    for i in range(6):
        slide(server, f"TCGA-A1-{i:04d}")
    server.page_limit = 2
    first = server.files
    server.files = lambda body: first(body) if body["from"] < 2 else (slide(server, "TCGA-A1-0999"), first(body))[1]
    with pytest.raises(ValueError, match="the list changed meanwhile"):
        gdc(server).files("TCGA-BRCA", SLIDES)


@pytest.mark.parametrize(("answer", "said"), [({"message": "x"}, "has no data.hits"), (None, "HTTP 404")])
def test_another_server_is_told_from_gdc(server, answer, said):
    server.files = lambda body: answer
    with pytest.raises(ValueError, match=said):
        gdc(server).files("TCGA-BRCA", SLIDES)


def hits(*records):
    return [{"file_id": f"f{i}", "md5sum": "a" * 32, "file_size": 5, **r} for i, r in enumerate(records)]


def reasons(frame):
    return dict(zip(frame["file_id"], frame["reason"], strict=True))


def test_rules_for_slides():
    name = "TCGA-A1-0001-01Z-00-DX{}.AAAA.svs"
    frame = slide_rows(
        hits(
            {"file_name": name.format(1), "cases": case("TCGA-A1-0001")},
            {"file_name": name.format(2), "cases": case("TCGA-A1-0001")},
            {"file_name": name.format(1), "cases": case("TCGA-A1-0001")},
            {"file_name": "TCGA-A1-0002-06Z-00-DX1.B.svs", "cases": case("TCGA-A1-0002", sample_type="Metastatic")},
            {"file_name": "../../x", "cases": case("TCGA-A1-0003")},
            {"file_name": "TCGA-A1-0004.pdf", "cases": case("TCGA-A1-0004")},
            {"file_name": "TCGA-A1-0005.svs", "cases": case("TCGA-A1-0005"), "md5sum": None},
            {"file_name": "TCGA-A1-0006.svs", "cases": case("TCGA-A1-0006") + case("TCGA-A1-0007")},
            {"file_name": "TCGA-A1-0008.svs", "cases": case("TCGA-A1-0008"), "file_id": "../f8"},
        ),
        PRIMARY,
    )
    found = reasons(frame)
    assert [k for k, v in found.items() if v is None] == ["f0", "f1"] and list(
        frame["slide_id"][frame["status"] == "ok"]
    ) == [
        "TCGA-A1-0001-01Z-00-DX1",
        "TCGA-A1-0001-01Z-00-DX2",
    ]
    assert "stands for several files; f0" in found["f2"] and "Metastatic is none of Primary Tumor" in found["f3"]
    assert (
        "is not plain" in found["f4"]
        and "ends in none of" in found["f5"]
        and "no md5" in found["f6"]
        and "2 patients" in found["f7"]
    )
    assert found["../f8"] == "the file id is no plain id"


def test_one_aliquot_per_patient():
    def sample(patient, aliquot):
        return {"file_name": "x.tsv", "cases": case(patient, aliquot=aliquot)}

    frame = rna_rows(
        hits(
            sample("TCGA-A1-0001", "TCGA-A1-0001-01B-11R-A999-07"),
            sample("TCGA-A1-0001", "TCGA-A1-0001-01A-11R-A084-07"),
            sample("TCGA-A1-0001", "TCGA-A1-0001-01A-11R-A144-07"),
            sample("TCGA-A1-0001", "TCGA-A1-0001-01A-11T-A999-07"),
            {"file_name": "x.tsv", "cases": case("TCGA-A1-0002")},  # a server that knows no aliquots
            {"file_name": "x.tsv", "cases": case("TCGA-A1-0002")},
            {"file_name": "x.tsv", "cases": case("TCGA-A1-0003", sample_type="Solid Tissue Normal")},
        ),
        PRIMARY,
    )
    used = frame[frame["status"] == "ok"]
    assert dict(zip(used["patient_id"], used["file_id"], strict=True)) == {"TCGA-A1-0001": "f2", "TCGA-A1-0002": "f4"}
    assert (
        reasons(frame)["f0"] == "patient 'TCGA-A1-0001' has 4 aliquots; TCGA-A1-0001-01A-11R-A144-07 (file f2) is used"
    )


def test_what_a_server_may_leave_out_is_no_crash():
    """Null, absent and odd values are legal JSON: such a file is a row with its reason."""
    plain = {"file_name": "TCGA-A1-0001-01Z-00-DX1.A.svs"}
    mixed = case("TCGA-A1-0007", sample_type="Solid Tissue Normal", aliquot="TCGA-A1-0007-11A-11R-A144-07")
    mixed[0]["samples"] += case("x", aliquot="TCGA-A1-0007-01A-11R-A144-07")[0]["samples"]
    frame = rna_rows(
        hits(
            {"cases": None},
            {**plain, "cases": [{"submitter_id": "TCGA-A1-0001", "samples": None}]},
            {**plain, "cases": [{"submitter_id": "TCGA-A1-0002", "samples": [{"sample_type": None}]}]},
            {"file_name": "x.tsv", "cases": [{"submitter_id": "TCGA-A1-0003", "samples": [{}]}]},
            {
                "file_name": "x.tsv",
                "cases": [{"submitter_id": "TCGA-A1-0004", "samples": [{"submitter_id": "TCGA-A1-0004-11A"}]}],
            },
            {**plain, "cases": case("TCGA-A1-0005"), "file_size": "5.0"},
            {**plain, "cases": case("TCGA-A1-0006") * 2, "file_size": "5"},
            {"file_name": "x.tsv", "cases": mixed},
            {
                "file_name": "x.tsv",
                "cases": [
                    {
                        "submitter_id": "TCGA-A1-0008",
                        "samples": [{"sample_type": "Primary Tumor", "portions": [{"analytes": [{"aliquots": [{}]}]}]}],
                    }
                ],
            },
        ),
        PRIMARY,
    )
    found = reasons(frame)
    assert [k for k, v in found.items() if v is None] == ["f2", "f6", "f7", "f8"], (
        "of a type, stated or told by a barcode"
    )
    assert frame.set_index("file_id").at["f7", "sample_id"] == "TCGA-A1-0007-01A-11R-A144-07"
    assert (
        "0 patients" in found["f0"]
        and "no sample type" in found["f1"]
        and "no sample type" in found["f3"]
        and "Solid Tissue Normal" in found["f4"]
    )
    assert "no size" in found["f5"]


@pytest.mark.parametrize("answer", [{"data": None}, {"data": []}, {"data": {"hits": None, "pagination": {"total": 1}}}])
def test_an_odd_answer_is_said(server, answer):
    server.files = lambda body: answer
    with pytest.raises(ValueError, match="no data.hits"):
        gdc(server).files("TCGA-BRCA", SLIDES)


CLINICAL = pd.DataFrame(
    {
        "patient_id": ["SIM-0001", "SIM-0002", "SIM-0003"],
        "site": ["S00", "S01", "S02"],
        "age": [50, 60, 70],
        "stage": ["Stage II", "Stage III", "[Discrepancy]"],
        "os_days": [100.0, 200, 300],
        "os_event": [1.0, 0, 1],
        "pam50": ["LumA", "Basal", "Her2"],
    }
)


def test_outcomes_and_subtypes_of_tcga(tmp_path):
    (tmp_path / "o.xlsx").write_bytes(workbook(CLINICAL))
    outcomes = read_outcomes(tmp_path / "o.xlsx")
    assert list(outcomes.index) == ["TCGA-00-0001", "TCGA-01-0002", "TCGA-02-0003"]
    assert (
        list(outcomes["os_days"]) == [100, 200, 300]
        and list(outcomes["os_event"]) == [1, 0, 1]
        and outcomes["pfi_days"].isna().all()
    )
    assert list(outcomes["stage"]) == ["II", "III", None] and list(outcomes["sex"].dropna().unique()) == ["female"]
    (tmp_path / "s.tsv").write_bytes(subtypes(CLINICAL))
    labels = read_subtypes(tmp_path / "s.tsv", {"pam50": "Subtype_mRNA"}, PRIMARY)
    assert dict(labels["pam50"]) == {"TCGA-00-0001": "LumA", "TCGA-01-0002": "Basal", "TCGA-02-0003": "Her2"}, (
        "a normal sample is not the tumour"
    )
    with pytest.raises(ValueError, match="no column 'Subtype_mrna'; closest: 'Subtype_mRNA'"):
        read_subtypes(tmp_path / "s.tsv", {"pam50": "Subtype_mrna"}, PRIMARY)
    table = clinical_table(["TCGA-00-0001", "TCGA-09-0009", "other"], outcomes, labels).set_index("patient_id")
    assert (
        list(table["site"]) == ["00", "09", None]
        and table.at["TCGA-00-0001", "pam50"] == "LumA"
        and table.loc["other", "os_days":].isna().all()
    )


def test_half_an_outcome_and_redacted_patients(tmp_path):
    raw = pd.read_excel(_file(tmp_path, workbook(CLINICAL)), sheet_name="TCGA-CDR", dtype=str)
    raw.loc[0, "OS.time"], raw.loc[1, "Redaction"] = "[Not Available]", "Redacted"
    raw.to_csv(tmp_path / "o.tsv", sep="\t", index=False)
    outcomes = read_outcomes(tmp_path / "o.tsv")
    assert (
        outcomes.loc["TCGA-00-0001", ["os_days", "os_event"]].isna().all() and outcomes.loc["TCGA-01-0002"].isna().all()
    )
    assert outcomes.at["TCGA-02-0003", "os_days"] == 300


def _file(folder, content):
    path = folder / "book.xlsx"
    path.write_bytes(content)
    return path


def test_tables_are_pinned_by_what_is_served(server):
    server.add(b"PK workbook", file_id="out")
    row = pin_table("outcomes", "out", None, server.url, Client(5), 3)
    assert (
        row["bytes"] == 11
        and row["md5"] == server.entries["out"].md5
        and row["file_name"] == "table.xlsx"
        and row["status"] == "ok"
    )
    assert "wanted bbb" in pin_table("outcomes", "out", "bbb", server.url, Client(5), 3)["reason"]
    gone = pin_table("subtypes", "gone", None, server.url, Client(5), 3)
    assert gone["status"] == "excluded" and gone["reason"] == "acquire.gdc.subtypes gone: HTTP 404 Not Found"
    assert pin_table("subtypes", None, None, server.url, Client(5), 3) is None


def test_the_query_is_the_documented_form():
    body = Gdc.query("TCGA-BRCA", COUNTS)
    assert json.loads(json.dumps(body["filters"]))["op"] == "and"
    assert {c["content"]["field"]: c["content"]["value"] for c in body["filters"]["content"]} == {
        "cases.project.project_id": ["TCGA-BRCA"],
        "data_type": ["Gene Expression Quantification"],
        "analysis.workflow_type": ["STAR - Counts"],
        "access": ["open"],
    }
