"""What the files of another tool's nuclei are understood to say, before hours of tiling."""

from collections import Counter
from pathlib import Path

from confuselt.acquire.sources import slide_rows
from confuselt.cells.nuclei_file import read_nuclei
from confuselt.cells.places import Extent
from confuselt.cells.roles import suggested
from confuselt.config.root import Config
from confuselt.unusable import Unusable

ANY = Extent(0.1, 2**31, 2**31)  # no slide is opened here; the finest there are, on which no nucleus is a region
SHOWN = 8  # types that are written out


def nuclei_described(config: Config) -> tuple[list[str], list[str]]:
    """Lines on the files of nuclei and on the types of the first one, and what is wrong with them."""
    if config.cells.method != "table":
        return [], []
    pattern, slides = config.cells.nuclei, [row["slide_id"] for row in slide_rows(config, config.cohort)]
    files = {slide: Path(config.data, pattern.replace("{slide_id}", slide)) for slide in slides}
    there = [path for path in files.values() if path.is_file()]
    lines = [f"cells.nuclei: {Path(config.data, pattern)}", f"  {len(there)} of {len(slides)} slides have a file"]
    if not there:
        first = next(iter(files.values()), pattern)
        return lines, [f"cells.nuclei: no slide has a file; looked for {first}"]
    if absent := len(slides) - len(there):
        lost = [slide for slide, path in files.items() if not path.is_file()]
        lines.append(f"  {absent} without one, first {lost[0]}")
    try:
        types = Counter(read_nuclei(there[0], ANY)["type"].dropna())
    except Unusable as fault:
        return lines, [f"cells.nuclei: {fault}"]
    named = ", ".join(f"{name} {count:,}" for name, count in types.most_common(SHOWN))
    lines.append(f"  {there[0].name}: {types.total():,} nuclei: {named}")
    roles, faults = config.cells.roles, []
    if unknown := [name for name in types if name not in roles]:
        hint = ", ".join(f"{name}: {role}" for name, role in suggested(unknown[:SHOWN]).items())
        faults.append(f"cells.roles: {there[0].name} has types without a role; add, if it is so: {hint}")
    if unused := [name for name in roles if name not in types]:
        lines.append(f"  of no nucleus there: {', '.join(unused)}")
    return lines, faults
