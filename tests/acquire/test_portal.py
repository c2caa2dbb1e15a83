"""A manifest of GDC's portal pins a cohort without a question, and what gdc-client has fetched is fetched no more."""

import hashlib
import os
from pathlib import Path

import pandas as pd
import pytest
from acquire.gdc_server import Server, case
from conftest import ROOT, script
from test_gdc import COUNT, PRIMARY, SLIDE

from confuselt.acquire.download import Manner
from confuselt.acquire.fetch import fetch_rows, sources_of
from confuselt.acquire.gdc import COUNTS, SLIDES, Gdc
from confuselt.acquire.given import take
from confuselt.acquire.http import Client
from confuselt.acquire.manifest import rna_rows, slide_rows
from confuselt.acquire.partial import Partial, discard
from confuselt.acquire.pinned import cohort_rows, read_manifest
from confuselt.acquire.portal import portal_hash, read_portal
from confuselt.config.root import Config
from confuselt.settings import settings


@pytest.fixture
def server():
    """Two patients with a slide and counts, one of them with a normal, and neighbours that nobody wants."""
    with Server() as running:
        for patient in ("TCGA-A1-A001", "TCGA-A1-A002"):
            running.add(
                b"slide of " + patient.encode(), file_name=f"{patient}-01Z-00-DX1.0A.svs", cases=case(patient), **SLIDE
            )
            counts(running, patient, "01A", "Primary Tumor")
        counts(running, "TCGA-A1-A002", "11A", "Solid Tissue Normal")
        running.add(
            b"f", file_name="TCGA-A1-A001-01A-01-TS1.0B.svs", cases=case("TCGA-A1-A001"), data_type="Slide Image"
        )
        running.add(b"t", file_name="nationwidechildrens.org_clinical.txt", cases=case("TCGA-A1-A001"))
        yield running


@pytest.fixture(autouse=True)
def no_manifest_of_another_test():
    read_manifest.cache_clear()


def counts(server, patient, vial, kind):
    of = case(patient, sample_type=kind, aliquot=f"{patient}-{vial}-11R-A144-07")
    name = f"{patient[-4:]}{vial}.rna_seq.augmented_star_gene_counts.tsv"
    server.add(f"counts of {name}".encode(), file_name=name, cases=of, **COUNT)


def portal(server, folder, sheet=True, project="TCGA-BRCA"):
    """What the portal offers: the manifest, and the sample sheet."""
    entries = [e.record for e in server.entries.values()]
    table = pd.DataFrame(
        [
            {
                "id": r["file_id"],
                "filename": r["file_name"],
                "md5": r["md5sum"],
                "size": r["file_size"],
                "state": "released",
            }
            for r in entries
        ]
    )
    table.to_csv(folder / "gdc_manifest.txt", sep="\t", index=False)
    rows = []
    for r in entries:
        (one,) = r["cases"]
        sample = one["samples"][0]
        rows.append(
            {
                "File ID": r["file_id"],
                "File Name": r["file_name"],
                "Project ID": project,
                "Case ID": one["submitter_id"],
                "Sample ID": sample.get("submitter_id", f"{one['submitter_id']}-01Z"),
                "Sample Type": sample["sample_type"],
            }
        )
    pd.DataFrame(rows).to_csv(folder / "gdc_sample_sheet.tsv", sep="\t", index=False)
    return folder / "gdc_manifest.txt", folder / "gdc_sample_sheet.tsv" if sheet else None


def config_of(server, manifest, sheet):
    gdc = {"url": server.url, "manifest": manifest and str(manifest), "sample_sheet": sheet and str(sheet)}
    acquire = {"source": "gdc", "gdc": {**gdc, "outcomes": None, "subtypes": None}}
    return Config.model_validate({"cohort": "brca", "acquire": acquire, "embed": {"encoder": "efficientnet-lite0"}})


def pin(server, folder, manifest, sheet):
    config = config_of(server, manifest, sheet)
    path = folder / "resources/cohorts/brca/manifest.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    module = script("acquire/pin_cohort")
    cfg = settings(ROOT / "workflow/scripts/acquire/pin_cohort.py", config)
    given = {"portal": str(manifest), "sample_sheet": str(sheet) if sheet else ""}
    module.main(path, cfg, server.url, attempts=2, timeout=5, **given)
    return config, pd.read_parquet(path).set_index("file_id")


def test_it_pins_what_a_query_would(server, tmp_path):
    asked = Gdc(server.url, Client(5), 3)
    wanted = pd.concat(
        [
            slide_rows(asked.files("TCGA-BRCA", SLIDES), PRIMARY),
            rna_rows(asked.files("TCGA-BRCA", COUNTS), PRIMARY),
        ]
    ).set_index("file_id")
    server.log.clear()
    _, found = pin(server, tmp_path, *portal(server, tmp_path))
    assert not server.log, "nothing is asked"
    columns = ["what", "patient_id", "slide_id", "sample_type", "file_name", "md5", "bytes", "status"]
    pd.testing.assert_frame_equal(found.loc[wanted.index, columns], wanted[columns], check_dtype=False)
    others = found.drop(wanted.index)
    assert (
        sorted(others["reason"].str[:30])
        == sorted(["it is a section of frozen tissue; wanted"[:30], "it is neither a slide (.bif, .m"[:30]])
        and (others["status"] == "excluded").all()
    )


def test_without_a_sheet_slides_are_known_by_their_names_and_counts_by_none(server, tmp_path):
    _, found = pin(server, tmp_path, *portal(server, tmp_path, sheet=False))
    used = found[found["status"] == "ok"]
    assert sorted(used["patient_id"]) == ["TCGA-A1-A001", "TCGA-A1-A002"] and set(used["what"]) == {"slide"}
    lost = found[found["file_name"].str.endswith("counts.tsv")]
    assert lost["reason"].str.contains("acquire.gdc.sample_sheet").all() and len(lost) == 3


def test_files_of_another_project_and_of_nobody_are_rows(server, tmp_path):
    manifest, sheet = portal(server, tmp_path, project="TCGA-LUAD")
    with pytest.raises(ValueError, match=r"names no slide.*belongs to project TCGA-LUAD, not TCGA-BRCA"):
        pin(server, tmp_path, manifest, sheet)
    manifest, sheet = portal(server, tmp_path)
    table = pd.read_csv(sheet, sep="\t")
    table[~table["File Name"].str.contains("A00101A")].to_csv(sheet, sep="\t", index=False)
    _, found = pin(server, tmp_path, manifest, sheet)
    assert found["reason"].str.contains("gdc_sample_sheet.tsv does not say whose file it is", na=False).sum() == 1
    assert (found["status"] == "ok").sum() == 3


def test_cells_of_several_samples(tmp_path):
    """As the portal writes them: the same case twice, or two cases."""
    (tmp_path / "m.txt").write_text(
        f"id\tfilename\tmd5\tsize\tstate\na\tx.svs\t{'0' * 32}\t5\tr\nb\ty.svs\t{'1' * 32}\t5\tr\n"
    )
    (tmp_path / "s.tsv").write_text(
        "File ID\tCase ID\tSample ID\tSample Type\na\tC1, C1\tC1-01, C1-02\tPrimary Tumor, Primary Tumor\n"
        "b\tC1, C2\tC1-01, C2-01\tPrimary Tumor, Primary Tumor\n"
    )
    found = slide_rows(read_portal(tmp_path / "m.txt", tmp_path / "s.tsv", "P", ()).slides, PRIMARY)
    assert found["status"].tolist() == ["ok", "excluded"] and found["patient_id"][0] == "C1"
    assert found["reason"][1] == "the file belongs to 2 patients"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "uuid\tname\tmd5\tsize\n1\ta\tb\t2\n",
            "no column 'id'; it holds uuid, name, md5, size. Wanted is what GDC's portal",
        ),
        ("id,file_name,md5,size\n1,a,b,2\n", "no column 'filename'; closest: 'file_name'"),
        ("<html><body>Sign in</body></html>\n", "web page"),
    ],
)
def test_what_is_no_manifest_is_told_so(server, tmp_path, text, said):
    (tmp_path / "m.txt").write_text(text)
    with pytest.raises(ValueError, match=said):
        pin(server, tmp_path, tmp_path / "m.txt", None)
    with pytest.raises(ValueError, match="is absent"):
        pin(server, tmp_path, tmp_path / "other.txt", None)


def test_an_md5_or_size_that_is_none_is_that_row_s(server, tmp_path):
    manifest, sheet = portal(server, tmp_path)
    table = pd.read_csv(manifest, sep="\t", dtype=str)
    table.loc[0, "md5"], table.loc[1, "size"] = "abc", "many"
    table.to_csv(manifest, sep="\t", index=False)
    _, found = pin(server, tmp_path, manifest, sheet)
    assert found.loc[table["id"][:2], "reason"].str.contains("no md5, or no size").all()
    assert (found["status"] == "ok").sum() == 2


def test_another_manifest_than_the_pinned_one_stops_the_run(server, tmp_path, monkeypatch):
    manifest, sheet = portal(server, tmp_path)
    config, _ = pin(server, tmp_path, manifest, sheet)
    monkeypatch.chdir(tmp_path)
    assert {row["what"] for row in cohort_rows(config, "brca")} == {"slide", "rna"}
    kept = manifest.read_text()
    manifest.write_text(kept.replace("released", "live"))
    with pytest.raises(ValueError, match="was pinned by another manifest of the portal.*--forcerun pin_cohort"):
        cohort_rows(config, "brca")
    for gone in (sheet, manifest):
        gone.unlink()
        assert len(cohort_rows(config, "brca")) == 4, "what was pinned is whole without the portal's files"
    with pytest.raises(ValueError, match="was pinned by another manifest"):
        cohort_rows(config_of(server, None, None), "brca")


def test_a_manifest_for_a_cohort_that_was_pinned_by_a_query_stops_the_run_whether_it_is_there_or_not(
    server, tmp_path, monkeypatch
):
    manifest, sheet = portal(server, tmp_path)
    config, _ = pin(server, tmp_path, "", None)
    monkeypatch.chdir(tmp_path)
    assert len(cohort_rows(config, "brca")) == 4
    for named in (manifest, tmp_path / "mistyped.txt"):
        with pytest.raises(ValueError, match="was pinned without a manifest of the portal.*mistyped|gdc_manifest"):
            cohort_rows(config_of(server, named, None), "brca")
    with pytest.raises(ValueError, match="sample_sheet belongs to a manifest"):
        cohort_rows(config_of(server, None, sheet), "brca")


def test_what_params_a_pin_has_does_not_hang_on_the_portal():
    """A pin stays until it is asked for anew: another release of this program must not ask by itself."""
    path = ROOT / "workflow/scripts/acquire/pin_cohort.py"
    keys = {"project", "sample_types", "outcomes", "outcomes_md5", "subtypes"}
    assert set(settings(path, Config())) == {f"acquire.gdc.{key}" for key in keys}


def test_of_two_aliquots_of_a_vial_the_first_file_is_taken_and_named(server, tmp_path):
    """The sheet states samples only; a query knows plates."""
    first = min(e.record["file_id"] for e in server.entries.values() if "A00101A" in e.record["file_name"])
    counts(server, "TCGA-A1-A001", "01A", "Primary Tumor")
    _, found = pin(server, tmp_path, *portal(server, tmp_path))
    lost = found[found["reason"].str.contains("has 2 aliquots", na=False)]
    assert len(lost) == 1 and f"TCGA-A1-A001-01A (file {first}) is used" in lost["reason"].iloc[0]


def test_a_sheet_that_says_tumour_and_descriptor_in_columns_of_their_own(tmp_path):
    rows = {"a": ("Tumor", "Primary"), "b": ("Normal", "Not Applicable"), "c": ("Tumor", "Metastatic"), "d": ("", "")}
    manifest = "".join(f"{i}\tC3L-{i}.svs\t{'0' * 32}\t5\n" for i in rows)
    (tmp_path / "m.txt").write_text("id\tfilename\tmd5\tsize\n" + manifest)
    sheet = "".join(f"{i}\tC3L-{i}\tC3L-{i}-1\t{tissue}\t{tumour}\n" for i, (tissue, tumour) in rows.items())
    (tmp_path / "s.tsv").write_text("File ID\tCase ID\tSample ID\tTissue Type\tTumor Descriptor\n" + sheet)
    found = slide_rows(read_portal(tmp_path / "m.txt", tmp_path / "s.tsv", "P", ()).slides, PRIMARY)
    found = found.set_index("file_id")
    assert found["status"].to_dict() == {"a": "ok", "b": "excluded", "c": "excluded", "d": "excluded"}
    assert "sample type Solid Tissue Normal is none of" in found.at["b", "reason"]
    assert found.at["d", "reason"] == "no sample type is stated, and no barcode tells it"


def test_nothing_named_has_no_hash():
    assert portal_hash(None, None) is None


# --- gdc-client


def row_of(entry):
    r = entry.record
    known = {"file_id": r["file_id"], "file_name": r["file_name"], "md5": r["md5sum"], "bytes": r["file_size"]}
    return {**known, "file": r["file_name"]}


def filled(server, folder):
    """As gdc-client leaves it: a folder per file, with its logs."""
    for entry in server.entries.values():
        place = folder / entry.record["file_id"]
        (place / "logs").mkdir(parents=True)
        (place / entry.record["file_name"]).write_bytes(entry.content)
    return folder


@pytest.mark.parametrize("same_disk", [True, False])
def test_what_lies_there_is_taken_without_a_copy_and_without_a_question(server, tmp_path, monkeypatch, same_disk):
    given, rows = filled(server, tmp_path / "given"), [row_of(e) for e in server.entries.values()]
    if not same_disk:

        def no_link(*_):
            raise OSError("another disk")

        monkeypatch.setattr(os, "link", no_link)
    assert fetch_rows(rows, tmp_path / "here", [], Manner(given=given)) == {}
    for row in rows:
        here, there = tmp_path / "here" / row["file"], given / row["file_id"] / row["file_name"]
        assert here.samefile(there) and here.is_symlink() is not same_disk
        discard(here)
        assert not here.exists() and there.is_file(), "the user's file stays"
    assert not list((tmp_path / "here").iterdir())


def test_a_rotten_or_half_file_is_fetched(server, tmp_path):
    given = filled(server, tmp_path / "given")
    first, second, *_ = server.entries.values()
    rotten = given / first.record["file_id"] / first.record["file_name"]
    rotten.write_bytes(bytes(reversed(first.content)))
    half = given / second.record["file_id"] / second.record["file_name"]
    half.rename(half.with_name(half.name + ".partial"))
    rows = [row_of(e) for e in (first, second)]
    assert fetch_rows(rows, tmp_path / "here", sources_of(server.url, None, None, 5), Manner(given=given)) == {}
    for row, entry in zip(rows, (first, second), strict=True):
        assert (tmp_path / "here" / row["file"]).read_bytes() == entry.content and server.sent(row["file_id"])
    assert rotten.read_bytes() != first.content, "nothing is written over what the user has"


def test_what_was_half_fetched_before_is_let_go(server, tmp_path):
    given, entry = filled(server, tmp_path / "given"), next(iter(server.entries.values()))
    row = row_of(entry)
    Partial(tmp_path / "here" / row["file"], row["md5"], row["bytes"], 4).close()
    assert fetch_rows([row], tmp_path / "here", [], Manner(given=given)) == {}
    assert [p.name for p in (tmp_path / "here").iterdir()] == [row["file"]]


def test_a_file_that_cannot_be_read_is_fetched(server, tmp_path, monkeypatch):
    given, entry = filled(server, tmp_path / "given"), next(iter(server.entries.values()))

    def unreadable(*_):
        raise PermissionError("not yours")

    monkeypatch.setattr(hashlib, "file_digest", unreadable)
    row = row_of(entry)
    sources = sources_of(server.url, None, None, 5)
    assert fetch_rows([row], tmp_path / "here", sources, Manner(given=given)) == {}
    assert (tmp_path / "here" / row["file"]).read_bytes() == entry.content and server.sent(row["file_id"])


def test_a_link_is_whole_or_not_there(tmp_path):
    (tmp_path / "given").write_bytes(b"bytes")
    final = tmp_path / "new/file"
    assert take(tmp_path / "given", hashlib.md5(b"bytes").hexdigest(), final) and final.read_bytes() == b"bytes"
    assert not take(tmp_path / "given", "0" * 32, Path(tmp_path / "other"))
    assert not (tmp_path / "other").exists()
