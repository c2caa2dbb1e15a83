"""What is known of a tile encoder, as data: a card, one file of `cards/` each, or a user's own.

Nothing here imports torch: the config, the docs and ``snakemake models`` read cards.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from confuselt.card_file import read_card_file

FOLDER = Path(__file__).with_name("cards")
NEAR = 0.1  # scanners of one power differ by less
Positive = Annotated[float, Field(gt=0)]
# What decides the vector of a tile; the rest is for the reader.
DECIDES = ("loader", "architecture", "arguments", "layout", "size", "mean", "std", "pooling", "dim", "precision")


class Card(BaseModel):
    """A tile encoder.

    Attributes
    ----------
    title, source, licence : str
        Its name as the authors write it, where its weights are, and under which terms.
    gated : bool
        Whether the weights are given on request only.
    trained_on : tuple of str
        Public cohorts that it saw; one that is being studied is said beside every number.
    loader : str
        File of `encoders/` that builds it: ``timm`` (any of timm's models), ``python`` (whatever a function of an
        installed package returns), or that of one encoder.
    architecture : str
        Name in timm, or ``package.module:function``.
    arguments : dict
        Of the architecture.
    layout : {"timm", "dinov2", "hf-vit", "hf-dinov2"}
        How the tensors in the file of weights are named; see `layouts`.
    size : int
        Side of a tile, pixels.
    mpp : float
        µm per pixel of the tiles that it was trained on.
    mean, std : (float, float, float)
        Of RGB between 0 and 1.
    pooling : {"vector", "cls", "cls+mean"}
        The model's own output, (n, dim); of tokens (n, t, d) the class token, or that beside the mean of the patches'
        tokens, registers left out.
    dim : int
        Width of the result.
    precision : {"float32", "float16", "bfloat16"}
    bundled : bool
        Whether an installed package brings the weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = ""
    source: str = ""
    licence: str = "not stated"
    gated: bool = False
    trained_on: tuple[str, ...] = ()
    loader: Literal["timm", "python", "conch", "ctranspath", "efficientnet-lite0"] = "timm"
    architecture: str
    arguments: dict[str, Any] = {}
    layout: Literal["timm", "dinov2", "hf-vit", "hf-dinov2"] = "timm"
    size: int = Field(224, ge=32, le=1024)
    mpp: float = Field(0.5, gt=0.1, le=2)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)
    pooling: Literal["vector", "cls", "cls+mean"] = "cls"
    dim: int = Field(ge=1)
    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    bundled: bool = False

    @property
    def in_job(self) -> dict[str, Any]:
        """What jobs need of it, as plain values: a card again by ``Card.model_validate``."""
        return self.model_dump(mode="json", include={*DECIDES, "trained_on"})

    @property
    def identity(self) -> str:
        """Hash of what decides the vector of a tile, 16 hex digits."""
        decides = json.dumps(self.model_dump(mode="json", include=set(DECIDES)), sort_keys=True)
        return hashlib.sha256(decides.encode()).hexdigest()[:16]


@cache
def names() -> tuple[str, ...]:
    """Encoders that have a card here."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@cache
def read_card(path: Path) -> Card:
    """A card; ValueError names the file and the key at fault."""
    return read_card_file(path, Card, "embed.card")


def scale_warning(name: str, card: Card | None, mpp: float) -> str | None:
    """A line where tiles have another resolution than those that an encoder was trained on."""
    if card is None or abs(mpp / card.mpp - 1) <= NEAR:
        return None
    return (
        f"tile.mpp {mpp:g}: {name} was trained on tiles of {card.mpp:g} µm per pixel (its card says); what it sees in "
        "others nobody has tried"
    )


def card_of(name: str) -> Card:
    """The project's card of a name in `names`."""
    return read_card(FOLDER / f"{name}.yaml")
