"""Encoders by card: names, shapes and pooling by hand, other implementations, and files that are of another model.

No file of real weights is here: architectures get seeded ones, at their full size without memory, else at one block.
"""

import re

import numpy as np
import pytest
import timm
import torch
import transformers
from safetensors.torch import save_file

from confuselt.embed.card import FOLDER, Card, card_of, names, read_card, scale_warning
from confuselt.embed.checked import check_same, facts_of, try_encoder
from confuselt.embed.encoder import Encoder, load_encoder
from confuselt.embed.encoders import conch, ctranspath
from confuselt.embed.encoders.timm import untrained
from confuselt.embed.schema import WEIGHTS
from confuselt.embed.weights import read_weights, sha256_of
from confuselt.tables import write_table

CPU = torch.device("cpu")
OF_TIMM = [name for name in names() if card_of(name).loader == "timm"]
# Millions of parameters that authors state (heads left out), and tokens before the patches.
STATED = {
    "gigapath": (1135, 1),
    "gpfm": (304, 1),
    "h-optimus-0": (1135, 5),
    "h-optimus-1": (1135, 5),
    "h0-mini": (86, 5),
    "hibou-b": (86, 5),
    "hibou-l": (304, 5),
    "kaiko-b16": (86, 1),
    "kaiko-l14": (304, 5),
    "kaiko-s16": (21.7, 1),
    "lunit-s16": (21.7, 1),
    "lunit-s8": (21.7, 1),
    "midnight": (1135, 1),
    "phikon": (86, 1),
    "phikon-v2": (303, 1),
    "uni": (303, 1),
    "uni2-h": (681, 9),
    "virchow": (631, 1),
    "virchow2": (631, 5),
}
# What hubs call a tensor of timm's vision transformer.
HF_NAMES = (
    (r"^cls_token", "embeddings.cls_token"),
    (r"^pos_embed", "embeddings.position_embeddings"),
    (r"^reg_token", "embeddings.register_tokens"),
    (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
    (r"^norm\.", "layernorm."),
    (r"^blocks\.", "encoder.layer."),
    (r"attn\.proj\.", "attention.output.dense."),
    (r"ls([12])\.gamma", r"layer_scale\1.lambda1"),
)
VIT = (
    (r"norm1\.", "layernorm_before."),
    (r"norm2\.", "layernorm_after."),
    (r"mlp\.fc1\.", "intermediate.dense."),
    (r"mlp\.fc2\.", "output.dense."),
)
PACKED = ((r"mlp\.fc1\.", "mlp.weights_in."), (r"mlp\.fc2\.", "mlp.weights_out."))


def small(name):
    """A card with one block, float32."""
    card = card_of(name)
    return card.model_copy(update={"arguments": {**card.arguments, "depth": 1}, "precision": "float32"})


def seeded(model, seed=0):
    """Weights that are no start values: of them many are 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.copy_(0.05 * torch.randn(tensor.shape, generator=generator))
    return model.eval()


def as_stored(tensors, card):
    """Tensors of timm's model by the names of a card's layout."""
    if not card.layout.startswith("hf-"):
        return {**tensors, "mask_token": torch.zeros(1, 4)} if card.layout == "dinov2" else dict(tensors)
    found, tensors = {"pooler.dense.weight": torch.zeros(2, 2)}, dict(tensors)
    if "reg_token" in tensors:  # timm keeps no position of the class token there
        tensors["pos_embed"] = torch.cat([torch.full_like(tensors["cls_token"], 0.5), tensors["pos_embed"]], 1)
        tensors["cls_token"] = tensors["cls_token"] - 0.5
    more = VIT if card.layout == "hf-vit" else PACKED if "mlp_layer" in card.arguments else ()
    for name, value in tensors.items():
        for old, new in (*HF_NAMES, *more):
            name = re.sub(old, new, name)
        if ".attn.qkv." in name:
            for part, piece in zip(("query", "key", "value"), value.chunk(3), strict=True):
                found[name.replace("attn.qkv", f"attention.attention.{part}")] = piece
        else:
            found[name] = value
    return found


def stored(tensors, path):
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path)
    return path


@pytest.mark.parametrize("name", OF_TIMM)
def test_the_architecture_of_a_card_has_the_size_that_its_authors_state(name):
    card = card_of(name)
    with torch.device("meta"):
        model = untrained(card)
    millions, before = STATED[name]
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)
    assert model.num_prefix_tokens == before
    assert card.dim == model.num_features * (2 if card.pooling == "cls+mean" else 1)
    assert card.title and card.source and card.licence != "not stated"


@pytest.mark.parametrize("name", OF_TIMM)
def test_a_file_comes_back_bit_by_bit_and_is_pooled_as_by_hand(name, tmp_path):
    card = small(name)
    model = seeded(untrained(card))
    path = stored(as_stored(model.state_dict(), card), tmp_path / "w.safetensors")
    encoder = load_encoder(name, card.in_job, str(path), CPU)
    for key, value in encoder.model.state_dict().items():
        close = {"rtol": 0, "atol": 1e-6 if key == "cls_token" and "reg_token" in model.state_dict() else 0}
        torch.testing.assert_close(value, model.state_dict()[key], **close)
    tiles = np.random.default_rng(1).integers(0, 256, (2, 224, 224, 3), np.uint8)
    mean, std = (torch.tensor(v)[:, None, None] for v in (card.mean, card.std))
    with torch.inference_mode():
        tokens = model.forward_features((torch.from_numpy(tiles).permute(0, 3, 1, 2) / 255 - mean) / std)
    before, patch = STATED[name][1], encoder.model.patch_embed.patch_size[0]
    assert tokens.shape[1] == before + (224 // patch) ** 2
    by_hand = [tokens[:, 0]] if card.pooling == "cls" else [tokens[:, 0], tokens[:, before:].mean(1)]
    np.testing.assert_allclose(encoder.embed(tiles), torch.cat(by_hand, 1).numpy(), atol=2e-4)
    assert encoder.embed(tiles).shape == (2, card.dim)


@pytest.mark.parametrize("name", ["uni", "virchow2", "phikon", "hibou-b"])
def test_a_file_of_another_model_is_refused_and_says_what_differs(name, tmp_path):
    card = small(name)
    tensors = as_stored(seeded(untrained(card)).state_dict(), card)
    key = next(k for k in tensors if k.endswith(("norm1.weight", "layernorm_before.weight")))
    for wrong, words in (
        ({k: v for k, v in tensors.items() if k != key}, r"1 missing \(blocks.0.norm1.weight\), of \d+ tensors"),
        ({**tensors, "text.proj": torch.zeros(2)}, r"1 unexpected \(text.proj\)"),
        ({**tensors, key: torch.zeros(7)}, r"1 of another shape \(blocks.0.norm1.weight \(7,\) for"),
    ):
        path = stored(wrong, tmp_path / "w.safetensors")
        with pytest.raises(ValueError, match=f"w.safetensors: not of {card.architecture}.*{words}"):
            load_encoder(name, card.in_job, str(path), CPU)


CONFIG = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL = {"embed_dim": 64, "depth": 2, "num_heads": 4}


@pytest.mark.parametrize(
    ("theirs", "config", "card"),
    [
        (
            transformers.ViTModel,
            transformers.ViTConfig(**CONFIG, intermediate_size=256),
            {"architecture": "vit_base_patch16_224", "arguments": {**SMALL, "norm_eps": 1e-12}, "layout": "hf-vit"},
        ),
        (
            transformers.Dinov2Model,  # as Midnight: positions of 518 px, a packed SwiGLU
            transformers.Dinov2Config(**CONFIG, image_size=518, patch_size=14, use_swiglu_ffn=True),
            {
                "architecture": "vit_giant_patch14_dinov2",
                "arguments": {**SMALL, "img_size": 224, "mlp_ratio": 352 / 64},
                "layout": "hf-dinov2",
            },
        ),
        (
            transformers.Dinov2Model,  # as Phikon-v2
            transformers.Dinov2Config(**CONFIG, image_size=224, patch_size=16),
            {
                "architecture": "vit_large_patch14_dinov2",
                "arguments": {**SMALL, "img_size": 224, "patch_size": 16, "init_values": 1e-5},
                "layout": "hf-dinov2",
            },
        ),
        (
            transformers.Dinov2WithRegistersModel,  # as Hibou
            transformers.Dinov2WithRegistersConfig(**CONFIG, image_size=224, patch_size=14),
            {
                "architecture": "vit_base_patch14_reg4_dinov2",
                "arguments": {**SMALL, "img_size": 224},
                "layout": "hf-dinov2",
            },
        ),
    ],
)
def test_vectors_are_those_of_the_hubs_own_module(theirs, config, card, tmp_path):
    model = seeded(theirs(config), 3)
    path = stored(model.state_dict(), tmp_path / "w.safetensors")
    encoder = load_encoder("x", Card.model_validate({**card, "pooling": "cls+mean", "dim": 128}).in_job, path, CPU)
    tiles = np.random.default_rng(2).integers(0, 256, (2, 224, 224, 3), np.uint8)
    mean, std = (torch.tensor(v)[:, None, None] for v in (encoder.card.mean, encoder.card.std))
    with torch.inference_mode():
        tokens = model((torch.from_numpy(tiles).permute(0, 3, 1, 2) / 255 - mean) / std).last_hidden_state
    before = 1 + getattr(config, "num_register_tokens", 0)
    np.testing.assert_allclose(
        encoder.embed(tiles), torch.cat([tokens[:, 0], tokens[:, before:].mean(1)], 1).numpy(), atol=1e-4
    )


def test_tiatoolboxs_own_class_gives_the_vectors_of_timm(tmp_path):
    """A card that names it by its import path, and one of timm's, from one file of weights each."""
    same = {"dim": 2048, "pooling": "vector"}
    of_timm = Card.model_validate({"architecture": "resnet50", **same})
    theirs = Card.model_validate(
        {
            "loader": "python",
            "architecture": "tiatoolbox.models.architecture.vanilla:CNNBackbone",
            "arguments": {"backbone": "resnet50"},
            **same,
        }
    )
    model = timm.create_model("resnet50", num_classes=0)
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            value.copy_(0.1 * torch.randn(value.shape, generator=generator))
    first = stored(model.state_dict(), tmp_path / "timm.safetensors")
    places = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    renamed = {
        f"feat_extract.{places[k.split('.')[0]]}.{k.partition('.')[2]}": v for k, v in model.state_dict().items()
    }
    second = stored(renamed, tmp_path / "tiatoolbox.safetensors")
    tiles = np.random.default_rng(4).integers(0, 256, (2, 224, 224, 3), np.uint8)
    ours = load_encoder("a", of_timm.in_job, first, CPU).embed(tiles)
    np.testing.assert_allclose(load_encoder("b", theirs.in_job, second, CPU).embed(tiles), ours, atol=1e-4)


def test_ctranspath_is_read_from_the_names_of_its_authors(tmp_path):
    """An older timm kept the joining of patches at the end of a stage, and what follows from the window's size."""
    card = card_of("ctranspath")
    model = ctranspath.untrained(card)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(27.5, rel=0.01)
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point() and "running_var" not in name:
            value.copy_(0.05 * torch.randn(value.shape, generator=generator))
    theirs = {"head.weight": torch.ones(2, 768), "head.bias": torch.ones(2)}
    for name, value in model.state_dict().items():
        theirs[re.sub(r"layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", name)] = value
    theirs |= {
        "layers.0.blocks.1.attn_mask": torch.zeros(3),
        "layers.0.blocks.0.attn.relative_position_index": torch.ones(9),
    }
    torch.save({"model": theirs}, tmp_path / "ctranspath.pth")
    encoder = load_encoder("ctranspath", card.in_job, str(tmp_path / "ctranspath.pth"), CPU)
    for name, value in encoder.model.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], rtol=0, atol=0)
    tiles = np.random.default_rng(7).integers(0, 256, (2, 224, 224, 3), np.uint8)
    mean, std = (torch.tensor(v)[:, None, None] for v in (card.mean, card.std))
    with torch.inference_mode():
        by_hand = model.eval().forward_features((torch.from_numpy(tiles).permute(0, 3, 1, 2) / 255 - mean) / std)
    assert by_hand.shape == (2, 7, 7, 768)
    np.testing.assert_allclose(encoder.embed(tiles), by_hand.mean((1, 2)).numpy(), atol=1e-4)
    del theirs["layers.2.downsample.norm.weight"]
    torch.save(theirs, tmp_path / "ctranspath.pth")
    with pytest.raises(ValueError, match=r"not of CTransPath: 1 missing \(layers.3.downsample.norm.weight\)"):
        load_encoder("ctranspath", card.in_job, str(tmp_path / "ctranspath.pth"), CPU)


def test_conch_is_pooled_as_by_hand(tmp_path):
    """Eight heads of 64, one query, all tokens; a file as its authors have it, with the half for words."""
    card = card_of("conch").model_copy(update={"precision": "float32", "size": 64})
    model = seeded(conch.Conch(card), 8)
    assert sum(p.numel() for p in conch.Conch(card_of("conch")).trunk.parameters()) / 1e6 == pytest.approx(86, rel=0.01)
    theirs = {f"visual.{name}": value for name, value in model.state_dict().items()}
    theirs |= {"visual.proj_contrast": torch.ones(2), "visual.attn_pool_caption.query": torch.ones(2)}
    theirs |= {"visual.ln_caption.bias": torch.ones(2), "text.cls_emb": torch.ones(2), "logit_scale": torch.ones(1)}
    path = stored({**theirs, "text_decoder.ln.bias": torch.ones(2)}, tmp_path / "w.safetensors")
    encoder = load_encoder("conch", card.in_job, path, CPU)
    tiles = np.random.default_rng(9).integers(0, 256, (3, 64, 64, 3), np.uint8)
    mean, std = (torch.tensor(v)[:, None, None] for v in (card.mean, card.std))
    pool, norm = model.attn_pool_contrast, torch.nn.functional.layer_norm
    with torch.inference_mode():
        tokens = model.trunk.forward_features((torch.from_numpy(tiles).permute(0, 3, 1, 2) / 255 - mean) / std)
        assert tokens.shape == (3, 17, 768)
        keys = norm(tokens, (768,), pool.ln_k.weight, pool.ln_k.bias)
        query = norm(pool.query, (512,), pool.ln_q.weight, pool.ln_q.bias)
        biases = pool.attn.in_proj_bias.chunk(3)
        q = (query @ pool.attn.q_proj_weight.T + biases[0]).reshape(8, 64)
        k, v = (
            (keys @ weight.T + bias).reshape(3, 17, 8, 64)
            for weight, bias in ((pool.attn.k_proj_weight, biases[1]), (pool.attn.v_proj_weight, biases[2]))
        )
        share = (torch.einsum("hd,nthd->nht", q, k) / 8).softmax(-1)
        pooled = pool.attn.out_proj(torch.einsum("nht,nthd->nhd", share, v).reshape(3, 512))
        by_hand = norm(pooled, (512,), model.ln_contrast.weight, model.ln_contrast.bias)
    np.testing.assert_allclose(encoder.embed(tiles), by_hand.numpy(), atol=1e-4)
    half = {name: value for name, value in theirs.items() if name.startswith("visual.")}
    of_half = load_encoder("conch", card.in_job, stored(half, tmp_path / "half.safetensors"), CPU).embed(tiles)
    np.testing.assert_array_equal(of_half, encoder.embed(tiles))
    del theirs["visual.attn_pool_contrast.query"]
    with pytest.raises(ValueError, match=r"not of CONCH: 1 missing \(attn_pool_contrast.query\)"):
        load_encoder("conch", card.in_job, stored(theirs, path), CPU)


class Tokens(torch.nn.Module):
    """Returns a class token, four others, and says nothing of how many are no patches."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3))

    def forward(self, x):
        return (x.mean((2, 3)) * self.scale)[:, None].repeat(1, 5, 1)


def test_a_model_of_ones_own_pools_what_it_says_and_nothing_is_guessed(tmp_path):
    path = stored(Tokens().state_dict(), tmp_path / "w.safetensors")
    card = {"loader": "python", "architecture": "embed.test_cards:Tokens", "dim": 3, "size": 32}
    tiles = np.random.default_rng(6).integers(0, 256, (2, 32, 32, 3), np.uint8)
    found = load_encoder("x", Card.model_validate(card).in_job, path, CPU).embed(tiles)
    by_hand = (tiles.mean((1, 2)) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(found, by_hand, atol=1e-4)
    with pytest.raises(ValueError, match="pooling cls.mean needs num_prefix_tokens, which embed.test_cards:Tokens"):
        load_encoder("x", Card.model_validate({**card, "pooling": "cls+mean"}).in_job, path, CPU).embed(tiles)
    for wrong, words in (
        ("embed.test_cards:Nothing", "cannot be made .*has no attribute 'Nothing'"),
        ("no_such_package:Model", "cannot be made .*No module named 'no_such_package'"),
        ("embed.test_cards:stored", "cannot be made .*missing 2 required"),
        ("collections:Counter", "collections:Counter returns Counter, wanted a torch module"),
    ):
        with pytest.raises(ValueError, match=words):
            load_encoder("x", Card.model_validate({**card, "architecture": wrong}).in_job, path, CPU)


def test_a_file_with_its_classifier_is_read_without_it(tmp_path):
    model = timm.create_model("resnet18", num_classes=7)
    path = stored(model.state_dict(), tmp_path / "w.safetensors")
    card = Card.model_validate({"architecture": "resnet18", "dim": 512, "pooling": "vector"})
    assert load_encoder("x", card.in_job, path, CPU).embed(np.zeros((1, 224, 224, 3), np.uint8)).shape == (1, 512)


class TestFilesOfWeights:
    TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda t: t,
            lambda t: {"state_dict": t, "epoch": 7},
            lambda t: {"teacher": {f"backbone.{k}": v for k, v in t.items()}, "optimizer": {"lr": 1.0}},
            lambda t: {"model": {f"module.model.{k}": v for k, v in t.items()}},
        ],
    )
    def test_tensors_are_found_whatever_wraps_them(self, wrap, tmp_path):
        torch.save(wrap(self.TENSORS), tmp_path / "w.pth")
        found = read_weights(tmp_path / "w.pth")
        assert found.keys() == self.TENSORS.keys()
        for name, value in found.items():
            torch.testing.assert_close(value, self.TENSORS[name], rtol=0, atol=0)

    def test_what_is_no_file_of_weights_says_so(self, tmp_path):
        torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
        torch.save([torch.ones(2)], tmp_path / "list.pt")
        torch.save({"a": torch.ones(2), "b": "text"}, tmp_path / "mixed.pt")
        torch.save(self.TENSORS, tmp_path / "whole.pt")
        (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:300])
        (tmp_path / "page.bin").write_text("<html>401 Unauthorized</html>")
        (tmp_path / "lfs.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        (tmp_path / "empty.bin").touch()
        for name, words in (
            ("module.pt", "holds more than tensors, and loading it would run its code"),
            ("list.pt", "holds no tensors by name but list"),
            ("mixed.pt", "not all of its entries are tensors: b"),
            ("cut.pt", "is no file of weights, or not whole"),
            ("page.bin", "is no file of weights, or not whole"),
            ("lfs.safetensors", "is no file of weights, or not whole"),
            ("empty.bin", "is no file of weights, or not whole"),
        ):
            with pytest.raises(ValueError, match=f"{name}: {words}"):
                read_weights(tmp_path / name)


def test_the_same_vectors_whatever_memory_allows(monkeypatch, tmp_path):
    card = small("lunit-s16")
    encoder = Encoder("x", card, "0" * 64, seeded(untrained(card)), CPU)
    tiles = np.random.default_rng(5).integers(0, 256, (7, 224, 224, 3), np.uint8)
    whole, forward, tried = encoder.embed(tiles), encoder._forward, []

    def crowded(some):
        tried.append(len(some))
        if len(some) > 2:
            raise torch.cuda.OutOfMemoryError
        return forward(some)

    monkeypatch.setattr(encoder, "_forward", crowded)
    encoder.at_once = 8
    np.testing.assert_allclose(encoder.embed(tiles), whole, atol=1e-5)
    assert tried == [7, 4, 2, 2, 2, 1] and encoder.at_once == 2
    encoder.at_once = 1
    monkeypatch.setattr(encoder, "_forward", lambda some: (_ for _ in ()).throw(torch.cuda.OutOfMemoryError))
    with pytest.raises(torch.cuda.OutOfMemoryError):
        encoder.embed(tiles)


def test_weights_are_tried_before_they_are_used(tmp_path):
    card = small("lunit-s16")
    good = Encoder("x", card, "1" * 64, seeded(untrained(card)), CPU)
    try_encoder(good)
    model = seeded(untrained(card))
    with torch.no_grad():
        model.norm.weight.zero_()
    with pytest.raises(ValueError, match="noise and glass have the same features"):
        try_encoder(Encoder("x", card, "1" * 64, model, CPU))
    with torch.no_grad():
        model.norm.weight.fill_(1e6)
    with pytest.raises(ValueError, match="not finite in float16"):
        try_encoder(Encoder("x", card, "1" * 64, model, CPU))
    with pytest.raises(ValueError, match=r"a tile has \(384,\) features, its card says dim: 385"):
        try_encoder(Encoder("x", card.model_copy(update={"dim": 385}), "1" * 64, good.model, CPU))
    (tmp_path / "w").write_bytes(b"w")
    write_table(facts_of(good, tmp_path / "w"), tmp_path / "w.parquet", WEIGHTS)
    check_same(good, tmp_path / "w.parquet")
    good.weights = "2" * 64
    with pytest.raises(ValueError, match="the file of weights is 2222222222222222, tried was 1111111111111111"):
        check_same(good, tmp_path / "w.parquet")


def test_what_decides_a_vector_is_its_identity_and_nothing_else():
    card = card_of("uni")
    same = [
        {"title": "x"},
        {"source": "x"},
        {"licence": "x"},
        {"gated": False},
        {"trained_on": ("TCGA",)},
        {"mpp": 1.0},
    ]
    other = [
        {"pooling": "cls+mean"},
        {"mean": (0.5, 0.5, 0.5)},
        {"std": (0.5, 0.5, 0.5)},
        {"size": 256},
        {"precision": "float32"},
        {"architecture": "vit_large_patch14_224"},
        {"arguments": {}},
        {"layout": "dinov2"},
    ]
    assert {card.model_copy(update=u).identity for u in same} == {card.identity}
    assert len({card.identity, *(card.model_copy(update=u).identity for u in other)}) == 1 + len(other)
    assert Card.model_validate(card.in_job).identity == card.identity


def test_a_card_at_fault_names_its_file_and_key(tmp_path):
    for text, words in (
        ("architecture: resnet50", "dim: Field required"),
        ("architecture: resnet50\ndim: 2048\npoling: vector", "poling: Extra inputs are not permitted"),
        ("architecture: resnet50\ndim: 2048\npooling: mean", "pooling: Input should be 'vector', 'cls' or 'cls.mean'"),
        ("architecture: resnet50\ndim: 2048\nstd: [0, 1, 1]", "std.0: Input should be greater than 0"),
        ("- a list", "wanted keys and values"),
        ("a: [", "cannot be read as YAML"),
    ):
        path = tmp_path / f"{abs(hash(text))}.yaml"
        path.write_text(text)
        with pytest.raises(ValueError, match=f"embed.card {path}: .*{words}"):
            read_card(path)
    with pytest.raises(ValueError, match="timm does not make no_such_model"):
        untrained(Card.model_validate({"architecture": "no_such_model", "dim": 1}))
    with pytest.raises(ValueError, match=r"timm does not make vit_base.*'widht': 3"):
        untrained(Card.model_validate({"architecture": "vit_base_patch16_224", "arguments": {"widht": 3}, "dim": 1}))


def test_every_card_is_a_file_of_the_folder():
    assert list(names()) == sorted(p.stem for p in FOLDER.iterdir())
    assert set(STATED) == set(OF_TIMM)


def test_a_hash_is_that_of_the_whole_file(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_of(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_tiles_of_another_resolution_than_the_encoder_knows_are_said():
    card = card_of("uni")
    assert "tile.mpp 1: uni was trained on tiles of 0.5" in scale_warning("uni", card, 1.0)
    assert scale_warning("uni", card, 0.499) is None and scale_warning("ready", None, 1.0) is None
