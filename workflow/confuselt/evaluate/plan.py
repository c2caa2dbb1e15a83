"""The analysis plan: what will be concluded from what, fixed before any model runs."""

import json
from pathlib import Path

from confuselt.stamp import config_hash


def write_plan(plan: dict, path: Path) -> None:
    """Write a plan with its hash.

    Parameters
    ----------
    plan : dict
        Config keys and their values.
    path : Path
        ``evaluate/plan.json``; models keep the hash.
    """
    Path(path).write_text(json.dumps({"hash": config_hash(plan), "plan": plan}, indent=1, sort_keys=True) + "\n")


def read_plan(path: Path) -> dict:
    """``hash`` and ``plan``; ValueError where the file was edited by hand."""
    content = json.loads(Path(path).read_text())
    if config_hash(content["plan"]) != content["hash"]:
        raise ValueError(
            f"{path} was edited: its hash is {content['hash']}, "
            f"its content has {config_hash(content['plan'])}; delete it and run again"
        )
    return content
