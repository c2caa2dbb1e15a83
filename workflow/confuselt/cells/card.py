"""What is known of a finder of nuclei, as data: a card, one file of `cards/` each, or a user's own.

Nothing here imports torch: the config, the docs and ``snakemake models`` read cards.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from confuselt.card_file import read_card_file
from confuselt.cells.roles import Role, told

FOLDER = Path(__file__).with_name("cards")
# What decides the nuclei of a tile; the rest is for the reader.
DECIDES = ("finder", "arguments", "types", "mpp", "margin_um", "precision")


class Card(BaseModel):
    """A finder of nuclei.

    Attributes
    ----------
    title, source, licence : str
        Its name as the authors write it, where its weights are, and under which terms.
    trained_on : tuple of str
        Public cohorts that it saw; one that is being studied is said beside every number.
    finder : str
        File of `finders/` that runs it.
    arguments : dict
        Of the architecture.
    types : dict of str to str
        Its types of nuclei, in the order of the model's numbers from 1 on, and the role of each.
    mpp : float
        µm per pixel at which it looks.
    margin_um : float
        Read around a tile, so that nuclei at its border are whole.
    precision : {"float32", "float16"}
        On a GPU.
    bundled : bool
        Whether it needs no file of weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = ""
    source: str = ""
    licence: str = "not stated"
    trained_on: tuple[str, ...] = ()
    finder: Literal["classical", "hovernet", "kongnet"] = "hovernet"
    arguments: dict[str, Any] = {}
    types: dict[str, Role] = Field(min_length=1)
    mpp: float = Field(0.25, gt=0.1, le=1)
    margin_um: float = Field(12.0, ge=0, le=50)
    precision: Literal["float32", "float16"] = "float16"
    bundled: bool = False

    @model_validator(mode="after")
    def _named(self) -> "Card":
        if blank := [name for name in self.types if not name.strip()]:
            raise ValueError(f"types: a name is blank: {blank}")
        return self

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that it can tell, in the order of `ROLES`."""
        return told(self.types)

    @property
    def in_job(self) -> dict[str, Any]:
        """What jobs need of it, as plain values: a card again by ``Card.model_validate``."""
        return self.model_dump(mode="json", include={*DECIDES, "trained_on"})

    @property
    def identity(self) -> str:
        """Hash of what decides the nuclei of a tile, 16 hex digits."""
        # The order of types is that of the model's numbers.
        decides = self.model_dump(mode="json", include=set(DECIDES)) | {"types": list(self.types.items())}
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


@cache
def names() -> tuple[str, ...]:
    """Finders that have a card here."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@cache
def read_card(path: Path) -> Card:
    """A card; ValueError names the file and the key at fault."""
    return read_card_file(path, Card, "cells.card")


def card_of(name: str) -> Card:
    """The project's card of a name in `names`."""
    return read_card(FOLDER / f"{name}.yaml")
