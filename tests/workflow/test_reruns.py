"""The rerun contract: key K changed, exactly the rules R(K) of reruns.tsv run again, and what hangs on them.

``rules`` of reruns.tsv is written by hand: the rules whose own params change. What hangs
on a rule is written by hand below. The first test checks params in one process; the
others are real dry runs after a real run. Its last rows are no keys but edits of a user's
files: there ``rules`` are those that run for the edit itself.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import time

import pandas as pd
import pytest
from conftest import ROOT, TINY, snakemake

from confuselt.config.generate import leaves
from confuselt.config.root import Config
from confuselt.settings import settings
from confuselt.simulate.cohort import simulate_features

ROWS = list(csv.DictReader((ROOT / "tests/workflow/reruns.tsv").open(), delimiter="\t", quoting=csv.QUOTE_NONE))
EDITS = [row for row in ROWS if row["key"].startswith("edit ")]
TABLE = [row for row in ROWS if row not in EDITS]
SCRIPTS = {p.stem: p for p in (ROOT / "workflow/scripts").glob("*/*.py")}
BELOW = {
    "pin_cohort": "",
    "fetch_files": "write_sheets list_sources gather_rna",
    "write_sheets": "read_sheets read_outcomes read_covariates list_sources gather_rna",
    "fetch_slides": "cut_tiles list_sources",
    "stream_slides": "index_tiles index_embeddings index_cells list_sources",
    "simulate_patients": "read_sheets read_outcomes read_covariates list_sources gather_rna",
    "simulate_slides": "cut_tiles",
    "cut_tiles": "index_tiles embed_tiles find_cells",
    "index_tiles": "show_tiles write_report",
    "check_weights": "embed_tiles stream_slides",
    "embed_tiles": "index_embeddings pool_cells",
    "check_cell_weights": "find_cells stream_slides",
    "find_cells": "index_cells pool_cells",
    "show_nuclei": "",
    "write_patient": "",
    "pool_cells": "index_pooled",
    "index_pooled": "pack_pooled",
    "pack_pooled": "pretrain_towers finetune_arm fit_clinical_plus",
    "index_embeddings": "pack_bags write_report",
    "index_cells": "pack_bags write_report",
    "simulate_cohort": "read_sheets read_outcomes read_covariates list_sources import_tiles import_cells gather_rna",
    "read_sheets": "read_outcomes import_tiles import_cells gather_rna write_report",
    "read_covariates": "fit_baseline fit_clinical_plus score_arms write_report",
    "read_outcomes": "make_folds permute_outcomes finetune_arm fit_baseline fit_clinical_plus fit_leaky_chance "
    "score_arms write_report",
    "list_sources": "write_report",
    "permute_outcomes": "make_folds finetune_arm score_arms",
    "import_tiles": "pack_bags write_report",
    "import_cells": "pack_bags write_report",
    "gather_rna": "normalise_rna call_pam50 write_report",
    "call_pam50": "",
    # Where a label is called, as in `OWN` alone, outcomes wait for it.
    "call_labels": "",
    "make_folds": "normalise_rna drop_pam50 pretrain_towers finetune_arm fit_baseline fit_clinical_plus "
    "fit_leaky_chance score_arms attribute_inputs map_space show_tiles write_report",
    "normalise_rna": "drop_pam50 pretrain_towers finetune_arm fit_baseline fit_clinical_plus score_arms "
    "attribute_inputs map_space write_report",
    "drop_pam50": "pretrain_towers finetune_arm write_report",
    "pack_bags": "pretrain_towers finetune_arm fit_baseline fit_clinical_plus fit_leaky_chance score_arms "
    "attribute_inputs map_space show_tiles write_report",
    "pretrain_towers": "finetune_arm fit_clinical_plus score_arms map_space write_report",
    "finetune_arm": "fit_late_fusion fit_clinical_plus score_arms attribute_inputs show_tiles write_report",
    "fit_baseline": "fit_clinical_plus score_arms",
    "fit_late_fusion": "score_arms",
    "fit_clinical_plus": "score_arms",
    "fit_leaky_chance": "score_arms write_report",
    "register_plan": "write_report",
    "score_arms": "write_report",
    "attribute_inputs": "write_report",
    "map_space": "write_report",
    "show_tiles": "write_report",
    "write_report": "",
    "predict_cohort": "write_predicted",
    "write_predicted": "",
    "write_compared": "",
}
# Nobody asks for these: late fusion needs two more arms, PAM50 calls a table of centroids, pages a patient or two
# experiments, tiles slides.
NOT_ASKED = {"fit_late_fusion", "call_pam50", "call_labels", "write_patient", "write_compared", "show_tiles"}
# Rules that fetch, draw or read slides: no job of a cohort that comes as features.
OF_SLIDES = {
    "pin_cohort",
    "fetch_files",
    "write_sheets",
    "fetch_slides",
    "stream_slides",
    "simulate_patients",
    "simulate_slides",
    "cut_tiles",
    "index_tiles",
    "embed_tiles",
    "check_weights",
    "check_cell_weights",
    "find_cells",
    "pool_cells",
    "show_nuclei",
    "show_tiles",
    "index_pooled",
    "pack_pooled",
    "index_embeddings",
    "index_cells",
}
# With its own files a cohort shows every key of `acquire`; a simulated one has fixed file names.
LOCAL = {**TINY, "acquire": {"source": "local"}}
# Nuclei are found where there are slides.
FROM_SLIDES = {**LOCAL, "embed": {"encoder": "efficientnet-lite0"}}
# An encoder of one's own; of its weights nothing is read before a job runs.
OWN = {"encoder": "own", "weights": "Makefile", "card": "workflow/confuselt/embed/cards/uni.yaml"}
FINDER = {"method": "own", "weights": "Makefile", "card": "workflow/confuselt/cells/cards/hovernet-fast-pannuke.yaml"}
TABLED = {"method": "table", "nuclei": "nuclei/{slide_id}.csv", "roles": {"Tumor": "tumour"}}
BASES = {
    "cells.method": FROM_SLIDES,
    "cells.max_tiles": {**FROM_SLIDES, "cells": {"method": "classical"}},
    **dict.fromkeys(("cells.weights", "cells.card", "cells.sha256"), {**FROM_SLIDES, "cells": FINDER}),
    **dict.fromkeys(("cells.nuclei", "cells.roles", "cells.origin"), {**FROM_SLIDES, "cells": TABLED}),
    **dict.fromkeys(("embed.weights", "embed.card", "embed.sha256"), {**LOCAL, "embed": OWN}),
}


def value_of(row):
    """Value of a row: JSON, or plain text."""
    try:
        return json.loads(row["value"])
    except json.JSONDecodeError:
        return row["value"]


def changed(key, value, base=TINY):
    config = json.loads(json.dumps(base))
    *blocks, name = key.split(".")
    place = config
    for block in blocks:
        place = place.setdefault(block, {})
    place[name] = value
    if key == "tasks.survival":
        config["evaluate"]["primary"] = "pfi"
    return config


def read_keys():
    """Every key that some script reads, blocks opened."""
    return {key for script in SCRIPTS.values() for key in settings(script, Config())}


def under(key, keys):
    """Whether `key` is one of `keys` or lies in a block that is."""
    return any(key == k or key.startswith(f"{k}.") for k in keys)


def closure(rules, below=BELOW):
    found, todo = set(), list(rules)
    while todo:
        rule = todo.pop()
        if rule not in found:
            found.add(rule)
            todo += below[rule].split()
    return found


@pytest.mark.parametrize("row", TABLE, ids=lambda r: r["key"])
def test_a_key_changes_the_params_of_exactly_its_rules(row):
    base = BASES.get(row["key"], LOCAL)
    before = Config.model_validate(base)
    after = Config.model_validate(changed(row["key"], value_of(row), base))
    assert before != after
    rules = {name for name, script in SCRIPTS.items() if settings(script, before) != settings(script, after)}
    assert rules == set(row["rules"].replace("-", "").split())


def test_every_key_that_a_script_reads_is_in_the_contract():
    """Only keys that no script reads may be left out: they choose what is asked for, or how it is run."""
    listed, read = {row["key"] for row in TABLE}, read_keys()
    lost = sorted(key for key, _, _ in leaves(Config()) if under(key, read) and not under(key, listed))
    assert lost == []


def test_the_contract_says_no_rule_for_exactly_the_keys_that_no_script_reads():
    read = read_keys()
    for row in TABLE:
        assert (row["rules"] == "-") is not any(under(k, [row["key"]]) or under(row["key"], [k]) for k in read), row[
            "key"
        ]


def planned(folder, config=None):
    """Rules of a dry run, with how often."""
    done = snakemake(folder, "-n", config=config)
    stats = re.search(r"Job stats:\njob\s+count\n[-\s]+\n(.*?)\n\n", done.stdout + done.stderr, re.S)
    if "Nothing to be done" in done.stdout + done.stderr or stats is None:
        return {}
    return {
        name: int(count)
        for name, count in (line.split() for line in stats.group(1).splitlines())
        if name not in ("total", "all")
    }


# A cohort of one's own with a table of centroids; one arm, one control.
OWN = {
    **LOCAL,
    "cohort": "own",
    "experiment": "own",
    "rna": {
        **TINY["rna"],
        "pam50_centroids": "centroids.csv",
        "calls": {"pam50": {"centroids": "calls.csv", "balanced_by": "er"}},
    },
    "acquire": {"source": "local", "rna": "rna_counts.parquet", "clinical": "clinical.csv"},
    "finetune": {**TINY["finetune"], "arms": ["wsi-pretrained-cells"]},
    "evaluate": {
        **TINY["evaluate"],
        "baselines": ["clinical", "cca", "clinical+wsi-pretrained-cells"],
        "controls": {"kinds": ["permuted"]},
        "pathways": "sets.gmt",
    },
}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Folder of a finished run of `OWN`."""
    folder = tmp_path_factory.mktemp("own")
    simulated = simulate_features({f"simulate.{k}": v for k, v in Config.model_validate(TINY).simulate})
    tables = {"tile_features": simulated.tile, "cell_features": simulated.cells, "rna_counts": simulated.rna}
    (folder / "data").mkdir()
    for name, table in tables.items():
        table.to_parquet(folder / f"data/{name}.parquet", index=False)
    er = ["pos", "neg"] * (len(simulated.clinical) // 2)
    simulated.clinical.assign(er=er).to_csv(folder / "data/clinical.csv", index=False)
    rows = "".join(f"GENE{k:04d},0,{k % 3},{-k % 5}\n" for k in range(12))
    for name in ("centroids", "calls"):
        (folder / f"{name}.csv").write_text("gene,median,Basal,LumA\n" + rows)
    (folder / "sets.gmt").write_text("A\t\tGENE0000\tGENE0001\n")
    snakemake(folder, config={**OWN, "data": str(folder / "data")})
    return folder


@pytest.mark.xdist_group("own")
class TestEditsOfFiles:
    """What a user edits reruns what reads it: of the clinical table by column, whatever else stands in the file."""

    def plan(self, own):
        return planned(own, {**OWN, "data": str(own / "data")})

    def test_nothing_to_be_done(self, own):
        assert self.plan(own) == {}

    @pytest.mark.parametrize("row", EDITS, ids=lambda r: r["key"])
    def test_an_edit_reruns_what_reads_it(self, own, row):
        edit = json.loads(row["value"])
        path = own / edit["file"]
        before, stat = path.read_bytes(), path.stat()
        try:
            if "line" in edit:
                path.write_text(before.decode() + edit["line"])
            else:
                table = pd.read_csv(path, dtype=str)
                if "column" in edit:
                    table.loc[0, edit["column"]] = edit["to"]
                table.to_csv(path, index=False)
            rules = set(row["rules"].replace("-", "").split())
            # Calls are asked for here, a control without PAM50's genes is not.
            below = BELOW | {"gather_rna": f"{BELOW['gather_rna']} call_labels", "call_labels": "read_outcomes"}
            assert set(self.plan(own)) == closure(rules, below) - {"fit_late_fusion", "drop_pam50", "show_tiles"}
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def test_the_report_says_how_calls_and_written_classes_agree(self, own):
        text = (own / "results/experiments/own/evaluate/report.html").read_text()
        assert "Cohen's kappa" in text.replace("&#39;", "'") and "<th>called Basal</th>" in text
        assert re.search(r"(pos|neg) \(\d+\) and (pos|neg) \(\d+\) weigh alike", text)
        assert "not free of leakage" in text

    def test_an_edited_age_trains_no_arm(self, own):
        """Of the baselines the clinical one alone."""
        path = own / "data/clinical.csv"
        before, stat = path.read_bytes(), path.stat()
        try:
            table = pd.read_csv(path, dtype=str)
            table.assign(age=table["age"].where(table.index != 3, "99")).to_csv(path, index=False)
            plan = self.plan(own)
            assert plan.pop("fit_baseline") == 1 and set(plan.values()) == {1} and "finetune_arm" not in plan
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.xdist_group("tiny")
class TestRealDryRuns:
    def test_nothing_to_be_done(self, tiny):
        assert planned(tiny) == {}

    # One key per stage: the real plan is the closure of the hand-written rules.
    @pytest.mark.parametrize(
        "key",
        [
            "simulate.seed",
            "acquire.covariates",
            "embed.trained_on",
            "cells.trained_on",
            "rna.clip",
            "split.inner",
            "pack.scaling_cells",
            "pretrain.epochs",
            "finetune.epochs",
            "evaluate.draws",
            "device",
            "max_excluded",
        ],
    )
    def test_the_plan_is_the_contract(self, tiny, key):
        row = next(r for r in TABLE if r["key"] == key)
        # The tiny cohort comes as features: its plan has none of the rules that draw or read slides.
        rules = set(row["rules"].replace("-", "").split()) - OF_SLIDES
        assert set(planned(tiny, changed(key, value_of(row)))) == closure(rules) - NOT_ASKED

    def test_pretraining_epochs_rerun_pretraining_and_what_hangs_on_it(self, tiny):
        plan = planned(tiny, changed("pretrain.epochs", 5))
        below = {"finetune_arm", "fit_clinical_plus", "score_arms", "attribute_inputs", "map_space", "write_report"}
        assert set(plan) == {"pretrain_towers", *below}
        assert plan["pretrain_towers"] == 4, "both folds in one job: main, permuted, mispaired, without-pam50"

    def test_another_plan_is_scored_anew_and_trains_nothing(self, tiny):
        assert set(planned(tiny, changed("evaluate.plan.delta_c", 0.03))) == {
            "register_plan",
            "score_arms",
            "write_report",
        }

    def test_touched_files_and_comments_rerun_nothing(self, tiny):
        scripts = [*(ROOT / "workflow").rglob("*.py"), *(ROOT / "workflow").rglob("*.smk"), ROOT / "workflow/Snakefile"]
        stamps = {p: p.stat().st_mtime for p in scripts}
        try:
            for path in scripts:
                os.utime(path)
            assert planned(tiny) == {}
        finally:
            for path, stamp in stamps.items():
                os.utime(path, (stamp, stamp))

    def test_touched_small_inputs_rerun_nothing(self, tiny):
        time.sleep(0.01)
        (tiny / "results/cohorts/tiny/acquire/simulated/clinical.csv").touch()
        assert planned(tiny) == {}

    def test_another_control_draw_adds_only_its_jobs(self, tiny):
        config = json.loads(json.dumps(TINY))
        config["evaluate"]["controls"] = {"draws": 2}
        plan = planned(tiny, config)
        assert (
            plan["finetune_arm"] == 2
            and plan["permute_outcomes"] == 1
            and "import_tiles" not in plan
            and plan["pretrain_towers"] == 2
        )

    def test_a_moved_module_reruns_nothing(self, tiny, tmp_path):
        copy = tmp_path / "workflow"
        shutil.copytree(ROOT / "workflow", copy, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "environment.yml", tmp_path / "environment.yml")
        (copy / "confuselt/places").mkdir()
        (copy / "confuselt/places/__init__.py").touch()
        (copy / "confuselt/pack/align.py").rename(copy / "confuselt/places/alike.py")
        for path in copy.rglob("*.py"):
            path.write_text(path.read_text().replace("confuselt.pack.align", "confuselt.places.alike"))
        done = snakemake(tiny, "-n", "--snakefile", str(copy / "Snakefile"))
        assert "Nothing to be done" in done.stdout + done.stderr

    def test_code_edit_reruns_only_what_reaches_it(self, tiny, tmp_path):
        done = subprocess.run(["git", "diff", "--quiet"], cwd=ROOT)  # the checkout itself is never edited
        assert done.returncode in (0, 1)
        copy = tmp_path / "workflow"
        shutil.copytree(ROOT / "workflow", copy, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "environment.yml", tmp_path / "environment.yml")
        target = copy / "confuselt/report/questions.py"
        target.write_text(target.read_text().replace("Does a second modality help?", "Is a second modality of help?"))
        target = copy / "confuselt/survival/cox.py"
        target.write_text(target.read_text().replace('"""Cox partial', '"""The Cox partial') + "\n# a comment\n")
        done = snakemake(tiny, "-n", "--snakefile", str(copy / "Snakefile"))
        jobs = set(re.findall(r"^(?:Job \d+: )?(\w+): ", done.stdout + done.stderr, re.M)) & {
            "evaluate",
            "finetune",
            "pretrain",
            "rna",
            "acquire",
        }
        assert jobs == {"evaluate"}
