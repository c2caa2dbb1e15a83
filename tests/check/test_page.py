"""The page of `check`: what is understood, left out and to be expected, or every fault; nothing runs."""

import numpy as np
import pandas as pd
import pytest
from conftest import snakemake

from confuselt.cells.columns import NAMES
from confuselt.check.costs import size_of
from confuselt.check.page import page
from confuselt.config.validate import validate

N = 60
TASKS = {
    "survival": [{"name": "os", "time": "months", "unit": "months", "event": "status", "event_is": ["Dead"]}],
    "labels": [{"name": "pam50", "column": "subtype", "classes": ["A", "B"]}],
}


def cohort(folder, **more):
    """Tables of sixty patients, written as a spreadsheet would, and a config for them."""
    rng = np.random.default_rng(0)
    ids = [f"P{i:03d}" for i in range(N)]
    facts = {
        "patient_id": ids,
        "site": [f"S{i // 5}" for i in range(N)],
        "months": rng.uniform(2, 90, N).round(1),
        "status": np.where(np.arange(N) % 2, "Dead", "Alive"),
        "subtype": ["A", "B", "A", "B", "A", "C"] * 10,
        "age": rng.integers(30, 80, N),
        "stage": ["I", "II", "III", None] * 15,
        "note": "x",
    }
    pd.DataFrame(facts).to_csv(folder / "clinical.csv", sep=";", index=False)
    features = pd.DataFrame(rng.normal(size=(3 * N, 5)), columns=[f"f{i}" for i in range(5)])
    features.assign(patient_id=np.repeat(ids, 3), slide_id=np.repeat([f"{i}-1" for i in ids], 3)).to_parquet(
        folder / "tile.parquet"
    )
    genes = pd.DataFrame(rng.integers(0, 99, (4, N)), columns=ids).assign(gene=list("WXYZ"))
    genes[["gene", *ids[:50]]].to_csv(folder / "rna.tsv", sep="\t", index=False)
    return {
        "data": str(folder),
        "cohort": "mine",
        "tasks": TASKS,
        "acquire": {"tile": "tile.parquet", "cells": None, "rna": "rna.tsv", "clinical": "clinical.csv"},
        "evaluate": {"primary": "os", "min_events": 20},
        **more,
    }


def test_what_is_understood_left_out_and_to_be_expected(tmp_path):
    lines, faults = page(validate(cohort(tmp_path)))
    text = "\n".join(lines)
    assert faults == []
    for said in (
        "clinical.csv: its cells are separated by semicolons",
        "60 rows; id: patient_id, 60 different: P000, P001, P002, P003 and 56 more",
        "site: site, 12 sites of 5 to 5 patients, 0 patients without",
        "label pam50: column subtype: A 30, B 20; 10 other values",
        "covariate age: numbers from ",
        "covariate stage: classes ",
        "15 missing",
        "not read: note",
        "180 rows; id: patient_id, 60 different",
        "5 features: f0, f1, f2, f3 and 1 more",
        "genes in rows; 50 columns of samples",
        "tasks.survival 'os': event: 'Dead'; censored: 'Alive'; 30 events of 60 patients",
        "no cells stream: the planned contrasts",
        "60 patients: 50 with slides and RNA, 10 with slides only, 0 with RNA only",
        "os: events in test folds: ",
        "30 in all: differences of C under 0.18 to 0.49 would be missed",
        "60 slides, 180 instances of 5 features",
        "memory of pretraining: 2.0 GB a job",
        "core-hours without a GPU, roughly: pretraining ",
    ):
        assert said in text, said


def test_more_of_the_config_is_followed(tmp_path):
    folds = pd.DataFrame({"patient_id": [f"P{i:03d}" for i in range(N)], "test_fold": [i % 2 for i in range(N)]})
    folds.to_csv(tmp_path / "folds.csv", index=False)
    split = {"from": "file", "file": "folds.csv", "folds": 2}
    more = cohort(tmp_path, split=split, evaluate={"primary": "os", "min_events": 31})
    lines, faults = page(validate(more))
    said = "  os: events in test folds: 0, 30; 30 in all, fewer than 31: it would be described, not compared"
    assert faults == [] and said in lines
    lines, faults = page(validate(cohort(tmp_path, split={"folds": 13})))
    assert faults == ["12 sites for 13 folds: use fewer folds or split.group: patient"]
    simulated, faults = page(validate({"acquire": {"source": "simulate"}, "embed": {"encoder": "ready"}}))
    assert faults == [] and "no tables of your own" in simulated[0]


def test_every_table_that_cannot_be_read_is_a_fault_of_its_own(tmp_path):
    config = cohort(tmp_path)
    (tmp_path / "rna.tsv").write_text("<html><body>404</body></html>")
    (tmp_path / "tile.parquet").write_bytes(b"no parquet")
    lines, faults = page(validate(config))
    assert len(faults) == 2 and "acquire.tile: " in faults[0] and "this is a web page" in faults[1]
    assert "acquire.clinical: " in "\n".join(lines) and "faults: mend them, and check again" in lines
    facts = pd.read_csv(tmp_path / "clinical.csv", sep=";")
    facts.assign(status=[1, 2] * 30).to_csv(tmp_path / "clinical.csv", index=False)
    config["acquire"] |= {"rna": None, "tile": None, "slides": "s.csv"}
    coding, fault = page(validate(config))[1]
    assert coding.startswith("acquire.clinical: clinical.csv: event column 'status'")
    assert "none of its feature files exists" in fault


def test_every_column_that_cannot_be_read_is_a_fault_of_its_own(tmp_path):
    config = cohort(tmp_path)
    facts = pd.read_csv(tmp_path / "clinical.csv", sep=";")
    ages = [f"{50 + i} Jahre" for i in range(60)]
    facts.assign(status=[1, 2] * 30, age=ages).to_csv(tmp_path / "clinical.csv", index=False)
    faults = page(validate(config))[1]
    assert len(faults) == 2 and "clinical.csv: event column 'status'" in faults[0]
    assert "clinical.csv: covariate 'age' says '50 Jahre'" in faults[1]


def test_ids_that_match_nothing_are_told_by_rule(tmp_path):
    config = cohort(tmp_path)
    facts = pd.read_csv(tmp_path / "clinical.csv", sep=";")
    facts.assign(patient_id=facts["patient_id"] + "-01A").to_csv(tmp_path / "clinical.csv", index=False)
    lines, faults = page(validate(config))
    text = "\n".join(lines)
    assert faults[0].startswith("60 of 60 slides would be left out: more than max_excluded (20%), first: ")
    assert "60 of 60 such ids are a known id without its ending '-01A'" in text


def test_slides_are_counted_by_their_sheet(tmp_path):
    pd.DataFrame({"slide_id": ["a", "b"], "patient_id": ["P000", "P001"], "file": ["a.svs", "b.svs"]}).to_csv(
        tmp_path / "slides.csv", index=False
    )
    (tmp_path / "a.svs").touch()
    slides = {"embed": {"encoder": "efficientnet-lite0"}, "cells": {"method": "classical"}}
    own = cohort(tmp_path, **slides, max_excluded=0.5)
    config = validate({**own, "acquire": {**own["acquire"], "tile": None, "slides": "slides.csv"}})
    size = size_of(config)
    assert (size.slides, size.instances, size.width) == (2, 20_000, 1280 + len(NAMES))
    text = "\n".join(page(config)[0])
    assert "file: 2 files, 1 of them absent: b.svs" in text
    assert "cut_tiles 0.0033, embed_tiles 0.19, find_cells 0.21" in text


@pytest.mark.parametrize("broken", [False, True])
def test_check_prints_the_page_and_runs_nothing(tmp_path, broken):
    (tmp_path / "in").mkdir()
    config = cohort(tmp_path / "in")
    if broken:
        (tmp_path / "in/rna.tsv").write_text("<html>")
    done = snakemake(tmp_path, "check", config=config, check=False)
    text = done.stdout + done.stderr
    assert ("1 fault in the tables of 'mine'" in text) == broken and (done.returncode != 0) == broken
    assert text.count("acquire.clinical: ") >= 1 and ("os: events in test folds: " in text) != broken
    assert not (tmp_path / "results/cohorts").exists()
    if broken:
        stopped = snakemake(tmp_path, config=config, check=False)
        assert stopped.returncode != 0 and "this is a web page" in stopped.stdout + stopped.stderr


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (lambda v: np.log2(v + 1), "it looks like a log scale: set rna.matrix: normalised"),
        (lambda v: v + 0.5, "set rna.round: true"),
        (lambda v: -v - 1, "has the negative count"),
    ],
)
def test_values_of_rna_are_looked_at(tmp_path, values, said):
    config = cohort(tmp_path)
    table = pd.read_csv(tmp_path / "rna.tsv", sep="\t", index_col=0).astype(float)
    values(table).to_csv(tmp_path / "rna.tsv", sep="\t")
    (fault,) = page(validate(config))[1]
    assert fault.startswith("50 of 50 RNA samples would be left out: more than max_excluded") and said in fault
    table.rename(index={"W": "1-Mar"}).to_csv(tmp_path / "rna.tsv", sep="\t")
    (fault,) = page(validate(config))[1]
    assert "'1-Mar' are dates" in fault


def test_bags_that_are_not_there_are_a_fault_and_notes_stand_once(tmp_path):
    config = cohort(tmp_path)
    sheet = pd.DataFrame({"slide_id": [f"s{i}" for i in range(10)], "patient_id": [f"P{i:03d}" for i in range(10)]})
    sheet.assign(tile=[f"s{i}.h5" for i in range(10)]).to_csv(tmp_path / "slides.csv", index=False)
    config["acquire"] |= {"tile": None, "slides": "slides.csv"}
    lines, (fault,) = page(validate(config))
    assert (
        "10 of 10 files in column 'tile'" in fault and f"first {tmp_path / 's0.h5'}; relative paths start at" in fault
    )
    assert sum("genes stand in rows" in line for line in page(validate(cohort(tmp_path)))[0]) == 1


def test_files_of_nuclei_are_looked_at_before_a_slide_is(tmp_path):
    slides = {"slide_id": ["a", "b"], "patient_id": ["P000", "P001"], "file": ["a.svs", "b.svs"]}
    pd.DataFrame(slides).to_csv(tmp_path / "slides.csv", index=False)
    for name in ("a.svs", "b.svs"):
        (tmp_path / name).touch()
    cells = {"method": "table", "nuclei": "nuclei/{slide_id}.csv", "roles": {"Tumor": "tumour", "Stroma": "stroma"}}
    own = cohort(tmp_path, embed={"encoder": "efficientnet-lite0"}, cells=cells, max_excluded=0.5)
    config = validate({**own, "acquire": {**own["acquire"], "tile": None, "slides": "slides.csv"}})
    lines, faults = page(config)
    assert "  0 of 2 slides have a file" in lines
    assert any(f"no slide has a file; looked for {tmp_path}/nuclei/a.csv" in fault for fault in faults)
    (tmp_path / "nuclei").mkdir()
    nuclei = pd.DataFrame({"x": range(30), "y": range(30), "type": ["Tumor"] * 20 + ["Lymphocyte"] * 10})
    nuclei.to_csv(tmp_path / "nuclei/b.csv", index=False)
    lines, faults = page(config)
    text = "\n".join(lines)
    assert "1 of 2 slides have a file" in text and "1 without one, first a" in text
    assert "b.csv: 30 nuclei: Tumor 20, Lymphocyte 10" in text and "of no nucleus there: Stroma" in text
    assert any("add, if it is so: Lymphocyte: immune" in fault for fault in faults)
