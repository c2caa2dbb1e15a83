"""An encoder of one's own, as docs/EMBED.md says: a card and a file of weights, from slides to the report."""

import hashlib
import json
import os

import h5py
import pytest
import timm
import torch
from conftest import SIX, snakemake
from safetensors.torch import save_file

from confuselt.embed.schema import WEIGHTS
from confuselt.tables import read_table

pytestmark = pytest.mark.xdist_group("own-encoder")
CARD = """\
title: A small vision transformer
architecture: vit_small_patch16_224
arguments: {embed_dim: 48, depth: 2, num_heads: 3}
pooling: cls+mean
dim: 96
mean: [0.7, 0.6, 0.7]
std: [0.2, 0.2, 0.2]
trained_on: [Another cohort]
"""


def write_weights(path, seed=0):
    torch.manual_seed(seed)
    model = timm.create_model("vit_small_patch16_224", num_classes=0, embed_dim=48, depth=2, num_heads=3)
    save_file(model.state_dict(), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Folder of a finished run, and its config."""
    folder = tmp_path_factory.mktemp("own-encoder")
    (folder / "mine.yaml").write_text(CARD)
    stated = write_weights(folder / "mine.safetensors")
    embed = {"encoder": "mine", "card": "mine.yaml", "weights": "mine.safetensors", "sha256": stated}
    config = {**SIX, "embed": embed, "simulate": {**SIX["simulate"], "patients": 16}}
    snakemake(folder, config=config)
    return folder, config


def jobs(folder, config):
    """Rules that a run would start."""
    done = snakemake(folder, "-n", config=config)
    return {line.split()[0] for line in done.stdout.splitlines() if line[:1].isalpha() and line.split()[-1].isdigit()}


def test_a_run_ends_in_a_report_and_every_file_says_by_which_encoder(own):
    folder, config = own
    cohort = next((folder / "results/cohorts").iterdir())
    weights = read_table(folder / "results/embed/mine.parquet", WEIGHTS).iloc[0]
    assert weights["weights"] == config["embed"]["sha256"] and weights["dim"] == 96
    bag = next((cohort / "embed/mine").glob("*.h5"))
    experiment = next((folder / "results").rglob("report.html")).parents[1]
    models = [torch.load(p, weights_only=True) for p in experiment.rglob("pretrain/*/r0f*.pt")]
    with h5py.File(bag) as one, h5py.File(cohort / "pack/mine.h5") as store:
        found = [dict(one.attrs), dict(store["tile"].attrs), *(m["recipe"]["tile"] for m in models)]
    assert len(found) > 2
    for recipe in found:
        saw = recipe["trained_on"]
        assert (json.loads(saw) if isinstance(saw, str) else saw) == ["Another cohort"]
        assert (recipe["name"], recipe["card"], recipe["d"]) == ("mine", weights["card"], 96)
        assert recipe["weights"] == weights["weights"][:16]


def test_other_weights_or_another_card_embed_anew_and_a_touch_does_not(own):
    folder, config = own
    assert jobs(folder, config) == set()
    os.utime(folder / "mine.safetensors")
    snakemake(folder, "--until", "check_weights", config=config)
    assert jobs(folder, config) == set()
    (folder / "mine.yaml").write_text(CARD.replace("Another cohort", "A third").replace("A small", "The small"))
    assert "embed_tiles" in jobs(folder, config), "what it saw is written into every bag"
    (folder / "mine.yaml").write_text(f"{CARD}licence: MIT\n".replace("A small", "The small"))
    assert jobs(folder, config) == set()
    (folder / "mine.yaml").write_text(CARD.replace("pooling: cls+mean", "pooling: cls").replace("96", "48"))
    assert {"check_weights", "embed_tiles"} <= jobs(folder, config)
    (folder / "mine.yaml").write_text(CARD)


@pytest.mark.full  # what it says of files is tried in embed/test_cards.py
def test_the_wrong_weights_stop_the_run_before_a_slide_is_read(own, tmp_path):
    folder, config = own
    (tmp_path / "mine.yaml").write_text(CARD)
    write_weights(tmp_path / "mine.safetensors", seed=1)
    done = snakemake(tmp_path, config=config, check=False)
    assert done.returncode and f"embed.sha256 says {config['embed']['sha256']}" in done.stdout + done.stderr
    assert not list((tmp_path / "results").rglob("embed/mine/*.h5"))
    torch.save({"weights": torch.ones(3)}, tmp_path / "mine.safetensors")
    done = snakemake(tmp_path, config=config, check=False)
    assert done.returncode and "is no file of weights, or not whole" in done.stdout + done.stderr
