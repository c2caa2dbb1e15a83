"""What tells the slides of a cohort apart, remembered from plan to plan."""

import json
from contextlib import suppress
from pathlib import Path

from confuselt.slides.files import sampled, stated
from confuselt.unusable import Unusable
from confuselt.written import written


def states_of(paths: list[Path], memory: Path) -> dict[Path, str | None]:
    """`sampled` of each slide, None where it cannot be used; read only where size or time of change are others.

    Parameters
    ----------
    paths : list of Path
    memory : Path
        JSON file; one that cannot be read or written only costs time.
    """
    known = {}
    with suppress(OSError, ValueError):
        known = json.loads(memory.read_text())
    if not isinstance(known, dict):
        known = {}
    found = {}
    for path in paths:
        with suppress(Unusable, OSError):
            now = stated(path)
            before = known.get(str(path), {})
            found[str(path)] = before if before.get("stated") == now else {"stated": now, "sampled": sampled(path)}
    if found != known:
        with suppress(OSError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            with written(memory) as partial:
                partial.write_text(json.dumps(found))
    return {path: found.get(str(path), {}).get("sampled") for path in paths}
