"""One word per stage: rule file, scripts, library, config block and tests carry the same name."""

import ast
import re
from pathlib import Path

import pytest

from confuselt.config.root import Config

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "workflow"
STAGES = (
    "simulate",
    "acquire",
    "tile",
    "embed",
    "cells",
    "rna",
    "split",
    "pack",
    "pretrain",
    "finetune",
    "evaluate",
    "predict",
)
SCRIPTS = sorted((WORKFLOW / "scripts").glob("*/*.py"))


def rules_of(stage: str) -> dict[str, str]:
    """Rule name to text of a rule file."""
    text = (WORKFLOW / f"rules/{stage}.smk").read_text()
    starts = [(m.group(1), m.start()) for m in re.finditer(r"^rule (\w+):", text, re.M)]
    ends = [s for _, s in starts[1:]] + [len(text)]
    return {name: text[start:end] for (name, start), end in zip(starts, ends, strict=True)}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_all_its_places(stage):
    assert (WORKFLOW / f"rules/{stage}.smk").is_file()
    assert (WORKFLOW / f"confuselt/{stage}").is_dir()
    assert (WORKFLOW / f"scripts/{stage}").is_dir()
    assert (ROOT / f"tests/{stage}").is_dir()
    assert any(f.name.startswith("test_") for f in (ROOT / f"tests/{stage}").iterdir()), f"tests/{stage} has no test"
    assert stage in Config.model_fields


@pytest.mark.parametrize("stage", STAGES)
def test_rules_have_script_log_benchmark_message_and_the_two_params(stage):
    for name, text in rules_of(stage).items():
        if "script:" not in text:
            assert "output:" not in text, f"{name} writes without a script"
            continue
        assert f'"../scripts/{stage}/{name}.py"' in text, f"{name}: script name is rule name"
        for section in ("log:", "benchmark:", "params:", "resources:", "message:", "mem_mb=", "runtime="):
            assert section in text, f"{name} has no {section}"
        params = text.split("params:")[1].split("resources:")[0]
        found = set(re.findall(r"^        (\w+)=", params, re.M))
        assert found - {"content"} == {"cfg", "code"}, f"{name}: params are cfg, code and, of a user's table, content"
        assert f"/{stage}/{name}" in text.split("log:")[1], f"{name}: log and benchmark folders carry stage and rule"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_scripts_are_thin_and_belong_to_a_rule(script):
    text = script.read_text()
    assert script.stem in rules_of(script.parent.name)
    assert "snakemake.config" not in text and "sys.path" not in text
    assert text.rstrip().endswith("run_step(main, globals())")
    body = next(n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name == "main")
    assert body.end_lineno - body.lineno < 60


def test_library_knows_nothing_of_snakemake_and_inits_are_empty():
    for path in (WORKFLOW / "confuselt").rglob("*.py"):
        imports = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Import | ast.ImportFrom)]
        names = [a.name for n in imports for a in n.names] + [
            n.module or "" for n in imports if isinstance(n, ast.ImportFrom)
        ]
        assert not any(n.split(".")[0] == "snakemake" for n in names), path
        if path.name == "__init__.py":
            assert path.read_text() == ""


def test_no_file_is_a_grab_bag():
    names = {p.stem for p in (WORKFLOW / "confuselt").rglob("*.py")}
    assert not names & {"helpers", "utils", "util", "common", "misc"}


@pytest.mark.parametrize(
    ("room", "below"),
    [
        ("slides", set()),
        ("tile", {"slides"}),
        ("embed", {"sheets", "slides", "tile"}),
        ("cells", {"embed", "slides", "tile"}),
        ("acquire", {"config", "rna", "sheets", "simulate", "slides"}),
        ("simulate", {"rna", "slides"}),
        ("survival", set()),
        ("controls", set()),
        ("model", set()),
        ("learn", {"controls", "model"}),
        ("pretrain", {"learn", "model", "rna"}),
        ("finetune", {"learn", "model", "pretrain", "rna", "split", "survival"}),
        ("evaluate", {"cells", "controls", "finetune", "learn", "model", "pretrain", "rna", "split", "survival"}),
    ],
)
def test_a_room_looks_at_no_room_above_it(room, below):
    """Beside them the plumbing, which are files and no rooms."""
    rooms = {p.name for p in (WORKFLOW / "confuselt").iterdir() if p.is_dir()}
    for path in (WORKFLOW / f"confuselt/{room}").rglob("*.py"):
        named = {
            n.module.split(".")[1]
            for n in ast.walk(ast.parse(path.read_text()))
            if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("confuselt.")
        }
        assert named & rooms <= {room, *below}, path
