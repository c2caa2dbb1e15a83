"""What made a file: stage, rule, code hash, settings with their hash, versions; set once per job by run_step."""

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_current: dict[str, Any] = {}


def set_stamp(stamp: dict[str, Any]) -> None:
    """Replace the stamp that every writer of this process puts into its files."""
    _current.clear()
    _current.update(stamp)


def get_stamp() -> dict[str, Any]:
    """Copy of the current stamp (empty outside a job)."""
    return dict(_current)


def stamp_text() -> str:
    """The current stamp as a file keeps it."""
    return json.dumps(_current, sort_keys=True, default=str)


def plain(value: object) -> Any:
    """A config value as JSON would give it back: checkpoints keep plain containers alone."""
    return json.loads(json.dumps(value, default=str))


def config_hash(cfg: object) -> str:
    """Sixteen hex digits over the canonical JSON of a plain config value."""
    return hashlib.sha256(json.dumps(cfg, sort_keys=True, default=str).encode()).hexdigest()[:16]


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of the named distributions; absent ones are left out."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
