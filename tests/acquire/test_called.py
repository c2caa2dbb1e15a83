"""Labels called from RNA: a written class wins, what is blank is filled, and both are compared."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, script

from confuselt.acquire.called import by_calls
from confuselt.acquire.schema import OUTCOMES
from confuselt.config.root import Config
from confuselt.rna.centroids import classes_of
from confuselt.rna.schema import CALLS
from confuselt.settings import settings
from confuselt.tables import read_table

LABEL = {"name": "sub", "classes": ["A", "B"], "aliases": {"a-like": "A", "N": None}, "from_rna": True}


def calls_of(**of):
    rows = [{"sample_id": p, "patient_id": p, "status": "ok", "call": c} for p, c in of.items()]
    return pd.DataFrame(rows).reindex(columns=list(CALLS.columns))


def test_a_written_class_wins_and_blanks_are_filled():
    written = pd.Series(["A", None, None, "B", None], index=["p1", "p2", "p3", "p4", "p5"], dtype=object)
    blank = pd.Series([False, True, False, False, True])
    called = calls_of(p1="B", p2="a-like", p3="A", p4="B", p5="N")
    classes, agreement = by_calls(written, blank, called, LABEL)
    assert classes == ["A", "A", None, "B", None], "p3 was left out on purpose, p5 is called a class that is"
    assert agreement == {"filled": 1, "both": 2, "kappa": 0.0, "table": {"A": {"B": 1}, "B": {"B": 1}}}


def test_kappa_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    own, other = rng.choice(["A", "B"], 60), rng.choice(["A", "B"], 60)
    people = [f"p{i}" for i in range(60)]
    called = calls_of(**dict(zip(people, other, strict=True)))
    _, agreement = by_calls(pd.Series(own, people, dtype=object), pd.Series(False, range(60)), called, LABEL)
    seen, chance = (own == other).mean(), sum((own == c).mean() * (other == c).mean() for c in "AB")
    np.testing.assert_allclose(agreement["kappa"], (seen - chance) / (1 - chance))
    assert by_calls(pd.Series(["A"], ["p"]), pd.Series([False]), calls_of(p="A"), LABEL)[1]["kappa"] is None


@pytest.mark.parametrize("column", [True, False])
def test_from_counts_to_outcomes(tmp_path, column):
    """By centroids with medians balanced by a column of the clinical table; that of classes may be absent."""
    rng, n = np.random.default_rng(1), 40
    people, truth = [f"p{i:02}" for i in range(n)], np.array(["A", "B"])[np.arange(n) % 2]
    genes = [f"G{i}" for i in range(12)]
    shape = np.where(np.arange(12) < 6, 1.0, -1.0)
    log = 8 + np.where(truth == "A", 1, -1)[:, None] * shape + rng.normal(0, 0.2, (n, 12))
    counts = ad.AnnData(
        np.round(2**log * 100).astype(np.int64), obs=pd.DataFrame(index=people), var=pd.DataFrame(index=genes)
    )
    counts.write_h5ad(tmp_path / "counts.h5ad")
    found = pd.DataFrame({"sample_id": people, "patient_id": people, "status": "ok", "reason": None})
    found.assign(n=12, sha="x", total=1.0, seen=12, median=1.0).to_parquet(tmp_path / "index.parquet")
    pd.DataFrame({"gene": genes, "A": shape, "B": -shape}).to_csv(tmp_path / "centroids.csv", index=False)
    er = np.where(truth == "A", "pos", "neg")
    clinical = pd.DataFrame({"patient_id": people, "site": "s", "os_days": 5, "os_event": 1, "er": er})
    if column:
        clinical["sub"] = [*truth[:20], "B", *[""] * 19]
    clinical.to_csv(tmp_path / "clinical.csv", index=False)
    call = {"centroids": str(tmp_path / "centroids.csv"), "balanced_by": "er"}
    tasks, rna = {"survival": [{"name": "os"}], "labels": [LABEL]}, {"calls": {"sub": call}}
    config = Config.model_validate({"tasks": tasks, "rna": rna, "evaluate": {"primary": "os"}})

    def cfg(name):
        return settings(ROOT / f"workflow/scripts/{name}.py", config)

    script("rna/call_labels").main(
        tmp_path / "counts.h5ad",
        tmp_path / "index.parquet",
        tmp_path / "centroids.csv",
        tmp_path / "sub.parquet",
        "sub",
        cfg("rna/call_labels"),
        clinical_table=tmp_path / "clinical.csv",
    )
    called = read_table(tmp_path / "sub.parquet", CALLS)
    assert called["call"].tolist() == truth.tolist() and (called["genes"] == 12).all()
    for name in ("slides", "rna"):
        found.assign(slide_id=people).to_parquet(tmp_path / f"{name}.parquet")
    module = script("acquire/read_outcomes")
    module.read_table = lambda path, table: pd.read_parquet(path) if path.stem != "sub" else read_table(path, table)
    module.main(
        tmp_path / "slides.parquet",
        tmp_path / "rna.parquet",
        tmp_path / "outcomes.parquet",
        tmp_path / "patients.parquet",
        cfg("acquire/read_outcomes"),
        calls=[tmp_path / "sub.parquet"],
        clinical_table=tmp_path / "clinical.csv",
    )
    outcomes = read_table(tmp_path / "outcomes.parquet", OUTCOMES)
    agreement = json.loads(pq.read_schema(tmp_path / "outcomes.parquet").metadata[b"meta"])["agreement"]["sub"]
    if column:
        assert outcomes["label_sub"].tolist() == [*truth[:20], "B", *truth[21:]], "the class of the table wins"
        assert agreement["filled"] == 19 and agreement["table"] == {"A": {"A": 10, "B": 0}, "B": {"A": 1, "B": 10}}
        assert outcomes["reason"].isna().all(), "nothing is left out"
    else:
        assert outcomes["label_sub"].tolist() == truth.tolist() and agreement["both"] == 0
    assert agreement["groups"] == {"pos": 20, "neg": 20}


def test_a_centroid_that_is_no_class_stops_and_is_never_dropped(tmp_path):
    """Its patients alone would stay without a class."""
    label, path = {**LABEL, "classes": ["Basal", "LumA"], "aliases": {"N": None}}, tmp_path / "c.csv"
    assert classes_of(["basal_like", "Luminal A", "N"], label, path) == ["Basal", "LumA", "N"]
    own = {**label, "classes": ["Basal-like", "HER2-enriched"]}
    assert classes_of(["Basal-like", "HER2-enriched"], own, path) == ["Basal-like", "HER2-enriched"]
    assert classes_of(["HER2E"], {**label, "aliases": {"HER2E": "Basal"}}, path) == ["HER2E"]
    with pytest.raises(ValueError, match=r"c.csv: centroid 'HER2-enriched' is no class of label 'sub' .*aliases"):
        classes_of(["Basal", "HER2-enriched"], label, path)


def test_a_matrix_that_names_genes_otherwise_than_the_centroids_is_told_so(tmp_path):
    genes = [f"ENSG{k:011d}" for k in range(12)]
    counts = ad.AnnData(np.full((2, 12), 5), obs=pd.DataFrame(index=["a", "b"]), var=pd.DataFrame(index=genes))
    counts.write_h5ad(tmp_path / "counts.h5ad")
    found = pd.DataFrame({"sample_id": ["a", "b"], "patient_id": ["a", "b"], "status": "ok", "reason": None})
    found.assign(n=12, sha="x", total=60.0, seen=12, median=5.0).to_parquet(tmp_path / "index.parquet")
    pd.DataFrame({"gene": list("GHI"), "median": 0, "A": [1, 2, 3], "B": [3, 2, 1]}).to_csv(
        tmp_path / "c.csv", index=False
    )
    cfg = {"acquire.id_column": "patient_id", "rna.matrix": "counts", "tasks.labels": [LABEL]}
    cfg["rna.calls"] = {"sub": {"centroids": str(tmp_path / "c.csv"), "balanced_by": None}}
    paths = [tmp_path / name for name in ("counts.h5ad", "index.parquet", "c.csv", "sub.parquet")]
    script("rna/call_labels").main(*paths, "sub", cfg)
    assert read_table(paths[-1], CALLS)["reason"].str.contains("one of the two names genes by Ensembl ids").all()
