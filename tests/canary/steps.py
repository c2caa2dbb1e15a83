"""Steps of the chain up to one fold's models, run from any copy of workflow/ (first argument).

``python steps.py WORKFLOW FOLDER TRANSFORM`` writes ``FOLDER/{clean,noise-x,noise-y}`` and prints, as JSON, which
artefacts of fold 0 differ by content from the clean run after the outer-test patients' features, or their outcomes,
were replaced by noise. Folds and labels are frozen first.

A step is left out where the folder holds its outputs from the same code, config and inputs: in a copy of a finished
folder only what a mutant can reach is run again.
"""

import hashlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd

BASELINES = ("clinical", "pca-cox", "cca")
ARMS = ("wsi-pretrained-cells", "both-scratch-nocells")
# Two scores in one model; late fusion fits nothing beyond what its arms' files hold.
PLUS = "wsi-pretrained-cells"
FOLD = 0


def load(workflow: Path, name: str):
    """A script of the copy as a module."""
    spec = importlib.util.spec_from_file_location(name.replace("/", "_"), workflow / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(workflow: Path, name: str, config, control: dict | None = None, **arguments) -> None:
    """Run a step as a job would: outputs are written under a temporary name and moved.

    `control` is what a rule adds to ``cfg``.
    """
    from confuselt.code_hash import code_hash
    from confuselt.content import content_hash
    from confuselt.run_step import OUTPUTS, execute
    from confuselt.settings import settings

    script, main = workflow / f"scripts/{name}.py", load(workflow, name).main
    cfg = {**settings(script, config), **(control or {})}
    given = [value for argument, value in arguments.items() if main.__annotations__[argument] in OUTPUTS]
    outputs = [Path(path) for value in given for path in (value if isinstance(value, list) else [value])]

    def fact(value: object) -> object:
        if isinstance(value, list):
            return [fact(v) for v in value]
        return (
            content_hash(value)
            if isinstance(value, Path) and value not in outputs
            else value.name
            if isinstance(value, Path)
            else value
        )

    facts = [
        code_hash(script),
        {k: v for k, v in cfg.items() if k != "data"},
        {k: fact(v) for k, v in arguments.items()},
    ]
    key, kept = hashlib.sha256(repr(facts).encode()).hexdigest(), outputs[0].with_name(f".{outputs[0].name}.key")
    if kept.is_file() and kept.read_text() == key:
        return
    execute(main, {**arguments, **({"cfg": cfg} if "cfg" in main.__annotations__ else {})}, script)
    kept.write_text(key)


def cohort(workflow: Path, config, raw: Path, folder: Path) -> None:
    """From raw tables to the training store."""
    config = config.model_copy(update={"data": str(raw)})
    run(
        workflow,
        "acquire/read_sheets",
        config,
        **{k: folder / f"{k}.parquet" for k in ("slides", "rna")},
        tile_table=raw / "tile.parquet",
        cells_table=raw / "cells.parquet",
        rna_matrix=raw / "rna.parquet",
        clinical_table=raw / "clinical.csv",
    )
    tables = {k: folder / f"{k}.parquet" for k in ("slides", "rna", "outcomes", "patients")}
    run(workflow, "acquire/read_outcomes", config, **tables, calls=[], clinical_table=raw / "clinical.csv")
    covariates = folder / "covariates.parquet"
    run(workflow, "acquire/read_covariates", config, clinical_table=raw / "clinical.csv", covariates=covariates)
    for stream, script in (("tile", "embed/import_tiles"), ("cells", "cells/import_cells")):
        run(
            workflow,
            script,
            config,
            slides=folder / "slides.parquet",
            index=folder / f"{stream}.index.parquet",
            features=folder / f"{stream}.h5",
        )
    run(
        workflow,
        "rna/gather_rna",
        config,
        samples=folder / "rna.parquet",
        rna_matrix=raw / "rna.parquet",
        counts=folder / "counts.h5ad",
        index=folder / "rna.index.parquet",
    )
    streams = {
        f"{s}_{k}": folder / f
        for s in ("tile", "cells")
        for k, f in (("index", f"{s}.index.parquet"), ("features", f"{s}.h5"))
    }
    run(workflow, "pack/pack_bags", config, **streams, store=folder / "store.h5")


def made(name: Path) -> dict[str, Path]:
    """What a fitted model leaves behind."""
    return {"predictions": name.with_name(f"{name.name}.parquet"), "models": name.with_name(f"{name.name}.pt")}


def models(workflow: Path, config, folder: Path) -> dict[str, str]:
    """Everything that pretrain and finetune of the fold reach, by content."""
    import torch

    from confuselt.content import array_hash, content_hash
    from confuselt.learn.checkpoint import load_checkpoint
    from confuselt.rna.profiles import read_profiles
    from confuselt.split.roles import read_roles

    run(
        workflow,
        "rna/normalise_rna",
        config,
        counts=folder / "counts.h5ad",
        folds=folder / "folds.parquet",
        normalised=[folder / "rna.h5ad"],
        normalisers=[folder / "rna.json"],
        repeat=0,
    )
    fold = {"store": folder / "store.h5", "rna": [folder / "rna.h5ad"], "folds": folder / "folds.parquet", "repeat": 0}
    outcomes = {**fold, "outcomes": folder / "outcomes.parquet"}
    clinical = {**outcomes, "covariates": folder / "covariates.parquet"}
    # The main run, and a draw of the shuffled-cells control.
    for prefix, control, arms in (("", {}, ARMS), ("shuffled-", {"shuffled_cells": 1}, ARMS[:1])):
        towers = {"checkpoints": [folder / f"{prefix}pre.pt"], "histories": [folder / f"{prefix}pre.parquet"]}
        run(workflow, "pretrain/pretrain_towers", config, control, **fold, **towers, streams="tile-cells")
        for arm in arms:
            checkpoints = towers["checkpoints"] if "pretrained" in arm else []
            given = {**outcomes, "checkpoints": checkpoints, "other_checkpoints": [], "arm": arm}
            run(workflow, "finetune/finetune_arm", config, control, **given, **made(folder / f"{prefix}{arm}"))
    for baseline in BASELINES:
        fitted = made(folder / f"baseline-{baseline}")
        run(workflow, "finetune/fit_baseline", config, **clinical, **fitted, baseline=baseline)
    scores = [made(folder / name) for name in ("baseline-clinical", PLUS)]
    given = {"checkpoints": [folder / "pre.pt"], "other_checkpoints": [], "arm": PLUS}
    told = {f"score_{what}": [score[what] for score in scores] for what in ("predictions", "models")}
    run(workflow, "finetune/fit_clinical_plus", config, **clinical, **given, **told, **made(folder / "plus"))
    roles = read_roles(pd.read_parquet(folder / "folds.parquet"), 0, FOLD)
    rna = read_profiles(folder / "rna.h5ad")
    learned = (
        "pre.pt",
        "pre.parquet",
        *(f"{a}.pt" for a in ARMS),
        "shuffled-pre.pt",
        f"shuffled-{ARMS[0]}.pt",
        "plus.pt",
    )
    found = {name: content_hash(folder / name) for name in ("rna.json", *learned)}
    for baseline in BASELINES:
        # The rest of CCA's file are the vectors of the test pairs.
        kept = [
            {k: v for k, v in facts.items() if k not in ("patients", "wsi", "rna")}
            for facts in load_checkpoint(folder / f"baseline-{baseline}.pt")["folds"]
        ]
        assert kept[0]["fitted"]
        torch.save({"folds": kept}, folder / f"{baseline}.state.pt")
        found[baseline] = content_hash(folder / f"{baseline}.state.pt")
        # What is said of test patients must not move with these patients' outcomes.
        found[f"{baseline} (outcomes)"] = content_hash(folder / f"baseline-{baseline}.parquet")
    found["clinical+ (outcomes)"] = content_hash(folder / "plus.parquet")
    found["leaky-chance"] = array_hash(*chance_rows(folder, roles))
    return found | {"rna of training patients": array_hash(rna.rows([p for p in roles["train"] if p in rna.of]))}


def chance_rows(folder: Path, roles: dict[str, list[str]]) -> list[np.ndarray]:
    """What the network of leaky chance is trained and watched on in the fold.

    That is all of its curve that test patients may not move.
    """
    from confuselt.finetune.baselines import standardise
    from confuselt.finetune.leaky import components
    from confuselt.learn.means import patient_means
    from confuselt.learn.store import Store, widest

    bags = Store(folder / "store.h5", widest(folder / "store.h5"))
    means = patient_means(bags, bags.of_patients(bags.patient_ids), None)
    by_role = {role: np.stack([means[p] for p in ids if p in means]) for role, ids in roles.items()}
    rows = components(standardise(by_role)[0])
    return [rows["train"], rows["inner"]]


def noisy_features(raw: Path, out: Path, test: set[str]) -> None:
    """Copy the tables with the test patients' features replaced."""
    rng = np.random.default_rng(99)
    shutil.copytree(raw, out)
    for name in ("tile", "cells", "rna"):
        table = pd.read_parquet(raw / f"{name}.parquet")
        hit = table["patient_id"].isin(test).to_numpy()
        for column in [c for c in table if c not in ("patient_id", "slide_id", "x", "y")]:
            values = table[column].to_numpy().copy()
            values[hit] = rng.integers(1, 20_000, hit.sum()) if name == "rna" else rng.normal(40, 25, hit.sum())
            table[column] = values
        table.to_parquet(out / f"{name}.parquet")
    # Covariates are features, too; among the noise a stage that no training patient has.
    table = pd.read_csv(raw / "clinical.csv")
    hit = table["patient_id"].isin(test)
    table.loc[hit, "age"] = rng.integers(90, 120, hit.sum())
    table.loc[hit, "stage"] = rng.choice(["Stage I", "Stage IV"], hit.sum())
    table.to_csv(out / "clinical.csv", index=False)


def noisy_outcomes(outcomes: Path, test: set[str]) -> None:
    """Replace the test patients' outcomes in the frozen cohort table."""
    from confuselt.acquire.schema import OUTCOMES
    from confuselt.tables import write_table

    table, rng = pd.read_parquet(outcomes), np.random.default_rng(98)
    hit = table["patient_id"].isin(test)
    for column in [c for c in table if c.endswith("_days")]:
        table.loc[hit, column] = rng.uniform(1, 9000, hit.sum())
    for column in [c for c in table if c.endswith("_event")]:
        table.loc[hit, column] = rng.integers(0, 2, hit.sum())
    # Any class, one that no training patient has among them: a permutation would keep the set of classes.
    for column in [c for c in table if c.startswith("label_")]:
        table.loc[hit, column] = rng.choice(["Basal", "Her2", "LumA", "LumB", "Normal"], hit.sum())
    write_table(table, outcomes, OUTCOMES)


def draw_raw(config, raw: Path) -> None:
    """Simulated tables; some ages are not known, so that what fills them is seen."""
    from confuselt.simulate.cohort import simulate_features

    drawn = simulate_features(
        {
            f"simulate.{k}": v
            for k, v in {**config.simulate.model_dump(), "patients": 90, "sites": 10, "tiles": 5, "genes": 80}.items()
        }
    )
    raw.mkdir(parents=True)
    for name in ("tile", "cells", "rna"):
        getattr(drawn, name).to_parquet(raw / f"{name}.parquet")
    clinical = drawn.clinical.copy()
    clinical["age"] = clinical["age"].where(np.arange(len(clinical)) % 7 > 0)
    clinical.to_csv(raw / "clinical.csv", index=False)


def main(workflow: Path, folder: Path, transform: str) -> dict[str, list[str]]:
    """Artefacts that differ, per kind of noise; `transform` is that of RNA."""
    from confuselt.config.validate import validate

    config = validate(
        {
            "tasks": {
                "survival": [{"name": "os"}, {"name": "pfi"}],
                "labels": [{"name": "pam50", "classes": ["Basal", "Her2", "LumA", "LumB", "Normal"]}],
            },
            "acquire": {
                "source": "local",
                "tile": "tile.parquet",
                "cells": "cells.parquet",
                "rna": "rna.parquet",
                "clinical": "clinical.csv",
            },
            "split": {"folds": 3, "min_events": 2},
            "rna": {"genes": 40, "transform": transform},
            "pretrain": {"epochs": 3, "model": {"hidden": 16, "attention": 8, "dim": 16}},
            "finetune": {"epochs": 6, "learning_rate": 0.01},
        }
    )
    raw, clean = folder / "raw", folder / "clean"
    if not raw.exists():
        draw_raw(config, raw)
    clean.mkdir(exist_ok=True)
    cohort(workflow, config, raw, clean)
    run(
        workflow,
        "split/make_folds",
        config,
        outcomes=clean / "outcomes.parquet",
        patients=clean / "patients.parquet",
        folds=clean / "folds.parquet",
    )
    folds = pd.read_parquet(clean / "folds.parquet")
    test = set(folds[(folds["fold"] == FOLD) & (folds["role"] == "test")]["patient_id"])
    reference = models(workflow, config, clean)
    found = {}
    for kind in ("noise-x", "noise-y"):
        noisy = folder / kind
        if kind == "noise-x":
            if not (folder / "raw-x").exists():
                noisy_features(raw, folder / "raw-x", test)
            noisy.mkdir(exist_ok=True)
            cohort(workflow, config, folder / "raw-x", noisy)
        else:
            noisy.mkdir(exist_ok=True)
            for name in ("store.h5", "counts.h5ad", "outcomes.parquet", "covariates.parquet"):
                shutil.copy(clean / name, noisy / name)
            noisy_outcomes(noisy / "outcomes.parquet", test)
        shutil.copy(clean / "folds.parquet", noisy / "folds.parquet")
        changed = models(workflow, config, noisy)
        # Another patient's features give another prediction, as they should; outcomes must not.
        told = [name for name in reference if kind == "noise-y" or not name.endswith("(outcomes)")]
        found[kind] = [name for name in told if changed[name] != reference[name]]
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), sys.argv[3])))
