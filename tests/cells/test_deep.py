"""Deep cell-type features: weights by hand, pictures around nuclei, what a slide without nuclei says."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from slides.drawn import CFG, drawn_slide
from torch import nn

from confuselt.cells.card import card_of
from confuselt.cells.columns import NAMES
from confuselt.cells.deep import Pooling, drawn_nuclei, looked_at, pool_slide, weighted
from confuselt.cells.finder import Machine
from confuselt.cells.group import Job, type_slide
from confuselt.cells.load import load_source
from confuselt.cells.roles import ROLES
from confuselt.embed.card import Card
from confuselt.embed.encoder import Encoder
from confuselt.embed.write_bag import write_bag
from confuselt.slides.slide import Slide
from confuselt.tables import write_table
from confuselt.tile.grid import cut
from confuselt.tile.schema import GRID
from confuselt.unusable import Unusable

CELLS = card_of("classical")


class MeanColour(nn.Module):
    """A picture's mean red, green and blue, 0 to 1."""

    def forward(self, pictures):
        return pictures.mean((2, 3))


def encoder():
    card = Card(architecture="x", size=64, pooling="vector", dim=3, mean=(0, 0, 0), std=(1, 1, 1))
    return Encoder("colours", card, 64 * "a", MeanColour(), torch.device("cpu"))


def cells(**columns):
    n = len(next(iter(columns.values())))
    found = np.full((n, len(NAMES)), np.nan, np.float32)
    found[:, NAMES.index("sought")] = 1
    for name, values in columns.items():
        found[:, NAMES.index(name)] = values
    return found


def test_tiles_weigh_as_many_nuclei_of_a_role_as_they_hold():
    tiles = np.array([[1.0, 0], [0, 1], [1, 1], [9, 9]], np.float32)
    density = np.array([100.0, 300, 0, 500])
    found = weighted(
        tiles,
        cells(
            log_density_tumour=np.log1p(density),
            log_density_immune=np.log1p([0, 0, 50.0, 0]),
            log_density_dead=np.zeros(4),
            sought=[1, 1, 1, 0],
        ),
    )
    assert list(found) == ["tumour", "immune"], "of a role without nuclei, or one that is not told, there is no row"
    pooled, (log_density, share, some) = found["tumour"]
    np.testing.assert_allclose(pooled, [0.25, 0.75], rtol=1e-5)
    assert log_density == pytest.approx(np.log1p(density[:3]).mean(), rel=1e-5)
    assert share == pytest.approx(400 / 450, rel=1e-5) and some == pytest.approx(2 / 3)
    np.testing.assert_allclose(found["immune"][0], [1, 1], rtol=1e-5)


def test_a_sample_of_nuclei_follows_from_the_slide_alone():
    nuclei = pd.DataFrame({"x": range(300), "y": 0, "type": ["a"] * 200 + ["b"] * 90 + ["c"] * 10})
    roles = {"a": "tumour", "b": "immune", "c": "dead"}
    some = drawn_nuclei(nuclei, roles, "s1", 40)
    assert some["role"].value_counts().to_dict() == {"tumour": 40, "immune": 40, "dead": 10}
    pd.testing.assert_frame_equal(some, drawn_nuclei(nuclei, roles, "s1", 40))
    assert set(drawn_nuclei(nuclei, roles, "s2", 40)["x"]) != set(some["x"])
    assert set(some["x"]) <= set(drawn_nuclei(nuclei, roles, "s1", 60)["x"]), "a larger sample holds the smaller"


@pytest.fixture
def slide(tmp_path):
    """Row of a drawn slide with its grid, cell features, nuclei and embeddings, and the job that pools them."""
    drawn_slide(tmp_path / "s1.svs", width_um=450)
    opened = Slide(tmp_path / "s1.svs")
    grid = cut(opened, {**CFG, "tile.min_focus": 0})
    (tmp_path / "tile").mkdir()
    write_table(grid.tiles, tmp_path / "tile/s1.parquet", GRID)
    row = {
        **{"slide_id": "s1", "patient_id": "p1", "file": "s1.svs", "mpp_given": None, "reader": "tiled_tiff"},
        **{"mpp": opened.mpp, "tile_px": grid.facts["tile_px"], "sha": "grid", "embed_sha": "e", "cells_sha": "c"},
    }
    cfg = {"data": str(tmp_path), "cells.method": "classical", "cells.card": CELLS.in_job, "cells.nuclei": None}
    source = load_source({**cfg, "cells.roles": {}, "cells.origin": None, "cells.max_tiles": None}, None, Machine())
    type_slide(row, Job(tmp_path, tmp_path / "tile", tmp_path / "cells", source))
    (tmp_path / "embed").mkdir()
    coords = grid.tiles[["x", "y"]].to_numpy(np.int32)
    features = np.random.default_rng(0).normal(0, 1, (len(coords), 3)).astype(np.float16)
    write_bag(
        tmp_path / "embed/s1.h5",
        features,
        coords,
        {"name": "colours", "weights": "w", "card": "k", "trained_on": '["A"]'},
    )
    return row, Pooling(tmp_path, tmp_path / "cells", tmp_path / "embed", tmp_path / "deep", encoder(), 30, CELLS.types)


def test_a_slide_becomes_a_row_per_role(slide):
    row, job = slide
    facts = pool_slide(row, job)
    with h5py.File(job.folder / "s1.h5") as file:
        features, coords, attrs = file["features"][()], file["coords"][()], dict(file.attrs)
    roles = [ROLES[k] for k in coords[:, 0]]
    assert facts["n"] == len(features) > 2 and roles == [r for r in ROLES if r in roles]
    assert features.shape[1] == 3 + 3 + len(ROLES) + 3 == attrs["d"] and np.isfinite(features).all()
    np.testing.assert_array_equal(features[:, 6:12], np.eye(6)[coords[:, 0]])
    assert features[:, 4].sum() == pytest.approx(1, abs=1e-5), "shares of the roles"
    assert json.loads(attrs["trained_on"]) == ["A"] and attrs["crops"] == 30
    assert attrs["name"] == "classical by colours"
    near = looked_at(row, job)
    np.testing.assert_allclose(features[:, -3:], [near[r] for r in roles], rtol=1e-6)
    assert pool_slide({**row, "cells_sha": "c"}, job) == facts, "kept"


def test_pictures_are_of_nuclei(slide):
    """A nucleus is darker than what surrounds tiles on the whole, and its picture is 16 µm wide here."""
    row, job = slide
    near = looked_at(row, job)
    opened = Slide(job.data / "s1.svs")
    whole = opened.whole(4.0).reshape(-1, 3).mean(0) / 255
    assert all(vector.mean() < whole.mean() for vector in near.values())


def test_without_pictures_no_slide_is_read(slide):
    row, job = slide
    (job.data / "s1.svs").unlink()
    facts = pool_slide(row, Pooling(job.data, job.cells, job.bags, job.folder, None, 0, job.roles))
    with h5py.File(job.folder / "s1.h5") as file:
        assert file["features"].shape == (facts["n"], 3 + 3 + len(ROLES)) and file.attrs["crops"] == 0


def test_a_slide_without_nuclei_of_a_role_is_a_row_with_a_reason(slide):
    row, job = slide
    with h5py.File(job.cells / "s1.h5", "a") as file:
        for role in ROLES:
            file["features"][:, NAMES.index(f"log_density_{role}")] = 0
    with pytest.raises(Unusable, match="no nucleus has a role"):
        pool_slide(row, job)
