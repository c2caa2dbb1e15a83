"""Which config keys a script reads, as one plain dict.

A script states its keys once, in a literal ``READS``; the rule's ``cfg`` param is exactly those (read here from the
syntax tree, so that parsing the workflow imports no script). ``"rna.*"`` stands for every key of a block; ``"-rna.x"``
takes one out. ``BACKENDS``, in the same way, names the modules that it loads by a name that the config or a slide
chooses: their code belongs to its hash, that of others beside them does not.
"""

import ast
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from confuselt.backend import module_name
from confuselt.config.merge import merge
from confuselt.config.root import Config


@cache
def _literal(script: Path, wanted: str) -> tuple[str, ...]:
    """A literal of a script (an empty tuple where it has none)."""
    for node in ast.parse(Path(script).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == wanted for t in node.targets):
            return tuple(ast.literal_eval(node.value))
    return ()


def reads(script: Path) -> tuple[str, ...]:
    """The literal ``READS`` of a script."""
    return _literal(script, "READS")


def backends(script: Path, cfg: dict[str, Any]) -> tuple[str, ...]:
    """The modules that a script loads by name: those of its literal ``BACKENDS``, sorted.

    ``{key}`` in one stands for a value of the script's `cfg`, ``{key.part}`` for a part of one that has parts, and of
    one that is rows for every value of a column, each as ``backend.module_name`` has it.
    """
    found = set()
    for name in _literal(script, "BACKENDS"):
        before, _, rest = name.partition("{")
        key, _, after = rest.partition("}")
        block, _, part = key.rpartition(".")
        if key in cfg:
            values = {cfg[key]}
        else:
            values = {row[part] for row in (cfg[block] if isinstance(cfg[block], list) else [cfg[block]])}
        found |= {f"{before}{module_name(value)}{after}" for value in values}
    return tuple(sorted(found))


def settings(script: Path, config: Config, cohort: str | None = None) -> dict[str, Any]:
    """The ``cfg`` of one script: dotted key to plain value.

    Parameters
    ----------
    script : Path
    config : Config
        The validated config.
    cohort : str, optional
        A second cohort (``predict.name``) has its own data and `acquire` block.
    """
    dump = config.for_cohort(cohort or config.cohort).model_dump(mode="json", by_alias=True)
    # What the card says decides, not where it lies.
    dump["embed"]["card"] = config.encoder_card.in_job if config.encoder_card else None
    dump["cells"]["card"] = config.finder_card.in_job if config.finder_card else {"finder": "table"}
    found: dict[str, Any] = {}
    for key in reads(script):
        if key.startswith("-"):
            del found[key[1:]]
        elif key.endswith(".*"):
            block = key[:-2]
            found.update({f"{block}.{name}": value for name, value in dump[block].items()})
        else:
            value: Any = dump
            for part in key.split("."):
                value = value[part]
            found[key] = value
    return dict(sorted(found.items()))


def load_config(*paths: Path) -> Config:
    """Merge config files as Snakemake does (later files win, dicts are merged) and validate them."""
    merged: dict[str, Any] = {}
    for path in paths:
        merged = merge(merged, yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {})
    return Config.model_validate(merged)
