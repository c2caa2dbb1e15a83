"""From pixels: a small cohort of drawn slides through every stage.

Slides that cannot be used are tried among a user's own.
"""

import base64
import json
import os
import re
import shutil

import cv2
import h5py
import numpy as np
import openslide
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Recorded, script, snakemake
from contents import contents
from slides.drawn import drawn_slide
from test_smoke import OF_SLIDES

from confuselt.cells.columns import NAMES
from confuselt.config.generate import TABLES
from confuselt.evaluate.schema import TILES
from confuselt.settings import load_config, settings
from confuselt.slides.groups import group_of
from confuselt.tables import read_table

pytestmark = pytest.mark.xdist_group("slides")
BY_NAME = {t.name: t for t in TABLES}
CONFIG = {
    "cohort": "drawn",
    "experiment": "drawn",
    "groups": 3,
    "tasks": {
        "survival": [{"name": "os"}],
        "labels": [{"name": "pam50", "classes": ["Basal", "Her2", "LumA", "LumB"], "from_rna": True}],
    },
    "acquire": {"source": "simulate"},
    "simulate": {"level": "slides", "patients": 20, "sites": 6, "slide_mm": 0.5, "without_slide": 0.1},
    "embed": {"encoder": "efficientnet-lite0"},
    "cells": {"method": "classical"},
    "split": {"folds": 2, "min_events": 1},
    "pretrain": {"epochs": 2, "model": {"hidden": 16, "attention": 8, "dim": 16}},
    "finetune": {"epochs": 2, "arms": ["wsi-pretrained-cells"]},
    "evaluate": {"primary": "os", "min_events": 5, "draws": 100, "baselines": [], "controls": {"kinds": []}},
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    snakemake(folder, config=CONFIG)
    return folder


@pytest.fixture
def cohort(drawn):
    return drawn / "results/cohorts/drawn"


def test_every_slide_has_tiles_features_and_cells_row_by_row(cohort):
    slides = pd.read_parquet(cohort / "acquire/slides.parquet")
    tiles = pd.read_parquet(cohort / "tile/index.parquet").set_index("slide_id")
    embedded = pd.read_parquet(cohort / "embed/efficientnet-lite0/index.parquet").set_index("slide_id")
    cells = pd.read_parquet(cohort / "cells/index.parquet").set_index("slide_id")
    assert set(slides["slide_id"]) == set(tiles.index) == set(embedded.index) == set(cells.index)
    ok = tiles[tiles["status"] == "ok"]
    assert (
        len(ok) > 0.8 * len(tiles)
        and (embedded.loc[ok.index, "n"] == ok["n"]).all()
        and (cells.loc[ok.index, "n"] == ok["n"]).all()
    )
    assert set(ok["mpp"]) == {0.25, 0.5}, "some sites scan finer"
    with h5py.File(cohort / "pack/efficientnet-lite0.h5") as store:
        assert store["tile"]["features"].shape == (ok["n"].sum(), 1280) and store["cells"]["features"].shape == (
            ok["n"].sum(),
            len(NAMES),
        )
        np.testing.assert_array_equal(store["tile"]["coords"][()], store["cells"]["coords"][()])
        first = store["slide_id"].asstr()[0]
        grid = pd.read_parquet(cohort / f"tile/{first}.parquet")
        np.testing.assert_array_equal(store["tile"]["coords"][: len(grid)], grid[["x", "y"]])
        assert store["tile"]["features"].dtype == np.float16 and store["tile"]["features"].chunks is None


def test_tables_of_slides_keep_their_schema(cohort):
    seen = set()
    for path in cohort.rglob("*.parquet"):
        table = pq.read_schema(path).metadata.get(b"table")
        if table:
            read_table(path, BY_NAME[table.decode()])
            seen.add(table.decode())
    assert seen >= OF_SLIDES
    assert not [p for p in cohort.rglob("*") if ".partial" in p.name]


def test_the_report_shows_slides_and_attention(drawn):
    text = (drawn / "results/experiments/drawn/evaluate/report.html").read_text()
    assert "<h3>Slides</h3>" in text and 'data-layer="attention"' in text and "pam50 is defined on RNA" in text


def test_tiles_at_both_ends_of_attention_are_those_of_the_slides(drawn, cohort):
    table = read_table(drawn / "results/experiments/drawn/evaluate/tiles.parquet", TILES)
    assert set(table["arm"]) == {"wsi-pretrained-cells"} and set(table["part"]) == {"survival", "pam50"}
    sides = pd.read_parquet(cohort / "tile/index.parquet").set_index("slide_id")["tile_px"]
    for part, rows in table.groupby("part"):
        most, least = rows[rows["rank"] > 0], rows[rows["rank"] < 0]
        assert len(most) and len(least) and most["times"].min() >= least["times"].max(), part
        assert rows.groupby(["slide_id", rows["rank"] > 0]).size().max() <= 2
    for row in table.itertuples():
        seen = cv2.imdecode(np.frombuffer(base64.b64decode(row.jpeg), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        side = int(sides[row.slide_id])
        slide = openslide.OpenSlide(cohort / f"acquire/simulated/slides/{row.slide_id}.svs")
        wanted = slide.read_region((row.x, row.y), 0, (side, side)).convert("RGB").resize((120, 120))
        assert np.abs(seen.astype(float) - np.asarray(wanted, float)).mean() < 8
    text = (drawn / "results/experiments/drawn/evaluate/report.html").read_text()
    assert text.count('alt="tile of ') == len(table)


def test_nothing_to_be_done(drawn):
    assert "Nothing to be done" in (done := snakemake(drawn, "-n", config=CONFIG)).stdout + done.stderr


@pytest.mark.full
@pytest.mark.xdist_group("grown")
def test_a_cohort_that_grew_with_a_stop_after_an_index_is_that_of_a_fresh_run(tmp_path):
    config = {
        **CONFIG,
        "groups": 2,
        "tasks": {"survival": [{"name": "os"}], "labels": []},
        "simulate": {
            "level": "slides",
            "patients": 8,
            "sites": 4,
            "slide_mm": 0.4,
            "without_slide": 0,
            "second_slide": 0,
            "without_rna": 0,
        },
    }
    more = {**config, "simulate": {**config["simulate"], "patients": 9}}
    grown, fresh = tmp_path / "grown", tmp_path / "fresh"
    snakemake(grown, config=config)
    before = contents(grown)
    patterns = ("tile/*.png", "embed/*/*.h5", "cells/*.h5", "acquire/simulated/slides/*.svs")
    slides = {p: p.stat().st_mtime_ns for pattern in patterns for p in grown.glob(f"results/cohorts/drawn/{pattern}")}
    for stage in ("tile", "embed/efficientnet-lite0"):
        snakemake(grown, f"{grown}/results/cohorts/drawn/{stage}/index.parquet", config=more)
    snakemake(grown, config=more)
    assert {p: p.stat().st_mtime_ns for p in slides} == slides, "slides that were there are kept as they are"
    new = {p.stem for p in grown.glob("results/cohorts/drawn/embed/*/*.h5")} - {p.stem for p in slides}
    assert new == {"SIM-001-0008-DX1"}
    snakemake(fresh, config=more)
    assert contents(grown) == contents(fresh)
    assert (
        before.keys() < contents(grown).keys()
        and before["experiments/drawn/evaluate/report.html"]
        != contents(grown)["experiments/drawn/evaluate/report.html"]
    )


def test_the_plan_of_a_pixel_key_is_the_contract(drawn):
    config = json.loads(json.dumps(CONFIG)) | {"tile": {"max_pen": 0.2}}
    done = snakemake(drawn, "-n", config=config)
    text = done.stdout + done.stderr
    assert (
        all(rule in text for rule in ("cut_tiles", "embed_tiles", "find_cells", "pack_bags"))
        and "simulate_slides" not in text
        and "gather_rna" not in text
    )


def test_a_backend_is_code_of_the_jobs_that_use_it(drawn, tmp_path):
    """One more encoder, finder or reader changes no job; an edit of one those that use it."""
    workflow = tmp_path / "workflow"
    shutil.copytree(ROOT / "workflow", workflow, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "environment.yml", tmp_path / "environment.yml")
    package = workflow / "confuselt"

    def jobs():
        done = snakemake(drawn, "-n", "--snakefile", str(workflow / "Snakefile"), config=CONFIG)
        counted = re.findall(r"^(cut_tiles|embed_tiles|find_cells) +\d+$", done.stdout + done.stderr, re.M)
        assert counted or "Nothing to be done" in done.stdout + done.stderr
        return set(counted)

    for file, old, new in (("slides/suffixes.py", "DIRECT = {", 'DIRECT = {".czi": "another", '),):
        text = (package / file).read_text()
        assert old in text
        (package / file).write_text(text.replace(old, new))
    (package / "embed/cards/another.yaml").write_text("architecture: resnet50\ndim: 2048\npooling: vector\n")
    for folder in ("embed/encoders", "cells/finders", "slides/readers"):
        (package / folder / "another.py").write_text("NAME = 'another'\n")
    assert jobs() == set()
    for file, old, new, used_by in (
        ("embed/encoders/efficientnet_lite0.py", '"_fc"', '"fc"', {"embed_tiles"}),
        ("embed/cards/efficientnet-lite0.yaml", "mean: [0.49", "mean: [0.48", {"embed_tiles"}),
        ("embed/cards/efficientnet-lite0.yaml", "licence: ", "licence: now ", set()),
        ("cells/finders/classical.py", "LEAST_UM2, MOST_UM2 = 6.0", "LEAST_UM2, MOST_UM2 = 7.0", {"find_cells"}),
        ("slides/readers/tiled_tiff.py", '"no JPEG"', '"none"', {"cut_tiles", "embed_tiles", "find_cells"}),
    ):
        text = (package / file).read_text()
        assert old in text
        (package / file).write_text(text.replace(old, new))
        assert jobs() == used_by, file
        (package / file).write_text(text)


def test_slide_scripts_read_every_key_that_they_state(drawn, cohort, tmp_path):
    config = load_config(ROOT / "config/config.yaml", drawn / "config.json")
    rows = [
        {"slide_id": s, "patient_id": s[:12], "file": f"slides/{s}.svs", "mpp": None, "reader": "tiled_tiff"}
        for s in sorted(p.stem for p in cohort.glob("acquire/simulated/slides/*.svs"))[:1]
    ]
    group = group_of(rows[0]["slide_id"], 3)
    slides, part = cohort / "acquire/slides.parquet", cohort / f"tile/parts/{group}.parquet"
    copies = {"tile": tmp_path / "tile", "embed": tmp_path / "embed", "cells": tmp_path / "cells"}
    for folder in copies.values():
        folder.mkdir()
    shutil.copytree(cohort / "tile", copies["tile"], dirs_exist_ok=True)
    simulated = tmp_path / "simulated"
    calls = {
        "simulate/simulate_patients": {
            k: simulated / f"{k}.out" for k in ("slides", "rna", "counts", "clinical", "centroids", "truth")
        },
        "simulate/simulate_slides": {"part": simulated / "parts/0.parquet"},
        "tile/cut_tiles": {"part": tmp_path / "cut/parts/0.parquet"},
        "tile/index_tiles": {"parts": [part], "slides": slides, "index": tmp_path / "i.parquet"},
        "embed/embed_tiles": {"tiles": part, "part": copies["embed"] / "parts/0.parquet"},
        "embed/index_embeddings": {
            "parts": [cohort / f"embed/efficientnet-lite0/parts/{group}.parquet"],
            "slides": slides,
            "index": tmp_path / "e.parquet",
        },
        "cells/find_cells": {"tiles": part, "part": copies["cells"] / "parts/0.parquet"},
        "cells/index_cells": {
            "parts": [cohort / f"cells/parts/{group}.parquet"],
            "slides": slides,
            "index": tmp_path / "c.parquet",
        },
    }
    for name, arguments in calls.items():
        path, module = ROOT / f"workflow/scripts/{name}.py", script(name)
        cfg = Recorded({**settings(path, config), "data": str(cohort / "acquire/simulated"), "rows": rows})
        for value in arguments.values():
            if not isinstance(value, list):
                value.parent.mkdir(parents=True, exist_ok=True)
        # What only indexes states no key: when to stop is an argument.
        module.main(**arguments, **({"cfg": cfg} if module.READS else {"max_excluded": 1.0}))
        unread = set(settings(path, config)) - cfg.read
        assert not unread, f"{name} states keys that it never reads: {unread}"


def test_slides_of_ones_own_with_faults_are_rows_and_the_rest_goes_on(tmp_path):
    """A sheet with good slides, and one each that is absent, empty, text, cut off, glass, without mpp."""
    from confuselt.simulate.svs import write_svs

    data = tmp_path / "data"
    data.mkdir()
    # Scanners differ: 0.499 and 0.2525 are not a whole number of pixels per tile, and go into one store all the same.
    for k, (mpp, stated) in enumerate(((0.5, 0.5), (0.5, 0.499), (0.25, 0.2525))):
        drawn_slide(data / f"good{k}.svs", seed=k, width_um=400, mpp=mpp, stated=stated)
    drawn_slide(data / "silent.svs", seed=9, stated=None, width_um=400)
    drawn_slide(data / "told.svs", seed=10, stated=None, width_um=400)
    (data / "empty.svs").touch()
    (data / "text.svs").write_text("these are not the pixels you are looking for")
    (data / "cut.svs").write_bytes((data / "good0.svs").read_bytes()[:4000])
    write_svs(data / "glass.svs", np.full((700, 900, 3), 243, np.uint8), 0.5)
    names = ["good0", "good1", "good2", "silent", "told", "empty", "text", "cut", "glass", "absent"]
    ids = [
        n.removeprefix("good") for n in names
    ]  # a number is a slide's id like another, whatever the groups are called
    lines = [f"{s},P{i},{n}.svs,{0.5 if n == 'told' else ''}" for i, (s, n) in enumerate(zip(ids, names, strict=True))]
    lines += ["lonely,,good0.svs,", "P1/s1,P1,good1.svs,", "index,P1,good1.svs,"]
    (data / "slides.csv").write_text("slide_id,patient_id,file,mpp\n" + "\n".join(lines) + "\n")
    people = "".join(f"P{i},S{i % 2},{100 + i},{i % 2},{'LumA' if i % 2 else 'Basal'}\n" for i in range(len(names)))
    (data / "clinical.csv").write_text("patient_id,site,os_days,os_event,pam50\n" + people)
    config = {
        **{k: v for k, v in CONFIG.items() if k != "simulate"},
        "cohort": "own",
        "data": str(data),
        "groups": 3,
        "max_excluded": 0.8,
        "acquire": {
            "source": "local",
            "slides": "slides.csv",
            "tile": None,
            "cells": None,
            "rna": None,
            "clinical": "clinical.csv",
            "covariates": [],
        },
    }
    cohort = tmp_path / "results/cohorts/own"
    target = f"{cohort}/pack/efficientnet-lite0.h5"
    snakemake(tmp_path, target, f"{cohort}/tile/index.parquet", config=config)
    reasons = pd.read_parquet(cohort / "tile/index.parquet").set_index("slide_id")["reason"]
    assert reasons[["0", "1", "2", "told"]].isna().all()
    words = {
        "silent": "does not say its µm per pixel",
        "empty": "the file is empty",
        "text": "cannot be opened as a slide",
        "cut": "cannot be",
        "glass": "no tissue found",
        "absent": "listed but absent",
    }
    for slide, said in words.items():
        assert said in reasons[slide] and slide in reasons[slide]
    copied = pd.read_parquet(cohort / "embed/efficientnet-lite0/index.parquet").set_index("slide_id")["reason"]
    assert copied["glass"] == "excluded at tile: " + reasons["glass"]
    sheet = pd.read_parquet(cohort / "acquire/slides.parquet").set_index("slide_id")["reason"]
    assert "slide 'lonely' has no patient_id" in sheet["lonely"] and all(
        "files are named after a slide" in sheet[s] for s in ("P1/s1", "index")
    )
    with h5py.File(cohort / "pack/efficientnet-lite0.h5") as store:
        assert store["slide_id"].asstr()[()].tolist() == ["0", "1", "2", "told"]
    # Too many: an error that lists them, before anything is trained.
    strict = tmp_path / "strict"
    other = f"{strict}/results/cohorts/own/tile/index.parquet"
    done = snakemake(strict, other, config={**config, "max_excluded": 0.3}, check=False)
    logs = "".join(p.read_text() for p in (strict / "results/logs/tile").rglob("index_tiles*.log"))
    assert (
        done.returncode and "6 of 10 slides are excluded, more than max_excluded (30%)" in logs and "text.svs" in logs
    )
    # Touched slides are the same slides.
    for file in data.glob("*.svs"):
        os.utime(file)
    done = snakemake(tmp_path, target, "-n", config=config)
    assert "Nothing to be done" in done.stdout + done.stderr
    # A slide appears and another changes: only their groups run again.
    parts = {p: p.stat().st_mtime_ns for p in cohort.rglob("parts/*.parquet")}
    kept = (cohort / "embed/efficientnet-lite0/1.h5").stat().st_mtime_ns
    drawn_slide(data / "absent.svs", seed=12, width_um=400)
    embedded = cohort / "embed/efficientnet-lite0/told.h5"
    told = embedded.stat().st_mtime_ns
    drawn_slide(data / "told.svs", seed=10, stated=None, width_um=400, density=9000.0)  # the same outline, other nuclei
    snakemake(tmp_path, target, config=config)
    assert embedded.stat().st_mtime_ns != told
    assert (cohort / "embed/efficientnet-lite0/1.h5").stat().st_mtime_ns == kept and (
        cohort / "embed/efficientnet-lite0/absent.h5"
    ).exists()
    again = {group_of(slide, config["groups"]) for slide in ("absent", "told")}
    assert group_of("1", config["groups"]) not in again
    for part, time in parts.items():
        assert (part.stat().st_mtime_ns == time) is (int(part.stem) not in again), part
    # A slide that was good breaks: nothing is left of what it was.
    (data / "told.svs").write_text("no more")
    snakemake(tmp_path, target, config=config)
    assert not list(cohort.rglob("*told.*"))
