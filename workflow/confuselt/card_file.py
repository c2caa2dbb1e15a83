"""A card: what is known of a model, as data in a YAML file of its own."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

AnyCard = TypeVar("AnyCard", bound=BaseModel)


def read_card_file(path: Path, kind: type[AnyCard], key: str) -> AnyCard:
    """A card of some kind; ValueError names the config's key, the file and the key at fault."""
    try:
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        raise ValueError(f"{key} {path}: cannot be read as YAML ({fault})") from None
    if not isinstance(text, dict):
        raise ValueError(f"{key} {path}: wanted keys and values as in the project's cards")
    try:
        return kind.model_validate(text)
    except ValidationError as faults:
        said = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in faults.errors())
        raise ValueError(f"{key} {path}: {said}") from None
