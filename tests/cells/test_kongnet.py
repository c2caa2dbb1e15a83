"""KongNet: points where the network is surest, one nucleus at a place, sizes and shapes missing."""

import numpy as np
import pytest
import torch
from cells.tiny_kongnet import TinyKongNet
from safetensors.torch import save_file
from scipy.spatial import cKDTree

from confuselt.cells.card import card_of, names
from confuselt.cells.checked import try_finder
from confuselt.cells.features import MEASURED
from confuselt.cells.finders.kongnet import points_of
from confuselt.cells.load import load_finder

OWN = {
    "finder": "kongnet",
    "arguments": {"architecture": "cells.tiny_kongnet:TinyKongNet"},
    "types": {"blue": "immune", "red": "tumour"},
    "mpp": 0.5,
}


@pytest.fixture
def tiny(tmp_path):
    save_file(TinyKongNet().state_dict(), tmp_path / "tiny.safetensors")
    return str(tmp_path / "tiny.safetensors")


def bumps(places, side=200, kinds=2, width=3.0):
    """Maps with a bump of its own height at every place (x, y, kind, height)."""
    yy, xx = np.mgrid[:side, :side]
    maps = np.zeros((side, side, kinds), np.float32)
    for x, y, kind, height in places:
        maps[..., kind] = np.maximum(maps[..., kind], height * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / 2 / width**2))
    return maps


def test_every_bump_is_a_nucleus_of_its_type_with_its_probability():
    rng = np.random.default_rng(0)
    places = [
        (x, y, int(rng.integers(2)), float(rng.uniform(0.6, 1))) for x in range(20, 190, 25) for y in range(20, 190, 25)
    ]
    found = points_of(bumps(places), ("a", "b"), 8, 0.5)
    assert len(found) == len(places)
    distance, at = cKDTree(found[["x", "y"]]).query([p[:2] for p in places])
    assert distance.max() == 0
    assert found["type"].to_numpy()[at].tolist() == ["ab"[p[2]] for p in places]
    np.testing.assert_allclose(found["probability"].to_numpy()[at], [p[3] for p in places], rtol=1e-6)


def test_of_two_at_one_place_the_surer_is_taken_whatever_its_type():
    found = points_of(bumps([(50, 50, 0, 0.7), (54, 50, 1, 0.9), (120, 50, 0, 0.4)]), ("a", "b"), 8, 0.5)
    assert found[["x", "y", "type"]].to_numpy().tolist() == [[54, 50, "b"]], "and what is not sure enough is none"
    alike = points_of(bumps([(50, 50, 0, 0.9), (50, 50, 1, 0.9), (53, 50, 1, 0.9)]), ("a", "b"), 8, 0.5)
    assert len(alike) == 1 and alike["type"].item() == "a"
    assert points_of(np.zeros((64, 64, 2), np.float32), ("a", "b"), 8, 0.5).empty


def test_a_network_of_ones_own_finds_discs_and_tells_no_shape(tiny):
    finder = load_finder("tiny", OWN, tiny)
    try_finder(finder)
    yy, xx = np.mgrid[:256, :256]
    picture = np.full((256, 256, 3), 230, np.uint8)
    places = [(40, 60, "blue"), (120, 60, "red"), (200, 180, "blue"), (90, 200, "red")]
    for x, y, colour in places:
        picture[(xx - x) ** 2 + (yy - y) ** 2 < 100] = (40, 40, 230) if colour == "blue" else (230, 40, 40)
    batches = [(np.array([3, 8]), np.stack([picture, picture[:, ::-1]]))]
    tables = dict(finder.find(batches, [], 0.5))
    assert set(tables) == {3, 8}
    distance, at = cKDTree(tables[3][["x", "y"]]).query([p[:2] for p in places])
    assert len(tables[3]) == 4 and distance.max() <= 1.5
    assert tables[3]["type"].to_numpy()[at].tolist() == [p[2] for p in places]
    assert not set(MEASURED) & set(tables[3]) - {"probability"}
    mirrored = cKDTree(tables[8][["x", "y"]]).query([(255 - x, y) for x, y, _ in places])[0]
    assert mirrored.max() <= 1.5


def test_a_card_with_another_number_of_types_is_an_error(tiny):
    with pytest.raises(ValueError, match="the network tells 2 types, its card 1"):
        load_finder("tiny", {**OWN, "types": {"blue": "immune"}}, tiny)


@pytest.mark.full
@pytest.mark.parametrize("name", [name for name in names() if card_of(name).finder == "kongnet"])
def test_every_card_loads_its_weights_strictly_and_says_what_the_network_says(tmp_path, name):
    """TIAToolbox's network at full size, seeded, in the authors' own wrapping of the file; its own inference."""
    from tiatoolbox.models.architecture.kongnet import KongNet

    card = card_of(name)
    torch.manual_seed(0)
    model = KongNet(**card.arguments).eval()
    torch.save({"model": model.state_dict()}, tmp_path / "net.pth")
    finder = load_finder(name, card.in_job, str(tmp_path / "net.pth"))
    for key, value in model.state_dict().items():
        assert torch.equal(value, finder.model.state_dict()[key]), key
    picture = np.random.default_rng(0).integers(0, 256, (1, 128, 128, 3), np.uint8)
    # An untrained network blows rounding up: what goes in and comes out of it is compared, not two runs of it.
    seen = {}
    finder.model.register_forward_hook(lambda _, given, out: seen.update(given=given[0], out=out))
    (ours,) = finder._started(picture).done()
    np.testing.assert_allclose(seen["given"].permute(0, 2, 3, 1), KongNet.preproc(picture), atol=1e-5)
    told = seen["out"][:, model.target_channels].sigmoid().permute(0, 2, 3, 1)
    np.testing.assert_array_equal(ours, told)
    torch.save({"model": {"a": torch.ones(3)}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="missing .*unexpected"):
        load_finder(name, card.in_job, str(tmp_path / "other.pth"))
