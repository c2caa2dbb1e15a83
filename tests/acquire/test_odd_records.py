"""One odd record in GDC's answer is a row with its reason: the cohort is pinned, parsed and fetched without it."""

import json

import pandas as pd
import pytest
from acquire.gdc_server import Server, case
from conftest import script
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from confuselt.acquire import manifest, pinned
from confuselt.acquire.download import Manner
from confuselt.acquire.excluded import OK
from confuselt.acquire.fetch import fetch_rows, sources_of
from confuselt.acquire.gdc import SLIDES, Gdc
from confuselt.acquire.http import Client
from confuselt.acquire.pinned import cohort_rows, left_out, manifest_path
from confuselt.acquire.schema import MANIFEST
from confuselt.config.root import Config
from confuselt.settings import settings as settings_of
from confuselt.tables import write_table

KINDS = {"slide": {"data_type": "Slide Image"}, "rna": {"data_type": "Gene Expression Quantification"}}
NAME = "TCGA-ZZ-0009-01Z-00-DX1.A.svs"
ODD_PORTION = {"analytes": [{"aliquots": ["x", {"submitter_id": "\n"}]}]}
ODD = {
    "file_name": [
        "../../x.svs", "a/b.svs", "..", "a\0b.svs", "a\nb.svs", "a" * 5000 + ".svs", "\ud800.svs", "é.svs", "index.svs",
        "", 7, None, ["x"], {"a": 1},
    ],
    "file_id": ["../f", "a/b", "x\0", "i" * 5000, "\udfff", "", None, 5, ["f"], "good-slide-0", "good-rna-0"],
    "md5sum": ["A" * 32, "x", None, 5, "é" * 32, ["a"]],
    "file_size": [
        5.0, None, -3, 0, 10**14, 10**18, 10**30, "9" * 5000, "5", "٣", True, float("nan"), float("inf"), [1],
    ],
    "cases": [
        None, 5, "x", {}, [None], ["x"], [[]], [{"submitter_id": None}], case("TCGA-ZZ-0009") + case("TCGA-ZZ-0008"),
        [{"submitter_id": "a\ud800", "samples": [{"sample_type": "Primary Tumor"}]}],
        [{"submitter_id": "../" * 2000, "samples": [{"sample_type": "Primary Tumor"}]}],
        [{"submitter_id": ["x"], "samples": "y"}],
        [{"submitter_id": "TCGA-ZZ-0009", "samples": [{"sample_type": ["Primary Tumor"]}]}],
        [{"submitter_id": "TCGA-ZZ-0009", "samples": [{"sample_type": "Primary Tumor", "portions": 4}]}],
        [{"submitter_id": "TCGA-ZZ-0009", "samples": [{"sample_type": "Primary Tumor", "portions": [ODD_PORTION]}]}],
    ],
}  # fmt: skip
CONTENT = b"12345"


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        for kind, ending in (("slide", "-01Z-00-DX1.A.svs"), ("rna", ".tsv")):
            for i in range(3):
                name = f"TCGA-A1-000{i}"
                running.add(
                    CONTENT,
                    file_id=f"good-{kind}-{i}",
                    file_name=f"{name}{ending}",
                    cases=case(name, aliquot=f"{name}-01A-11R-A144-07"),
                    **KINDS[kind],
                )
        yield running


def record(**facts):
    return {
        "file_id": "odd",
        "file_name": NAME,
        "md5sum": "a" * 32,
        "file_size": 5,
        "cases": case("TCGA-ZZ-0009"),
        **facts,
    }


def config_of(server):
    block = {"source": "gdc", "gdc": {"url": server.url, "outcomes": None, "subtypes": None}}
    return Config.model_validate(
        {"cohort": "x", "acquire": block, "embed": {"encoder": "efficientnet-lite0"}, "cells": {"method": "classical"}}
    )


def serve(server, odd, what="slide", at=0, page=500):
    """Let the server list the good files of a kind, and odd records among them."""
    sides = {
        w: [e.record for e in server.entries.values() if e.record["file_id"].startswith(f"good-{w}")] for w in KINDS
    }
    sides[what] = [*sides[what][:at], *odd, *sides[what][at:]]

    def files(body):
        text = json.dumps(body["filters"])
        hits = sides[next(w for w, k in KINDS.items() if k["data_type"] in text)]
        return {
            "data": {"hits": hits[body["from"] : body["from"] + page], "pagination": {"total": len(hits)}},
            "warnings": {},
        }

    server.files = files


def check(server, folder, monkeypatch):
    """Pin and parse as `snakemake cohort` and the next command do; rows that are used, and what was left out."""
    monkeypatch.chdir(folder)
    config = config_of(server)
    path = manifest_path("x")
    path.parent.mkdir(parents=True, exist_ok=True)
    step = script("acquire/pin_cohort")
    step.main(path, settings_of(step.__file__, config), server.url, attempts=2, timeout=5)
    pinned.read_manifest.cache_clear()
    used, lost = cohort_rows(config, "x"), left_out(config, "x")
    assert {row["what"] for row in used} == set(KINDS) and all(row["reason"] for row in lost)
    for row in used:
        place = (folder / "in" / row["file"]).resolve()
        assert (
            place.parent.parent == (folder / "in").resolve()
            and len(place.name) < 250
            and row["file"].isascii()
            and row["file"].isprintable()
        )
    assert len({row["file"] for row in used}) == len(used)
    return used, lost


@pytest.mark.parametrize("what", KINDS)
@pytest.mark.parametrize(("key", "number"), [(k, i) for k, values in ODD.items() for i in range(len(values))])
def test_one_odd_value_costs_one_file(server, tmp_path, monkeypatch, what, key, number):
    odd = record(**{key: ODD[key][number]})
    serve(server, [odd], what, at=1)
    used, lost = check(server, tmp_path, monkeypatch)
    good = {f"good-{w}-{i}" for w in KINDS for i in range(3)}
    twice = {odd["file_id"]} & good if isinstance(odd["file_id"], str) else set()
    ours = {row["file_id"] for row in used}
    # A second record of a file, of another patient: then nobody knows whose it is.
    assert good - twice <= ours <= good | {"odd"}
    assert len(used) + len(lost) == 7


@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, {"id": None}], ids=str)
def test_a_record_that_is_none(server, tmp_path, monkeypatch, odd):
    serve(server, [odd, odd])
    used, lost = check(server, tmp_path, monkeypatch)
    assert len(used) == 6 and [row["reason"] for row in lost] == ["the file id is no plain id"] * 2


def test_a_duplicate_record(server, tmp_path, monkeypatch):
    """On one page, or over two: asked again, the server says the same."""
    for page in (500, 1):
        serve(server, [record(), record()], page=page)
        used, lost = check(server, tmp_path, monkeypatch)
        assert len(used) == 7 and len(lost) == 1
    serve(server, [record(), record(cases=case("TCGA-ZZ-0001"))])
    used, lost = check(server, tmp_path, monkeypatch)
    assert len(used) == 6 and {row["reason"] for row in lost} == {
        "the server lists the file several times, and not alike"
    }
    # The same file among slides and counts.
    serve(server, [record(file_id="good-slide-0", file_name="x.tsv")], "rna")
    used, lost = check(server, tmp_path, monkeypatch)
    assert len(used) == 6 and lost[0]["reason"] == "the server lists file good-slide-0 several times"


def test_a_number_longer_than_python_takes(server):
    text = '{"data": {"hits": [{"file_id": "a", "file_size": %s}], "pagination": {"total": 1}}}' % ("9" * 5000)
    server.json = lambda handler, answer, status=200: send(handler, text.encode())
    try:
        assert Gdc(server.url, Client(5), 3).files("TCGA-BRCA", SLIDES)[0]["file_size"] == float("inf")
    finally:
        del server.json


def send(handler, text):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)


def test_pages_that_move_stay_an_error(server):
    serve(server, [], page=2)
    still, asked = server.files, []

    def moved(body):
        asked.append(body["from"])
        return still(body | {"from": max(0, body["from"] - (len(asked) == 2))})

    server.files = moved
    with pytest.raises(ValueError, match="the list changed meanwhile"):
        Gdc(server.url, Client(5), 3).files("TCGA-BRCA", SLIDES)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=30)
    | st.sampled_from(["x" * 5000, "../..", "a\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["submitter_id", "samples", "sample_type", "portions", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    facts=st.dictionaries(
        st.sampled_from(list(ODD)), JSON | st.sampled_from([v for values in ODD.values() for v in values]), min_size=1
    ),
    what=st.sampled_from(list(KINDS)),
    at=st.integers(0, 3),
    copies=st.integers(1, 3),
    page=st.sampled_from([1, 2, 500]),
)
def test_whatever_the_record(server, tmp_path, monkeypatch, facts, what, at, copies, page):
    serve(server, [record(**facts)] * copies, what, at, page)
    used, lost = check(server, tmp_path, monkeypatch)
    assert len(used) + len(lost) == 6 + copies and len(used) >= 5


def test_an_old_manifest_with_odd_rows_is_read_and_the_rest_is_fetched(server, tmp_path, monkeypatch):
    """As they were pinned before names of counts were looked at, or by hand.

    Each mutant of the check must be caught.
    """
    serve(server, [])
    used, _ = check(server, tmp_path, monkeypatch)
    config = config_of(server)
    rows, about = pinned.read_manifest(manifest_path("x"))
    odd = [dict(rows[0], file_id=f"odd{i}", slide_id=f"S{i}", file_name=f"S{i}.svs") for i in range(9)]
    changes = (
        {"file_name": "../x"},
        {"file_name": None},
        {"slide_id": "../x"},
        {"slide_id": None},
        {"file_id": "../x"},
        {"md5": None},
        {"bytes": 0},
        {"patient_id": "\n"},
        {"what": "rna", "file_name": "a/b"},
    )
    for row, change in zip(odd, changes, strict=True):
        row.update(change)
    write_table(pd.DataFrame([*rows, *odd]), manifest_path("x"), MANIFEST, meta=about)
    pinned.read_manifest.cache_clear()
    again = cohort_rows(config, "x")
    assert again == used and len(left_out(config, "x")) == 9
    out = tmp_path / "in"
    lost = fetch_rows(
        again,
        out,
        sources_of(server.url, f"{server.url}/mirror", None, 5),
        Manner(connections=1, segment=1 << 20, attempts=2),
    )
    assert lost == {} and sorted(p.read_bytes() for p in out.rglob("*") if p.is_file()) == [CONTENT] * 6
    with monkeypatch.context() as patch:
        patch.setattr(pinned, "fault_of", lambda row: None)
        with pytest.raises((TypeError, AssertionError)):
            assert cohort_rows(config, "x") == used


def test_the_mutant_without_a_check_of_names_is_caught(server, tmp_path, monkeypatch):
    serve(server, [record(file_name="../../x.svs")])
    monkeypatch.setattr(manifest, "fault_of", lambda row: None)
    monkeypatch.setattr(pinned, "fault_of", lambda row: None)
    with pytest.raises(AssertionError):
        used, _ = check(server, tmp_path, monkeypatch)
        assert all(
            row["status"] == OK and row["file"].startswith("slides/TCGA") or row["what"] == "rna" for row in used
        )
