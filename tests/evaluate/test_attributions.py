"""Attributions against planted weights: they rank as planted, add up, and are gone under random weights."""

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from evaluate.planted import PATIENTS, PEOPLE, ROLES, randomised, trained
from learn.stores import write_store
from scipy.stats import spearmanr

from confuselt.evaluate.attributions import of_cells, of_genes
from confuselt.evaluate.schema import ATTRIBUTIONS
from confuselt.finetune.arms import explained
from confuselt.finetune.inputs import Inputs
from confuselt.learn.store import Store
from confuselt.report.attribution_figure import LONGEST, MOST, attribution_figure, shortened
from confuselt.tables import check_table

GENES, CELLS, EACH = 30, 12, 8
FOLDS = pd.DataFrame(
    [{"patient_id": p, "repeat": 0, "fold": 0, "role": role} for role, people in ROLES.items() for p in people]
)


@pytest.fixture(scope="module")
def genes(tmp_path_factory):
    """Ten genes drive risk, the first most; the file as `normalise_rna` writes it."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    values = rng.standard_normal((PATIENTS, GENES)).astype(np.float32)
    weights = np.where(np.arange(GENES) < 10, np.linspace(1.2, 0.3, GENES) * (-1) ** np.arange(GENES), 0)
    path = tmp_path_factory.mktemp("genes") / "r0f0.h5ad"
    with h5py.File(path, "w") as file:
        file["X"] = values
        for axis, names in (("obs", PEOPLE), ("var", [f"G{k}" for k in range(GENES)])):
            group = file.create_group(axis)
            group.attrs["_index"] = "names"
            group["names"] = np.array(names, dtype=h5py.string_dtype())
    inputs = Inputs(None, None, {}, dict(zip(PEOPLE, values, strict=True)))
    model = trained("rna-scratch", inputs, values @ weights, rng)
    model["folds"][0]["genes"] = [f"G{k}" for k in range(GENES)]
    return model, [path], weights


def against(found, weights, prefix):
    """Rank correlation of strengths with the planted ones, over features in their own order."""
    strength = found.set_index("feature")["strength"]
    return spearmanr([strength[f"{prefix}{k}"] for k in range(len(weights))], np.abs(weights))


def test_genes_rank_as_planted_and_their_sum_is_the_prediction(genes):
    model, paths, weights = genes
    found = of_genes(model, paths, FOLDS)
    check_table(found, ATTRIBUTIONS, "here")
    assert set(found["stream"]) == {"rna"} and set(found["n"]) == {80} and found["error"].max() < 0.01
    rank = against(found, weights, "G")
    assert rank.statistic > 0.6 and rank.pvalue < 1e-3
    strongest = found.sort_values("strength", ascending=False).head(4)
    assert [np.sign(weights[int(name[1:])]) for name in strongest["feature"]] == strongest["direction"].tolist()
    assert against(of_genes(randomised(model), paths, FOLDS), weights, "G").statistic < rank.statistic - 0.3


def test_cell_features_rank_as_planted_whatever_tiles_say(tmp_path):
    rng = np.random.default_rng(2)
    torch.manual_seed(0)
    lengths = [EACH] * PATIENTS
    mean = rng.standard_normal((PATIENTS, CELLS))
    cells = np.repeat(mean, EACH, 0) + 0.5 * rng.standard_normal((PATIENTS * EACH, CELLS))
    tile = rng.standard_normal((PATIENTS * EACH, 6)).astype(np.float16)
    path = write_store(tmp_path / "s.h5", {"tile": tile, "cells": cells.astype(np.float32)}, lengths, PEOPLE)
    with h5py.File(path, "a") as file:
        file["cells/columns"] = np.array([f"C{k}" for k in range(CELLS)], dtype=h5py.string_dtype())
    weights = np.where(np.arange(CELLS) < 4, [1.5, -1.2, 0.9, -0.6] + [0] * (CELLS - 4), 0)
    store = Store(path, "tile-cells")
    inputs = Inputs(store, None, store.of_patients(PEOPLE), {})
    model = trained("wsi-scratch-cells", inputs, mean @ weights, rng)
    found = of_cells(model, path, FOLDS)
    check_table(found, ATTRIBUTIONS, "here")
    assert set(found["stream"]) == {"cells"} and found["error"].max() < 0.01
    rank = against(found, weights, "C")
    assert rank.statistic > 0.5 and rank.pvalue < 0.05
    strongest = found.sort_values("strength", ascending=False).head(2)
    assert set(strongest["feature"]) == {"C0", "C1"}
    assert [np.sign(weights[int(name[1:])]) for name in strongest["feature"]] == strongest["direction"].tolist()
    assert against(of_cells(randomised(model), path, FOLDS), weights, "C").statistic < rank.statistic - 0.2


def test_arms_that_are_explained_are_the_first_that_are_trained():
    assert explained(["both-scratch-cells", "rna-pretrained", "rna-scratch"]) == ["rna-scratch"]
    assert explained(["wsi-scratch-cells", "wsi-scratch-nocells"]) == ["wsi-scratch-cells"] and explained([]) == []


def test_long_names_are_shortened_in_their_middle():
    assert shortened("GENE") == "GENE"
    name = "CELL.CLUSTERING.PROPERTIES..CALINSKI.HARABASZ.INDEX.OF.PLASMA.IN.TUMOR_HE"
    assert len(shortened(name)) == LONGEST and name.startswith(shortened(name).split("…")[0])
    assert name.endswith(shortened(name).split("…")[1])


def test_the_figure_shows_the_strongest_of_every_output(genes):
    model, paths, _ = genes
    found = of_genes(model, paths, FOLDS)
    figure = attribution_figure(found, ["os"])
    (axis,) = figure.axes
    named = [label.get_text() for label in axis.get_yticklabels()]
    assert named == found.sort_values("strength", ascending=False)["feature"].head(MOST).tolist()
    assert attribution_figure(found, ["pfi"]) is None
