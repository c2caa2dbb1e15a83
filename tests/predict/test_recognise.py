"""A patient of training under another name is known by what it brings.

Values on another scale are refused, not clipped.
"""

from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from confuselt.embed.ready import import_stream
from confuselt.learn.checkpoint import hashed_ids
from confuselt.learn.store import Store
from confuselt.model.scaling import StreamScaler
from confuselt.pack.store import pack
from confuselt.predict import recognise
from confuselt.predict.recognise import check_scale, check_spread, slides_beyond, trained_patients
from confuselt.rna.normalise import fit_normaliser

CFG = {
    "rna.matrix": "normalised",
    "rna.genes": None,
    "rna.scaling": "standard",
    "rna.clip": 5.0,
    "rna.min_count": 1,
    "rna.min_share": 0.1,
    "rna.trend_genes": None,
    "rna.transform": "vst",
}
GENES = [f"G{i}" for i in range(60)]


def log_intensities(n, seed=0, prefix="P"):
    """Log2 intensities of a platform: every gene has its level."""
    rng = np.random.default_rng(seed)
    level = np.random.default_rng(1).uniform(4, 14, len(GENES))
    values = (level + rng.normal(0, 0.8, (n, len(GENES)))).astype(np.float32)
    return ad.AnnData(values, obs=pd.DataFrame(index=[f"{prefix}{i}" for i in range(n)]), var=pd.DataFrame(index=GENES))


def with_values(adata, values):
    return ad.AnnData(np.asarray(values, np.float32), obs=adata.obs.copy(), var=adata.var.copy())


@pytest.mark.parametrize("scaling", ["standard", "robust", "rank"])
@pytest.mark.parametrize(
    "change",
    [
        lambda x: x - x.mean(0),  # log ratios
        lambda x: (x - x.mean(0)) / x.std(0),
        lambda x: 2**x,
        lambda x: x * np.log(2) / 2,
        lambda x: x + 20,
        lambda x: np.zeros_like(x),
    ],
)
def test_rna_on_another_scale_is_refused_with_what_to_do(scaling, change):
    fitted = fit_normaliser(log_intensities(120), {**CFG, "rna.scaling": scaling})
    new = log_intensities(150, 2, "N")
    assert check_scale(fitted.beyond(new), "RNA", 0.2) == {}
    other = with_values(new, change(new.X))
    with pytest.raises(
        ValueError,
        match=r"RNA of 150 patients: \d+% of the values lie beyond what any training patient reached "
        r".*predict.acquire: \{rna: null\}",
    ):
        check_scale(fitted.beyond(other), "RNA", 0.2)


def test_one_sample_on_another_scale_is_a_row_with_its_reason():
    fitted = fit_normaliser(log_intensities(120), CFG)
    new = log_intensities(30, 2, "N")
    values = new.X.copy()
    values[3] -= 6
    assert check_scale(fitted.beyond(with_values(new, values)), "RNA", 0.2) == {
        "N3": "RNA on another scale: 100% of its values were reached by no training patient"
    }


@settings(deadline=None, max_examples=30)
@given(st.integers(25, 200), st.integers(0, 1000))
def test_patients_like_those_of_training_are_never_refused(n, seed):
    assert (
        check_scale(
            fit_normaliser(log_intensities(n, seed), CFG).beyond(log_intensities(80, seed + 1, "N")), "RNA", 0.0
        )
        == {}
    )


def bags_of(folder: Path, rows: dict[str, np.ndarray], places: np.ndarray) -> Path:
    """A store of tile bags, one slide per patient."""
    folder.mkdir()
    table = []
    for patient, values in rows.items():
        with h5py.File(folder / f"{patient}.h5", "w") as file:
            file["features"], file["coords"] = values, places
        table.append(
            {
                "slide_id": f"slide of {patient}",
                "patient_id": patient,
                "status": "ok",
                "reason": None,
                "tile": str(folder / f"{patient}.h5"),
            }
        )
    cfg = {"data": "/", "acquire.id_column": "patient_id", "acquire.tile": None}
    import_stream(pd.DataFrame(table), "tile", cfg, {}, folder / "tile.h5").to_parquet(folder / "tile.parquet")
    pack({"tile": (folder / "tile.parquet", folder / "tile.h5")}, folder / "store.h5")
    return folder / "store.h5"


PLACES = np.column_stack([np.arange(40), np.arange(40)]) * 224


def drawn(names, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(5, 1, (40, 12)).astype(np.float32) for name in names}


def test_slides_on_another_scale_are_refused(tmp_path):
    train = Store(bags_of(tmp_path / "train", drawn("abcdefgh"), PLACES), "tile")
    scaler = StreamScaler.fit(train.sample(list(range(8)), 1000), {"tile": "standard"})
    new = drawn("uvwxyz", 1)
    assert (
        check_scale(slides_beyond(Store(bags_of(tmp_path / "same", new, PLACES), "tile"), scaler), "slides", 0.2) == {}
    )
    unit = {
        p: rows / np.linalg.norm(rows, axis=1, keepdims=True) for p, rows in new.items()
    }  # an encoder whose vectors were normalised
    far = slides_beyond(Store(bags_of(tmp_path / "unit", unit, PLACES), "tile"), scaler)
    assert list(check_scale(far, "slides", 0.2)) == list("uvwxyz"), "a handful is told one by one"
    with pytest.raises(ValueError, match="slides of 12 patients: .*same encoder with the same normalisation"):
        check_scale(far | {f"{p}2": share for p, share in far.items()}, "slides", 0.2)


@pytest.fixture
def world(tmp_path):
    """A model trained on A and B (slides) and on P0 and P1 (RNA), and a cohort in which some of them come again."""
    train = bags_of(tmp_path / "train", drawn("AB"), PLACES)
    with h5py.File(train) as file:
        seen = file["tile/sha"].asstr()[()].tolist()
    rna = log_intensities(4)
    fitted = fit_normaliser(rna[["P0", "P1"]].copy(), CFG)
    fitted.seen = sorted(fitted.profiles(rna[["P0", "P1"]]).values())
    facts = {"trained_on": hashed_ids(["A", "B", "P0", "P1"]), "seen": seen}
    slides = {"A-01": drawn("AB")["A"], "C": drawn("C", 5)["C"], "B": drawn("B", 6)["B"]}
    store = bags_of(tmp_path / "new", slides, PLACES)
    again = rna[:, [*GENES[::-1]]].copy()  # genes in another order, one gene more
    new = ad.AnnData(
        np.column_stack([again.X, np.ones(4)]),
        obs=pd.DataFrame(index=["TCGA-P0-01", "D", "E", "F"]),
        var=pd.DataFrame(index=[*GENES[::-1], "MORE"]),
    )
    return facts, fitted, store, new


def test_a_trained_patient_is_known_by_id_slides_and_rna(world):
    """A under another spelling by its slide, B by its id, P0 and P1 by their RNA; C, E and F are new."""
    assert trained_patients(*world) == {"A-01", "B", "TCGA-P0-01", "D"}


def test_the_mutant_that_knows_ids_alone_is_caught(world, monkeypatch):
    monkeypatch.setattr(recognise, "contents", lambda store: {"A-01": set(), "B": set(), "C": set()})
    facts, _, store, new = world
    assert trained_patients(facts, None, store, new) == {"B"}


def test_rna_that_lacks_genes_of_the_model_is_no_reason_to_stop_a_slide_only_arm(world):
    facts, fitted, store, new = world
    assert trained_patients(facts, fitted, store, new[:, :10].copy()) == {"A-01", "B"}


def tpm(n, seed, prefix="P"):
    """Log-normal TPM: many genes near 0, some large."""
    rng = np.random.default_rng(seed)
    level = np.random.default_rng(1).normal(1.5, 2, len(GENES))
    values = np.exp(level + rng.normal(0, 0.7, (n, len(GENES))))
    return ad.AnnData(
        values.astype(np.float32),
        obs=pd.DataFrame(index=[f"{prefix}{i}" for i in range(n)]),
        var=pd.DataFrame(index=GENES),
    )


def judged(fitted, new):
    check_scale(fitted.beyond(new), "RNA", 0.2)
    check_spread(fitted.transform(new), "RNA")


@pytest.mark.parametrize(
    ("before", "after"),
    [(np.log2, np.log10), (lambda x: x, np.log2), (np.log2, lambda x: x / 1000), (np.log2, lambda x: 0 * x + 3)],
)
def test_a_contraction_into_the_range_of_training_is_refused_too(before, after):
    fitted = fit_normaliser(with_values(tpm(150, 0), before(1 + tpm(150, 0).X)), CFG)
    new = tpm(60, 2, "N")
    judged(fitted, with_values(new, before(1 + new.X)))
    with pytest.raises(ValueError, match="RNA of (this cohort vary|60 patients)"):
        judged(fitted, with_values(new, after(1 + new.X)))


def test_vectors_of_length_one_are_refused_and_a_subtype_alone_is_not():
    rng = np.random.default_rng(0)
    raw = rng.normal(5, 1, (400, 12))
    fitted = StreamScaler.fit({"tile": raw}, {"tile": "standard"})

    def scaler(rows):
        return fitted([torch.from_numpy(rows)]).numpy()

    check_spread(scaler(rng.normal(5.8, 0.8, (400, 12))), "slides")
    with pytest.raises(ValueError, match="slides of this cohort vary 0.0"):
        check_spread(scaler(raw / np.linalg.norm(raw, axis=1, keepdims=True)), "slides")


def test_a_handful_of_patients_is_told_one_by_one():
    assert check_scale({"a": 0.35}, "RNA", 0.2) == {} and list(
        check_scale({"a": 0.01, "b": 0.02, "c": 0.7}, "RNA", 0.2)
    ) == ["c"]
