"""The conda environment holds the same pins as the lock file, and neither names an index."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
ENVIRONMENT = ROOT / "environment.yml"


def pins() -> list[str]:
    """``name==version`` lines of the lock, with their markers."""
    found = re.findall(r"^([A-Za-z0-9._-]+(?:\[[^\]]+\])?==[^\s;\\]+)(\s*;[^\\\n]+)?", LOCK.read_text(), re.M)
    return [f"{pin}{' ' + marker.strip() if marker.strip() else ''}" for pin, marker in found]


def environment() -> str:
    lines = [
        "# Generated from requirements.lock by `make lock`: for users of conda; `make env` needs only Python 3.11.",
        "name: confuselt",
        "channels:",
        "  - conda-forge",
    ]
    lines += [
        "dependencies:",
        "  - python=3.11",
        "  - pip",
        "  - pip:",
        *(f"      - {pin}" if ";" not in pin else f'      - "{pin}"' for pin in pins()),
        "",
    ]
    return "\n".join(lines)


def test_conda_environment_has_the_pins_of_the_lock():
    loaded = yaml.safe_load(ENVIRONMENT.read_text())["dependencies"]
    assert next(d["pip"] for d in loaded if isinstance(d, dict)) == pins()
    assert len(pins()) > 100


def test_no_index_address_and_every_pin_hashed():
    text = LOCK.read_text()
    assert "index-url" not in text and "://" not in text
    assert text.count("--hash=sha256:") >= len(pins())


if __name__ == "__main__":
    ENVIRONMENT.write_text(environment())
