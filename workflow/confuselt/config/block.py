"""Base of every config block: unknown keys are errors, values from the command line are read leniently."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

# A pattern is searched for, so that it must say itself where it begins and ends.
FOLDER_NAME = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"
TASK_NAME = r"^[a-z][a-z0-9_]*$"
ADDRESS = r"^https?://\S+$"


class Block(BaseModel):
    """A frozen config block.

    Snakemake hands numbers, ``false`` and ``null`` inside ``{}`` on as text: numbers and booleans are read by pydantic,
    ``'null'`` and ``''`` mean None here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_text(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {
            k: (None if isinstance(v, str) and v.strip().lower() in {"", "null", "none", "~"} else v)
            for k, v in data.items()
        }
