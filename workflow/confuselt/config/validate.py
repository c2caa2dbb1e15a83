"""Validate what Snakemake merged and say what is wrong in the user's words."""

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError

from confuselt.config.root import Config


class ConfigFault(ValueError):
    """The config cannot be used; the message names every key and what to do."""


def validate(raw: dict[str, Any]) -> Config:
    """Config from Snakemake's merged dict.

    Raises
    ------
    ConfigFault
        All faults at once: key, value, what is allowed, close names for an unknown key.
    """
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        lines = [_line(fault) for fault in error.errors()]
        raise ConfigFault("the config cannot be used:\n" + "\n".join(f"  - {line}" for line in lines)) from None


def _line(fault: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = _keys_at(fault["loc"][:-1])
        near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=2, cutoff=0.6)
        hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else f"known keys here: {', '.join(known)}"
        return f"{where}: unknown key; {hint}"
    value = f" (got {fault['input']!r})" if fault["loc"] and not isinstance(fault["input"], dict) else ""
    return f"{where + ': ' if where else ''}{fault['msg'].removeprefix('Value error, ')}{value}"


def _keys_at(loc: tuple) -> list[str]:
    """Known keys of the block at `loc`, by walking the annotations."""
    model: Any = Config
    for part in loc:
        if isinstance(part, int):
            continue
        field = next(f for name, f in model.model_fields.items() if part in (name, f.alias))
        model = field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            model = next(
                (a for a in getattr(model, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)), Config
            )
    return [f.alias or name for name, f in model.model_fields.items()]
