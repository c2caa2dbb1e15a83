"""A compiled encoder gives the vectors of the plain one, blocks of another size included."""

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from confuselt.embed.card import Card
from confuselt.embed.encoder import load_encoder

SMALL = {"embed_dim": 48, "depth": 1, "num_heads": 3}


@pytest.mark.full  # a minute of compiling
def test_compiled_vectors_are_those_of_the_plain_model(tmp_path):
    torch.manual_seed(0)
    model = timm.create_model("vit_small_patch16_224", num_classes=0, **SMALL)
    save_file(model.state_dict(), tmp_path / "a.safetensors")
    card = Card(architecture="vit_small_patch16_224", arguments=SMALL, dim=48)
    tiles = np.random.default_rng(0).integers(0, 256, (40, 224, 224, 3), np.uint8)
    plain, compiled = (
        load_encoder("a", card.in_job, str(tmp_path / "a.safetensors"), torch.device("cpu"), c) for c in (False, True)
    )
    np.testing.assert_allclose(compiled.embed(tiles), plain.embed(tiles), atol=1e-4)
    np.testing.assert_allclose(compiled.embed(tiles[:3]), plain.embed(tiles[:3]), atol=1e-4)
    assert compiled.worked > 0 and compiled.embed(tiles[:0]).shape == (0, 48)
