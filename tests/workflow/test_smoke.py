"""The tiny cohort through every stage: each table keeps its schema, the report is whole, predict serves others."""

import inspect
import json
import re
import shutil
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, TINY, Recorded, script, snakemake

from confuselt.config.generate import TABLES
from confuselt.content import content_hash
from confuselt.evaluate.schema import METRICS
from confuselt.learn.checkpoint import load_checkpoint, save_checkpoint
from confuselt.predict.schema import PREDICTIONS
from confuselt.run_step import grouped
from confuselt.settings import load_config, settings
from confuselt.tables import read_table, write_table

pytestmark = pytest.mark.xdist_group("tiny")
BY_NAME = {t.name: t for t in TABLES}
# Written where a cohort has slides (test_slides.py), or comes from GDC (test_project.py).
OF_SLIDES = {"acquire/drawn", "tile/grid", "tile/index", "cells/nuclei"}
OF_GDC = {"acquire/manifest", "acquire/files", "acquire/fetched"}


@pytest.fixture
def cohort(tiny):
    return tiny / "results/cohorts/tiny"


@pytest.fixture
def experiment(tiny):
    return tiny / "results/experiments/tiny"


def test_every_table_keeps_its_schema_and_is_stamped(tiny):
    seen = set()
    for path in (tiny / "results").rglob("*.parquet"):
        if "simulated" in path.parts:
            continue
        meta = pq.read_schema(path).metadata
        name = meta[b"table"].decode()
        read_table(path, BY_NAME[name])
        stamp = json.loads(meta[b"stamp"])
        assert len(stamp["code"]) == 16 and stamp["stage"] in path.parts and stamp["torch"], path
        seen.add(name)
    # PAM50 calls need a table of centroids, and weights of models a file, which the tiny cohort does not name.
    not_asked = {"predict/predictions", "rna/pam50", "rna/calls", "embed/weights", "cells/weights", "cells/deep"}
    not_asked |= {"evaluate/tiles", "evaluate/attention"}  # of slides; test_slides has them
    assert seen == set(BY_NAME) - {*not_asked, *OF_SLIDES, *OF_GDC}


def test_nothing_partial_is_left(tiny):
    assert not [p for p in (tiny / "results").rglob("*") if "partial" in p.name or ".parts" in p.name]


def test_stores_are_contiguous_and_say_what_they_are(cohort):
    with h5py.File(cohort / "pack/ready.h5") as file:
        for stream in ("tile", "cells"):
            assert file[stream]["features"].chunks is None and file[stream]["features"].dtype == np.float32
            assert file[stream].attrs["name"] == "ready"
        assert file["tile"]["features"].shape[1] == 12 and file["cells"]["features"].shape[1] == 8


def test_rna_is_fitted_on_training_patients(cohort, experiment):
    folds = pd.read_parquet(experiment / "split/folds.parquet")
    for fold in (0, 1):
        rna = ad.read_h5ad(experiment / f"rna/r0f{fold}.h5ad")
        facts = json.loads((experiment / f"rna/r0f{fold}.json").read_text())
        assert facts["genes"] == list(rna.var_names) and len(facts["genes"]) == 60
        train = [
            p for p in folds[(folds["fold"] == fold) & (folds["role"] == "train")]["patient_id"] if p in rna.obs_names
        ]
        assert np.abs(rna[train].X.mean(0)).max() < 0.15


def test_metrics_hold_every_arm_control_and_baseline(experiment):
    metrics = pd.read_parquet(experiment / "evaluate/metrics.parquet")
    assert set(metrics["arm"]) == {
        "wsi-pretrained-cells",
        "both-pretrained-cells",
        "clinical",
        "clinical+wsi-pretrained-cells",
        "permuted",
        "mispaired",
        "without-pam50",
        "leaky-chance",
    }
    # Genes of this cohort have names of their own.
    assert set(metrics.loc[metrics["arm"] == "without-pam50", "reason"]) == {
        "pretraining was not available: the matrix has none of PAM50's genes"
    }
    ok = metrics[
        (metrics["status"] == "ok") & metrics["metric"].isin(["harrell_c", "auc_macro"]) & (metrics["fold"] == -1)
    ]
    assert ok["value"].between(0, 1).all() and (ok["low"] <= ok["high"]).all()
    both = ok[(ok["arm"] == "both-pretrained-cells") & (ok["task"] == "pfi")]
    assert set(both["inputs"]) == {"both", "wsi", "rna"}
    assert metrics.loc[metrics["status"] != "ok", "reason"].notna().all()


def test_out_of_fold_predictions_are_once_per_patient(experiment):
    table = pd.read_parquet(experiment / "evaluate/predictions.parquet")
    assert not table.duplicated(["patient_id", "arm", "draw", "inputs", "task", "output"]).any()
    folds = pd.read_parquet(experiment / "split/folds.parquet")
    test = folds[folds["role"] == "test"].set_index("patient_id")["fold"]
    ours = table[table["draw"] == 0]
    assert (test.loc[ours["patient_id"]].to_numpy() == ours["fold"].to_numpy()).all()


def test_comparisons_and_retrieval(experiment):
    comparisons = pd.read_parquet(experiment / "evaluate/comparisons.parquet")
    assert set(comparisons["question"]) == {"modality", "pretraining", "cells", "single-input", "clinical"}
    lost = comparisons.loc[comparisons["status"] != "ok", "reason"]
    assert lost.str.contains(
        "is not among the arms of this run|not among the models of this run|described, not compared|"
        "no fold in which both sides|^without-pam50: pretraining was not available"
    ).all()
    retrieval = pd.read_parquet(experiment / "evaluate/retrieval.parquet")
    assert set(retrieval["model"]) == {"tile-cells", "cca", "mispaired"}
    assert set(retrieval["direction"]) == {"wsi-to-rna", "rna-to-wsi"} and set(retrieval["stratum"]) == {
        "all",
        "within-site",
        "within-class",
    }


def test_report_is_one_file_that_asks_for_nothing(experiment):
    text = (experiment / "evaluate/report.html").read_text()
    sections = re.findall(r'<section id="(\w+)"', text)
    assert sections == ["found", "believed", "people", "performance", "looked", "reported", "everything"]
    for heading in (
        "What these data cannot answer",
        "Left out, with reasons",
        "Kaplan–Meier",
        "Retrieval between modalities",
        "Scoreboard",
    ):
        assert heading in text
    assert "Every arm was trained under it" in text
    assert text.count("<svg") >= 10 and text.count('<p class="result">') == 7
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text) and "http" not in re.sub(
        r"base64,[A-Za-z0-9+/=]+", "", text
    )
    shown = re.sub(r"base64,[A-Za-z0-9+/=]+|<script>.*?</script>", "", text, flags=re.S)
    assert "nan" not in shown.lower().replace("nano", "")


def test_a_page_for_one_patient(tiny, experiment):
    """Of whoever is asked for; one that is not there is an error that names who is alike."""
    people = pd.read_parquet(experiment / "split/folds.parquet").query("role == 'test'")["patient_id"]
    snakemake(tiny, "patient", "--config", f"patient={{id: {people.iloc[0]}}}")
    text = (experiment / f"patients/{people.iloc[0]}.html").read_text()
    assert re.findall(r'<section id="(\w+)"', text) == ["who", "predicted", "slides", "alike"]
    assert "Nearest in the joint space" in text
    others = set(re.findall(r"SIM-001-\d{4}", text.split('id="alike"')[1]))
    assert others and others <= set(people)
    failed = snakemake(tiny, "patient", "--config", "patient={id: SIM-001-999}", check=False)
    assert failed.returncode and "is no patient of this cohort; is it SIM-001-" in failed.stdout + failed.stderr


def test_two_experiments_side_by_side(tiny, experiment):
    """Nothing but what `evaluate` wrote is read, and nothing is trained, whatever the config says now."""
    other = experiment.parent / "other"
    (other / "evaluate").mkdir(parents=True)
    for path in (experiment / "evaluate").glob("*.*"):
        shutil.copy(path, other / "evaluate")
    made = json.loads((other / "evaluate/provenance.json").read_text())
    trained = next(row for row in made if row["rule"] == "finetune_arm")
    assert {"fit_baseline", "map_space", "score_arms", "pretrain_towers"} <= {row["rule"] for row in made}
    metrics = read_table(other / "evaluate/metrics.parquet", METRICS)
    ours = (metrics["arm"] == "both-pretrained-cells") & (metrics["inputs"] == "both") & (metrics["task"] == "os")
    shifted = metrics["value"] + 0.125 * (ours & (metrics["metric"] == "harrell_c"))
    write_table(metrics.assign(value=shifted), other / "evaluate/metrics.parquet", METRICS)
    assert {"acquire", "embed", "cells", "rna", "split", "pack", "pretrain", "finetune", "evaluate"} == {
        row["stage"] for row in made
    }
    trained["settings"]["finetune.epochs"] = 77
    (other / "evaluate/provenance.json").write_text(json.dumps(made))
    changed = {**TINY, "finetune": {**TINY["finetune"], "epochs": 9}}
    done = snakemake(tiny, "compare", "--config", "first=tiny", "second=other", config=changed)
    started = set(re.findall(r"^(\w+) +\d+$", done.stdout + done.stderr, re.M)) - {"total"}
    assert started == {"write_compared", "compare"}
    text = (tiny / "results/compare/tiny/other.html").read_text()
    assert re.findall(r'<section id="(\w+)"', text) == ["results", "agreement", "settings"]
    assert (
        " 1 lie above 0, 0 below" in text
        and '<td class="n">0.125</td>' in text
        and "Settings that differ: 1; rules, hashes of code and versions of libraries that differ: 0." in text
    )
    assert "<td>finetune.epochs</td>" in text and "<td>77</td>" in text
    shutil.rmtree(other)
    failed = snakemake(tiny, "compare", "--config", "first=tiny", "second=other", check=False)
    assert failed.returncode and "'other' has no evaluate/provenance.json" in failed.stdout + failed.stderr


def test_snakemakes_own_report(tiny):
    snakemake(tiny, "--report", str(tiny / "report.zip"))
    assert (tiny / "report.zip").stat().st_size > 10_000


def test_every_job_logged_and_benchmarked(tiny):
    files = set((tiny / "results/benchmarks").rglob("*.jsonl"))
    speeds = {path for path in files if path.name.endswith(".training.jsonl")}
    assert len(files - speeds) >= 25
    for path in files - speeds:
        assert json.loads(path.read_text().splitlines()[0])["s"] > 0
    trained = [json.loads(line) for path in speeds for line in path.read_text().splitlines()]
    assert {path.relative_to(tiny / "results/benchmarks").parts[0] for path in speeds} == {"pretrain", "finetune"}
    assert sum(record["instances_per_second"] > 0 for record in trained) >= len(speeds)


def test_scripts_read_every_key_that_they_state(tiny, cohort, experiment, tmp_path):
    """Run each script's main in this process with a recording cfg."""
    config = load_config(ROOT / "config/config.yaml", tiny / "config.json")
    sim = cohort / "acquire/simulated"
    acquired = {
        k: cohort / f"acquire/{k}.parquet" for k in ("slides", "rna", "outcomes", "covariates", "patients", "downloads")
    }
    folds, store, plan = experiment / "split/folds.parquet", cohort / "pack/ready.h5", experiment / "evaluate/plan.json"
    rna = [experiment / f"rna/r0f{f}.h5ad" for f in (0, 1)]
    pre = [experiment / f"pretrain/tile-cells/r0f{f}.pt" for f in (0, 1)]
    arms = ("wsi-pretrained-cells", "both-pretrained-cells", "clinical", "cca")
    streams = {
        s: (cohort / f / "index.parquet", cohort / f / "features.h5")
        for s, f in (("tile", "embed/ready"), ("cells", "cells"))
    }
    evaluated = {
        k: experiment / f"evaluate/{k}.parquet"
        for k in ("predictions", "metrics", "comparisons", "retrieval", "curves", "strata")
    }
    calls = {
        "simulate/simulate_cohort": dict(tile="o", cells="o", rna="o", clinical="o", truth="o"),
        "acquire/read_sheets": dict(
            slides="o",
            rna="o",
            slide_sheet=None,
            tile_table=sim / "tile_features.parquet",
            cells_table=sim / "cell_features.parquet",
            rna_matrix=sim / "rna_counts.parquet",
            clinical_table=sim / "clinical.csv",
        ),
        "acquire/read_outcomes": dict(
            slides=acquired["slides"],
            rna=acquired["rna"],
            outcomes="o",
            patients="o",
            calls=[],
            clinical_table=sim / "clinical.csv",
        ),
        "acquire/read_covariates": dict(covariates="o", clinical_table=sim / "clinical.csv"),
        "acquire/list_sources": dict(downloads="o", fetched=[]),
        "acquire/permute_outcomes": dict(outcomes=acquired["outcomes"], permuted="o", control="permuted", draw=1),
        "embed/import_tiles": dict(slides=acquired["slides"], index="o", features="o"),
        "cells/import_cells": dict(slides=acquired["slides"], index="o", features="o"),
        "rna/gather_rna": dict(samples=acquired["rna"], counts="o", index="o", rna_matrix=sim / "rna_counts.parquet"),
        "rna/call_pam50": dict(
            counts=cohort / "rna/counts.h5ad",
            index=cohort / "rna/index.parquet",
            centroids=tmp_path / "centroids.csv",
            pam50="o",
        ),
        "rna/call_labels": dict(
            counts=cohort / "rna/counts.h5ad",
            index=cohort / "rna/index.parquet",
            centroids=tmp_path / "centroids.csv",
            calls="o",
            task="pam50",
            clinical_table=tmp_path / "er.csv",
        ),
        "rna/normalise_rna": dict(
            counts=cohort / "rna/counts.h5ad", folds=folds, normalised=["o", "o"], normalisers=["o", "o"], repeat=0
        ),
        "split/make_folds": dict(outcomes=acquired["outcomes"], patients=acquired["patients"], folds="o"),
        "pack/pack_bags": dict(
            tile_index=streams["tile"][0],
            tile_features=streams["tile"][1],
            cells_index=streams["cells"][0],
            cells_features=streams["cells"][1],
            store="o",
        ),
        "pretrain/pretrain_towers": dict(
            store=store,
            rna=rna,
            folds=folds,
            checkpoints=["o", "o"],
            histories=["o", "o"],
            streams="tile-cells",
            repeat=0,
        ),
        "evaluate/register_plan": dict(plan="o"),
        "finetune/finetune_arm": dict(
            store=store,
            rna=rna,
            folds=folds,
            outcomes=acquired["outcomes"],
            checkpoints=pre,
            other_checkpoints=[],
            predictions="o",
            models="o",
            arm="both-pretrained-cells",
            repeat=0,
        ),
        "finetune/fit_baseline": dict(
            store=store,
            rna=rna,
            folds=folds,
            outcomes=acquired["outcomes"],
            predictions="o",
            models="o",
            baseline="pca-cox",
            repeat=0,
        ),
        "finetune/fit_late_fusion": dict(arm_predictions=[], arm_models=[], predictions="o", models="o", repeat=0),
        "finetune/fit_clinical_plus": dict(
            store=store,
            rna=rna,
            folds=folds,
            covariates=acquired["covariates"],
            outcomes=acquired["outcomes"],
            checkpoints=pre,
            other_checkpoints=[],
            score_predictions=[experiment / f"finetune/{a}/r0.parquet" for a in ("clinical", "both-pretrained-cells")],
            score_models=[experiment / f"finetune/{a}/r0.pt" for a in ("clinical", "both-pretrained-cells")],
            predictions="o",
            models="o",
            arm="both-pretrained-cells",
            repeat=0,
        ),
        "finetune/fit_leaky_chance": dict(store=store, folds=folds, outcomes=acquired["outcomes"], curves="o"),
        "evaluate/score_arms": dict(
            leaky=[experiment / "finetune/leaky-chance/r0.parquet"],
            store=store,
            folds=folds,
            outcomes=acquired["outcomes"],
            covariates=acquired["covariates"],
            rna=rna,
            arm_predictions=[experiment / f"finetune/{a}/r0.parquet" for a in arms],
            arm_models=[experiment / f"finetune/{a}/r0.pt" for a in arms],
            checkpoints=pre,
            histories=[p.with_suffix(".parquet") for p in pre],
            control_predictions=[],
            control_models=[],
            control_folds=[],
            control_outcomes=[],
            **dict.fromkeys(evaluated, "o"),
        ),
        "evaluate/write_report": dict(
            **evaluated,
            plan=plan,
            folds=folds,
            store=store,
            rna=rna[0],
            **{k: acquired[k] for k in ("outcomes", "covariates", "patients", "downloads", "slides")},
            tile_index=streams["tile"][0],
            cells_index=streams["cells"][0],
            rna_index=cohort / "rna/index.parquet",
            benchmarks=tmp_path / "benchmarks",
            arm_models=[experiment / f"finetune/{a}/r0.pt" for a in arms[:2]],
            others=[*pre, experiment / "finetune/clinical/r0.pt"],
            reduced=sorted(experiment.glob("controls/without-pam50-1/rna/*.h5ad")),
            report="o",
            forest="o",
            retrieval_figure="o",
            provenance="o",
        ),
        "evaluate/attribute_inputs": dict(
            store=store,
            folds=folds,
            rna=rna,
            arm_models=[experiment / "finetune/wsi-pretrained-cells/r0.pt"],
            attributions="o",
        ),
        "evaluate/map_space": dict(store=store, folds=folds, rna=rna[0], checkpoint=pre[0], space="o"),
        "evaluate/write_patient": dict(
            predictions=evaluated["predictions"],
            folds=folds,
            **{k: acquired[k] for k in ("outcomes", "patients", "slides")},
            tile_index=streams["tile"][0],
            cells_index=streams["cells"][0],
            rna_index=cohort / "rna/index.parquet",
            store=store,
            arm_models=[experiment / f"finetune/{a}/r0.pt" for a in arms[:2]],
            checkpoints=pre,
            profiles=rna,
            page="o",
            patient="SIM-001-0003",
        ),
        "evaluate/write_compared": dict(experiments=experiment.parent, first="tiny", second="tiny", page="o"),
        "predict/write_predicted": dict(predictions=tmp_path / "predictions.parquet", page="o", cohort="seen"),
    }
    (tmp_path / "centroids.csv").write_text("gene,median,Basal,LumA\nGENE0001,0,1,2\n")
    people = pd.read_csv(sim / "clinical.csv")[["patient_id"]]
    people.assign(er=["pos", "neg"] * (len(people) // 2)).to_csv(tmp_path / "er.csv", index=False)
    served = {"patient_id": ["P"], "inputs": ["wsi"], "status": ["ok"], "reason": [None], "out_of_fold": [False]}
    served |= dict.fromkeys(("out_of_distribution", "beyond_training", "missing_genes", "risk_os"), [0.5])
    write_table(
        pd.DataFrame(served | {"rna_reference": [None]}), tmp_path / "predictions.parquet", PREDICTIONS, {"classes": {}}
    )
    for name, arguments in calls.items():
        path, module = ROOT / f"workflow/scripts/{name}.py", script(name)
        cfg = Recorded(settings(path, config))
        if path.stem == "call_labels":  # the tiny cohort asks for none
            cfg["rna.calls"] = {"pam50": {"centroids": "centroids.csv", "balanced_by": "er"}}
        given = {"cfg": cfg} if "cfg" in inspect.signature(module.main).parameters else {}
        filled = {k: tmp_path / f"{path.stem}.{k}.out" if v == "o" else v for k, v in arguments.items()}
        filled |= {
            k: [tmp_path / f"{path.stem}.{k}.{i}.out" for i in range(len(v))]
            for k, v in arguments.items()
            if v == ["o", "o"]
        }
        if "parts" in inspect.signature(module.main).parameters:
            filled["parts"] = tmp_path / f"{path.stem}.parts"
            filled["parts"].mkdir()
        module.main(**grouped(module.main, {**filled, **given}))
        if path.stem == "finetune_arm":  # an arm from scratch fits its own scaling
            module.main(**{**filled, "arm": "both-scratch-cells", "checkpoints": []}, cfg=cfg)
        if path.stem == "fit_clinical_plus":  # so does one that is cross-fitted
            scratch = tmp_path / "scratch.pt"
            save_checkpoint({**load_checkpoint(arguments["score_models"][1]), "arm": "both-scratch-cells"}, scratch)
            models_of_scratch = [arguments["score_models"][0], scratch]
            module.main(
                **{**filled, "arm": "both-scratch-cells", "checkpoints": [], "score_models": models_of_scratch}, cfg=cfg
            )
        if path.stem == "make_folds":  # the other way to folds reads its own keys
            folds_of_user = pd.read_parquet(folds).query("role == 'test'").rename(columns={"fold": "test_fold"})
            folds_of_user[["patient_id", "test_fold"]].to_csv(tmp_path / "folds.csv", index=False)
            module.main(**filled, cfg=cfg, fold_file=tmp_path / "folds.csv")
        unread = set(settings(path, config)) - cfg.read
        assert not unread, f"{name} states keys that it never reads: {unread}"


@pytest.fixture(scope="module")
def predicted(tiny):
    """Predictions on slides-only patients of another draw."""
    config = {**TINY, "predict": {"name": "unseen", "simulate": {"seed": 5, "patients": 40, "without_rna": 0.4}}}
    snakemake(tiny, "predict", config=config)
    return pd.read_parquet(tiny / "results/experiments/tiny/predict/unseen/predictions.parquet"), config


def test_predict_serves_every_input_pattern(tiny, predicted):
    table, config = predicted
    patients = pd.read_parquet(tiny / "results/cohorts/unseen/acquire/patients.parquet").set_index("patient_id")
    assert set(table["patient_id"]) == set(patients.index)
    for patient, part in table.groupby("patient_id"):
        slides, rna = patients.loc[patient, ["slides", "rna"]]
        expected = {i for i, able in (("wsi", slides), ("rna", rna), ("both", slides and rna)) if able} or {"none"}
        assert set(part["inputs"]) == expected
    ok = table[table["status"] == "ok"]
    assert (
        ok[["risk_os", "risk_pfi", "surv_os_1095", "p_pam50_LumA"]].notna().all().all() and not ok["out_of_fold"].any()
    )
    np.testing.assert_allclose(ok[[c for c in ok if c.startswith("p_pam50")]].sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(ok["risk_os"], 1 - ok["surv_os_1825"], atol=1e-12)
    z = ok[[c for c in ok if c.startswith("z_")]].to_numpy()
    assert z.shape[1] == 2 * 16
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    assert snakemake(tiny, "predict", "-n", config=config).stdout.count("predict_cohort") == 0
    page = (tiny / "results/experiments/tiny/predict/unseen/report.html").read_text()
    assert re.findall(r'<section id="(\w+)"', page) == ["served", "values", "far"]
    served = table.loc[table["status"] == "ok", "patient_id"].nunique()
    assert f"{served} of {table['patient_id'].nunique()} patients are served" in page


def test_training_patients_are_served_out_of_fold_and_as_in_cross_validation(tiny):
    config = {**TINY, "predict": {"name": "again", "simulate": {}}}
    snakemake(tiny, "predict", config=config)
    table = pd.read_parquet(tiny / "results/experiments/tiny/predict/again/predictions.parquet")
    ok = table[table["status"] == "ok"]
    assert ok["out_of_fold"].all()
    ours = pd.read_parquet(tiny / "results/experiments/tiny/finetune/both-pretrained-cells/r0.parquet")
    ours = ours[(ours["task"] == "os") & (ours["output"] == "surv_1825")].set_index(["patient_id", "inputs"])["value"]
    theirs = ok.set_index(["patient_id", "inputs"])["surv_os_1825"]
    np.testing.assert_allclose(theirs.loc[ours.index], ours, atol=1e-6)


def test_training_patients_under_another_name_are_served_out_of_fold(tiny, cohort, tmp_path):
    """Known by the content of their slides and RNA: nobody is served by a model that saw it."""
    for table in ("tile_features.parquet", "cell_features.parquet", "rna_counts.parquet"):
        frame = pd.read_parquet(cohort / "acquire/simulated" / table)
        frame["patient_id"] += "-01"
        if "slide_id" in frame:
            frame["slide_id"] += "-01"
        frame.to_parquet(tmp_path / table)
    files = {
        "tile": "tile_features.parquet",
        "cells": "cell_features.parquet",
        "rna": "rna_counts.parquet",
        "clinical": None,
    }
    config = {**TINY, "predict": {"name": "renamed", "data": str(tmp_path), "acquire": {"source": "local", **files}}}
    snakemake(tiny, "predict", config=config)
    table = pd.read_parquet(tiny / "results/experiments/tiny/predict/renamed/predictions.parquet")
    folds = pd.read_parquet(tiny / "results/experiments/tiny/split/folds.parquet")
    known = table[
        table["patient_id"].str.removesuffix("-01").isin(set(folds["patient_id"])) & (table["status"] == "ok")
    ]
    assert len(known) > 60 and known["out_of_fold"].all() and known["beyond_training"].mean() < 0.2


def test_another_recipe_or_missing_genes_is_an_error_that_names_both(tiny, predicted):
    done = snakemake(
        tiny,
        "predict",
        config={**TINY, "predict": {"name": "wide", "simulate": {"seed": 6, "tile_features": 14}}},
        check=False,
    )
    logs = "".join(p.read_text() for p in Path(tiny / "results/logs/predict").rglob("*wide*/**/*.log"))
    assert done.returncode and "stream 'tile': the model was trained on d 12, this cohort has 14" in logs
    done = snakemake(
        tiny, "predict", config={**TINY, "predict": {"name": "few", "simulate": {"seed": 6, "genes": 60}}}, check=False
    )
    logs = "".join(p.read_text() for p in Path(tiny / "results/logs/predict").rglob("*few*/**/*.log"))
    assert done.returncode and "genes of the model are missing in this matrix" in logs


def test_checkpoints_hold_no_readable_id(experiment):
    content = load_checkpoint(experiment / "finetune/both-pretrained-cells/r0.pt")
    assert all(len(i) == 20 and not i.startswith("SIM") for i in content["folds"][0]["trained_on"])


def test_results_are_reproduced_by_a_second_run(tiny, experiment, tmp_path):
    """Same seed and machine: a fold trained again is identical by content."""
    before = {
        p: content_hash(p)
        for p in (experiment / "pretrain/tile-cells/r0f0.pt", experiment / "pretrain/tile-cells/r0f0.parquet")
    }
    snakemake(tiny, "--forcerun", "pretrain_towers", "--until", "pretrain_towers")
    assert {p: content_hash(p) for p in before} == before
    snakemake(tiny)
