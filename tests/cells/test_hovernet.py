"""Typed nuclei by HoVer-Net: what becomes of its maps, at seams too, and which files of weights are refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from cells.tiny_hovernet import TinyHoverNet
from conftest import shared
from safetensors.torch import save_file
from scipy.spatial import cKDTree
from slides.drawn import CFG, drawn_slide

from confuselt.cells.card import Card, card_of, names, read_card
from confuselt.cells.checked import try_finder
from confuselt.cells.finder import Machine
from confuselt.cells.finders.hovernet import Maps, nuclei_of
from confuselt.cells.load import load_finder
from confuselt.cells.pixels import drawn_tiles, slide_nuclei
from confuselt.cells.roles import ROLES, suggested
from confuselt.slides.slide import Slide
from confuselt.tile.grid import cut

OWN = {
    "finder": "hovernet",
    "arguments": {"architecture": "cells.tiny_hovernet:TinyHoverNet"},
    "types": {"small": "immune", "large": "tumour"},
    "mpp": 0.25,
}


@pytest.fixture
def tiny(tmp_path):
    save_file(TinyHoverNet().state_dict(), tmp_path / "tiny.safetensors")
    return str(tmp_path / "tiny.safetensors")


def maps_of(label, kind, picture=None):
    """Maps of a network that makes no mistake: distances to the middle of each nucleus, -1 to 1."""
    apart = np.zeros((*label.shape, 2), np.float16)
    for number in np.unique(label[label > 0]):
        rows, columns = np.nonzero(label == number)
        for axis, at in ((0, columns), (1, rows)):
            offset = at - at.mean()
            low, high = max(-offset.min(), 1e-6), max(offset.max(), 1e-6)
            apart[rows, columns, axis] = np.where(offset < 0, offset / low, offset / high)
    picture = np.full((*label.shape, 3), 240, np.uint8) if picture is None else picture
    return Maps((label > 0).astype(np.float16), apart, kind.astype(np.uint8), picture)


def scores(found, label, kind, reach):
    """F1 of centres within a distance, and the share of hits with the right type."""
    numbers = np.unique(label[label > 0])
    middle = np.array([np.argwhere(label == i).mean(0)[::-1] for i in numbers])
    types = np.array([np.bincount(kind[label == i]).argmax() for i in numbers])
    distance, at = cKDTree(found[["x", "y"]]).query(middle)
    back = cKDTree(middle).query(found[["x", "y"]])[1]
    hit = (distance <= reach) & (back[at] == np.arange(len(middle)))
    right = found["type"].to_numpy()[at[hit]] == np.array([str(t) for t in types[hit]])
    return 2 * hit.sum() / (len(found) + len(middle)), right.mean()


def test_nuclei_of_true_maps_are_the_true_nuclei_of_nucls():
    """Measured 2026-11: F1 .99, types 1.0."""
    folder, f1, right = shared("nuclei", "train"), [], []
    for path in sorted((folder / "labels").glob("*.npy")):
        truth = np.load(path, allow_pickle=True).item()
        label, kind = truth["inst_map"].astype(np.int32), truth["type_map"].astype(np.uint8)
        found = nuclei_of(maps_of(label, kind), ("1", "2"), 0.25, 0)
        one, types = scores(found, label, kind, 12)
        f1.append(one)
        right.append(types)
    assert np.mean(f1) >= 0.95 and np.mean(right) >= 0.98, (np.mean(f1), np.mean(right))


def test_nuclei_of_true_maps_are_the_true_nuclei_of_a_real_nest():
    with (
        np.load(shared("nuclei_wsi", "hgsc_nest_inst_mask.npz")) as a,
        np.load(shared("nuclei_wsi", "hgsc_nest_type_mask.npz")) as b,
    ):
        label, kind = a[a.files[0]].astype(np.int32), b[b.files[0]].astype(np.uint8)
    types = tuple(str(k) for k in range(1, int(kind.max()) + 1))
    f1, right = scores(nuclei_of(maps_of(label, kind), types, 0.5, 0), label, kind, 6)
    assert f1 >= 0.95 and right >= 0.98, (f1, right)


def test_what_is_said_of_a_nucleus():
    label, kind = np.zeros((80, 90), np.int32), np.zeros((80, 90), np.uint8)
    label[20:40, 30:50] = 1
    kind[20:40, 30:50], kind[20:30, 30:50] = 2, 1
    kind[20:24, 30:50] = 0
    label[60:72, 60:72] = 2  # of no type
    picture = np.full((80, 90, 3), 235, np.uint8)
    picture[20:40, 30:50] = (90, 60, 140)
    found = nuclei_of(maps_of(label, kind, picture), ("a", "b"), 0.25, 46)
    assert found["type"].tolist() == ["b", None]
    first, second = found.iloc[0], found.iloc[1]
    assert (first["x"], first["y"]) == pytest.approx((46 + 39.5, 46 + 29.5))
    assert first["probability"] == pytest.approx(0.5) and np.isnan(second["probability"])
    assert first["area_um2"] == pytest.approx(400 / 16) and first["solidity"] == pytest.approx(1)
    assert first["stain"] > 0.03 > second["stain"]
    assert nuclei_of(maps_of(np.zeros((50, 50), int), np.zeros((50, 50))), ("a",), 0.25, 0).empty


@pytest.mark.parametrize("workers", [0, 2])
def test_no_nucleus_twice_none_lost_at_seams(tmp_path, tiny, workers):
    """Tiles side by side find what one large tile finds, whoever cuts the nuclei out."""
    drawn_slide(tmp_path / "a.svs", width_um=330)
    slide = Slide(tmp_path / "a.svs")
    tiles = cut(slide, {**CFG, "tile.min_focus": 0, "tile.min_tissue": 0.01}).tiles
    finder = load_finder("tiny", OWN, tiny, Machine(workers=workers))
    assert finder.lost == 46
    found, seen = slide_nuclei(slide, tiles, 224, finder)
    assert seen.all() and set(found["type"]) <= {"small", "large"} and len(found) > 100
    distance = cKDTree(found[["x", "y"]]).query(found[["x", "y"]], k=2)[0][:, 1]
    assert (distance * slide.mpp < 1).sum() == 0
    if workers:
        alone, _ = slide_nuclei(slide, tiles, 224, load_finder("tiny", OWN, tiny))
        pd.testing.assert_frame_equal(found, alone)
        return
    # The same tissue cut along other lines, half a tile aside: what touches may be parted otherwise in other
    # surroundings, at a seam as anywhere else.
    moved = tiles.assign(x=tiles["x"] + 112, y=tiles["y"] + 112)
    other, _ = slide_nuclei(slide, moved, 224, finder)
    within = other[cKDTree(tiles[["x", "y"]] + 112).query(other[["x", "y"]], p=np.inf)[0] < 111]
    near = cKDTree(found[["x", "y"]]).query(within[["x", "y"]])[0] * slide.mpp < 4
    to_seam = np.minimum(
        (within[["x", "y"]] - tiles[["x", "y"]].iloc[0]) % 224, -(within[["x", "y"]] - tiles[["x", "y"]].iloc[0]) % 224
    )
    seam = (to_seam.min(axis=1) * slide.mpp < 8).to_numpy()
    assert seam.sum() > 20 and near[seam].mean() > 0.9 and near.mean() > 0.9
    shares = [some["type"].value_counts(normalize=True) for some in (within, found)]
    assert shares[0].sub(shares[1]).abs().max() < 0.1


@pytest.mark.full  # half a minute of compiling
def test_a_compiled_network_finds_the_same_nuclei(tiny):
    """Three pictures where two go through at once, so that one is filled up."""
    pictures = np.repeat(np.random.default_rng(0).integers(60, 256, (3, 40, 40, 3), np.uint8), 8, 1).repeat(8, 2)
    found = [
        list(load_finder("tiny", OWN, tiny, Machine(compiled=c)).find([(np.arange(3), pictures)], [], 0.25))
        for c in (False, True)
    ]
    for (number, plain), (other, compiled) in zip(*found, strict=True):
        assert number == other and len(plain) > 3
        pd.testing.assert_frame_equal(plain, compiled, atol=1e-3)


@pytest.mark.parametrize(
    "name",
    [
        "hovernet-fast-pannuke",
        *(
            pytest.param(n, marks=pytest.mark.full)  # half a minute each
            for n in names()
            if card_of(n).finder == "hovernet" and n != "hovernet-fast-pannuke"
        ),
    ],
)
def test_every_card_loads_its_weights_strictly(tmp_path, name):
    """TIAToolbox's network at full size, seeded; the authors' own wrapping of the file too."""
    from tiatoolbox.models.architecture.hovernet import HoVerNet

    card = card_of(name)
    torch.manual_seed(0)
    model = HoVerNet(num_types=len(card.types) + 1, mode=card.arguments["mode"])
    torch.save({"desc": {f"module.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "net.tar")
    finder = load_finder(name, card.in_job, str(tmp_path / "net.tar"))
    for key, value in model.state_dict().items():
        assert torch.equal(value, finder.model.state_dict()[key]), key
    try_finder(finder)
    wrong = HoVerNet(num_types=len(card.types) + 2, mode=card.arguments["mode"])
    torch.save(wrong.state_dict(), tmp_path / "wrong.pth")
    with pytest.raises(ValueError, match=f"with {len(card.types)} types: .*of another shape"):
        load_finder(name, card.in_job, str(tmp_path / "wrong.pth"))
    torch.save({"a": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="missing .*unexpected"):
        load_finder(name, card.in_job, str(tmp_path / "other.pth"))


def test_the_networks_own_inference_gives_the_same_maps(tmp_path):
    """Against TIAToolbox's `infer_batch`, on the same picture."""
    from tiatoolbox.models.architecture.hovernet import HoVerNet

    card = card_of("hovernet-fast-pannuke")
    torch.manual_seed(1)
    model = HoVerNet(num_types=6, mode="fast").eval()
    torch.save(model.state_dict(), tmp_path / "net.pth")
    finder = load_finder("hovernet-fast-pannuke", card.in_job, str(tmp_path / "net.pth"))
    picture = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    nucleus, apart, kind = finder._started(picture).done()
    theirs = HoVerNet.infer_batch(model, torch.from_numpy(picture), device="cpu")
    np.testing.assert_allclose(nucleus, theirs[0][..., 0], atol=1e-3)
    np.testing.assert_allclose(apart, theirs[1], rtol=2e-3, atol=2e-3)
    assert (kind == theirs[2][..., 0]).mean() > 0.999


def test_a_card_says_roles_and_nothing_else(tmp_path):
    for name in names():
        card = card_of(name)
        assert set(card.types.values()) <= set(ROLES) and card.roles and card.licence and card.title, name
    assert card_of("hovernet-fast-pannuke").roles == ("tumour", "immune", "stroma", "epithelium", "dead")
    (tmp_path / "mine.yaml").write_text("types: {A: tumor}\n")
    with pytest.raises(ValueError, match=r"cells.card .*mine.yaml: types.A"):
        read_card(tmp_path / "mine.yaml")
    one, other = (
        Card(types=dict(order)) for order in ((("a", "tumour"), ("b", "dead")), (("b", "dead"), ("a", "tumour")))
    )
    assert one.identity != other.identity, "the order is that of the model's numbers"
    assert suggested(["nuclei_tumor", "Lymphocyte", "Mitosis", "non-neoplastic epithelial"]) == {
        "nuclei_tumor": "tumour",
        "Lymphocyte": "immune",
        "Mitosis": "other",
        "non-neoplastic epithelial": "epithelium",
    }


def test_a_sample_of_tiles_follows_from_the_slide_alone():
    one, again, other = drawn_tiles("a", 100, 20), drawn_tiles("a", 100, 20), drawn_tiles("b", 100, 20)
    assert one.sum() == 20 and (one == again).all() and (one != other).any()
    assert drawn_tiles("a", 100, None).all() and drawn_tiles("a", 10, 20).all()
    assert (drawn_tiles("a", 100, 30) >= one).all(), "a larger sample holds the smaller one"
