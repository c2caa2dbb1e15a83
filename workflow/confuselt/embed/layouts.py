"""Names of tensors in files of weights, as timm has them.

Hubs store the same vision transformer under three names for each tensor. Those of Hugging Face become DINOv2's own,
which timm reads.
"""

import re

import torch
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import nn

# Of the HF layouts to DINOv2's.
HF = (
    (r"embeddings\.cls_token", "cls_token"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.register_tokens", "register_tokens"),
    (r"embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"(?:encoder\.)?layers?\.(\d+)\.", r"blocks.\1."),
    (r"layernorm_before\.", "norm1."),
    (r"layernorm_after\.", "norm2."),
    (r"attention\.output\.dense\.", "attn.proj."),
    (r"attention\.(?:attention\.)?(query|key|value)\.", r"attn.\1."),
    (r"attention\.q_proj\.", "attn.query."),
    (r"attention\.k_proj\.", "attn.key."),
    (r"attention\.v_proj\.", "attn.value."),
    (r"attention\.o_proj\.", "attn.proj."),
    (r"intermediate\.dense\.", "mlp.fc1."),
    (r"(blocks\.\d+\.)output\.dense\.", r"\1mlp.fc2."),
    (r"layer_scale([12])\.lambda1", r"ls\1.gamma"),
    (r"mlp\.weights_in\.", "mlp.fc1."),
    (r"mlp\.weights_out\.", "mlp.fc2."),
    (r"^layernorm\.", "norm."),
)
PARTS = ("query", "key", "value")
# Heads, and what training alone needs: no say in the vector.
UNUSED = re.compile(r"(head|head_dist|dino_head|ibot_head|fc_norm|fc|pooler|classifier)\..*|(embeddings\.)?mask_token")


def to_timm(tensors: dict[str, torch.Tensor], layout: str, model: nn.Module) -> dict[str, torch.Tensor]:
    """Tensors by the names of timm's vision transformer; positions are resampled to the model's grid.

    Parameters
    ----------
    tensors : dict
    layout : {"timm", "dinov2", "hf-vit", "hf-dinov2"}
    model : Module
        Which they are for.
    """
    known = model.state_dict()
    tensors = {name: value for name, value in tensors.items() if name in known or not UNUSED.fullmatch(name)}
    if layout.startswith("hf-"):
        tensors = _joined({_renamed(name): value for name, value in tensors.items()})
    if "pos_embed" not in known:
        return tensors
    if layout != "timm":
        tensors["mask_token"] = torch.zeros(1)  # by which timm knows DINOv2's names
    # Hugging Face resamples positions without a filter.
    return checkpoint_filter_fn(tensors, model, antialias=not layout.startswith("hf-"))


def _renamed(name: str) -> str:
    for pattern, new in HF:
        name = re.sub(pattern, new, name)
    return name


def _joined(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Query, key and value of a layer as one tensor, which is how timm and DINOv2 have them."""
    found = {}
    for name, value in tensors.items():
        part = next((p for p in PARTS if f".attn.{p}." in name), None)
        if part is None:
            found[name] = value
        elif part == PARTS[0]:
            names = [name.replace(f".{part}.", f".{p}.") for p in PARTS]
            if all(n in tensors for n in names):
                found[name.replace(f".{part}.", ".qkv.")] = torch.cat([tensors[n] for n in names])
    return found


def load_strictly(model: nn.Module, tensors: dict[str, torch.Tensor], where: str) -> None:
    """Give a model its weights; ValueError lists what is missing, unexpected or of another shape."""
    own = model.state_dict()
    faults = {
        "missing": sorted(own.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - own.keys()),
        "of another shape": [
            f"{n} {tuple(tensors[n].shape)} for {tuple(own[n].shape)}"
            for n in own
            if n in tensors and tensors[n].shape != own[n].shape
        ],
    }
    if said := [f"{len(f)} {kind} ({', '.join(f[:5])})" for kind, f in faults.items() if f]:
        raise ValueError(f"{where}: {'; '.join(said)}, of {len(own)} tensors")
    # A class of TIAToolbox takes a whole checkpoint by a method of its own.
    nn.Module.load_state_dict(model, tensors)
