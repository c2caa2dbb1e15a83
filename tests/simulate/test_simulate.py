"""The simulated cohort has the truth that it says it has."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from confuselt.config.simulate import Simulate
from confuselt.simulate.cohort import simulate_features
from confuselt.survival.concordance import survival_pairs


def draw(**changes):
    return simulate_features({f"simulate.{k}": v for k, v in {**Simulate().model_dump(), **changes}.items()})


@pytest.fixture(scope="module")
def cohort():
    return draw(patients=400)


def explained(features: pd.DataFrame, truth: pd.DataFrame, part: str) -> float:
    """Share of a latent part that a linear fit on mean features explains (fit on one half, read on the other)."""
    names = [c for c in features if c not in ("patient_id", "slide_id", "x", "y")]
    means = (
        np.log1p(features.groupby("patient_id")[names].mean())
        if (features[names].to_numpy() >= 0).all()
        else features.groupby("patient_id")[names].mean()
    )
    latent = truth.set_index("patient_id").loc[means.index].filter(regex=f"latent_{part}_")
    half = len(means) // 2
    return LinearRegression().fit(means[:half], latent[:half]).score(means[half:], latent[half:])


def test_latent_parts_are_seen_where_they_should_be(cohort):
    for stream, seen in (("tile", {"both", "tile"}), ("cells", {"both", "cells"}), ("rna", {"both", "rna"})):
        for part in ("both", "tile", "cells", "rna"):
            share = explained(getattr(cohort, stream), cohort.truth, part)
            assert (share > 0.3) if part in seen else (share < 0.1), (stream, part, share)


def test_hazard_drives_survival_and_effect_zero_does_not(cohort):
    def c(drawn):
        table = drawn.clinical.merge(drawn.truth, on="patient_id")
        pairs = survival_pairs(
            table["log_hazard"].to_numpy() + 0.0, table["os_days"].to_numpy(float), table["os_event"].to_numpy(float)
        )
        return pairs.won.sum() / pairs.comparable.sum()

    assert c(cohort) > 0.7
    nothing = draw(patients=400, effect=0)
    assert np.ptp(nothing.truth["log_hazard"]) == 0
    latent = nothing.truth.filter(like="latent_").to_numpy()
    assert max(abs(spearmanr(latent[:, k], nothing.truth["os_true_days"])[0]) for k in range(latent.shape[1])) < 0.17


def oracle(drawn, parts: tuple[str, ...]) -> float:
    """Share of the log hazard that a linear fit on the true latent parts and age explains."""
    table = drawn.truth.merge(drawn.clinical[["patient_id", "age"]], on="patient_id")
    seen = table.filter(regex=f"^age$|latent_({'|'.join(parts)})_")
    return LinearRegression().fit(seen, table["log_hazard"]).score(seen, table["log_hazard"])


def classes_known(drawn, parts: tuple[str, ...]) -> float:
    """How much better than its frequencies a logistic fit on the true latent parts knows the subtype.

    It is fitted on one half and read on the other.
    """
    latent, label = (
        drawn.truth.filter(regex=f"latent_({'|'.join(parts)})_").to_numpy(),
        drawn.clinical["pam50"].to_numpy(),
    )
    half = len(label) // 2
    return (
        LogisticRegression(max_iter=1000).fit(latent[:half], label[:half]).score(latent[half:], label[half:])
        - pd.Series(label[half:]).value_counts(normalize=True).max()
    )


def joint_gain(drawn) -> float:
    """Share of the log hazard that mean WSI features explain beyond RNA (fit on one half, read on the other)."""
    rna = np.log1p(drawn.rna.set_index("patient_id"))
    wsi = (
        drawn.tile.merge(drawn.cells)
        .groupby("patient_id")[[c for c in (*drawn.tile, *drawn.cells) if c[:5] in ("tile_", "cells")]]
        .mean()
    )
    both = rna.index.intersection(wsi.index)
    hazard, half = drawn.truth.set_index("patient_id").loc[both, "log_hazard"], len(both) // 2
    shown = rna.loc[both].to_numpy(), np.column_stack([rna.loc[both], wsi.loc[both]])
    alone, joint = (Ridge(10).fit(x[:half], hazard[:half]).score(x[half:], hazard[half:]) for x in shown)
    return joint - alone


def test_redundant_modalities_have_nothing_of_their_own(cohort):
    same = draw(patients=400, modalities="redundant")
    assert oracle(same, ("both",)) > 0.999 and oracle(cohort, ("both",)) < 0.5
    assert not same.truth.filter(regex="latent_(tile|cells|rna)_").to_numpy().any()
    pd.testing.assert_frame_equal(same.truth.filter(like="latent_both"), cohort.truth.filter(like="latent_both"))
    assert explained(same.rna, same.truth, "both") > 0.95 and explained(same.tile, same.truth, "both") > 0.85
    assert joint_gain(same) < 0.02 < 0.2 < joint_gain(cohort)
    assert same.truth["log_hazard"].std() == pytest.approx(cohort.truth["log_hazard"].std(), rel=0.15), (
        "as much to learn as before"
    )
    assert classes_known(same, ("both",)) > 0.2


def test_redundant_cells_are_the_tiles_in_other_coordinates(cohort):
    same = draw(patients=400, cells="redundant")
    pd.testing.assert_frame_equal(same.tile, cohort.tile)
    pd.testing.assert_frame_equal(same.rna, cohort.rna)
    pd.testing.assert_frame_equal(same.clinical, cohort.clinical)

    def left(drawn):
        tile, cells = drawn.tile.filter(like="tile_").to_numpy(float), drawn.cells.filter(like="cells_").to_numpy(float)
        return np.abs(cells - LinearRegression().fit(tile, cells).predict(tile)).max() / cells.std()

    assert left(same) < 1e-5 and left(cohort) > 1
    assert list(same.cells) == list(cohort.cells)
    assert same.cells.filter(like="cells_").to_numpy().std() == pytest.approx(
        same.tile.filter(like="tile_").to_numpy().std(), rel=0.3
    )


def test_an_irrelevant_shared_part_carries_no_outcome_and_is_still_seen_by_both(cohort):
    apart = draw(patients=400, shared="irrelevant")
    assert oracle(apart, ("both",)) < oracle(cohort, ("both",)) - 0.1
    assert oracle(apart, ("tile", "cells", "rna")) > 0.999 > 0.9 > oracle(cohort, ("tile", "cells", "rna"))
    assert classes_known(apart, ("both",)) < 0.05 < 0.08 < classes_known(cohort, ("both",))
    for table in ("tile", "cells", "rna"):
        pd.testing.assert_frame_equal(getattr(apart, table), getattr(cohort, table))


def test_nulls_that_cannot_be_are_refused():
    for null in ({"modalities": "redundant"}, {"cells": "redundant"}, {"shared": "irrelevant"}):
        with pytest.raises(ValueError, match="simulated slides are frozen and have no such null"):
            Simulate(level="slides", **null)
    with pytest.raises(ValueError, match="take effect: 0"):
        Simulate(modalities="redundant", shared="irrelevant")


def test_shares_and_shapes(cohort):
    facts = cohort.clinical
    assert facts["os_event"].mean() == pytest.approx(0.5, abs=0.02)
    assert facts["site"].nunique() == 20 and set(facts["pam50"]) == {"Basal", "Her2", "LumA", "LumB"}
    assert 0.03 < 1 - cohort.rna["patient_id"].nunique() / 400 < 0.14
    slides = cohort.tile.groupby("patient_id")["slide_id"].nunique()
    assert (slides == 2).sum() > 20 and slides.max() == 2
    assert (cohort.tile[["slide_id", "x", "y"]].to_numpy() == cohort.cells[["slide_id", "x", "y"]].to_numpy()).all()


def test_seeds_decide_everything():
    pd.testing.assert_frame_equal(draw(patients=30).rna, draw(patients=30).rna)
    assert not draw(patients=30, seed=2).clinical["os_days"].equals(draw(patients=30).clinical["os_days"])


def test_the_cells_stream_may_be_the_wider_one():
    drawn = draw(patients=20, tile_features=6, cell_features=15)
    assert (
        sum(c.startswith("cells_") for c in drawn.cells) == 15 and sum(c.startswith("tile_") for c in drawn.tile) == 6
    )
    assert np.isfinite(drawn.cells.filter(like="cells_").to_numpy()).all()
