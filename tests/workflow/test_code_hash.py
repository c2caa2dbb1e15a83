"""The code hash sees what changes results and nothing else."""

import shutil
import subprocess
import sys

import pytest

from confuselt.code_hash import PACKAGE_DIR, closure, code_hash

SCRIPT = "scripts/pretrain/pretrain_towers.py"
SCRIPTS = sorted((PACKAGE_DIR.parent / "scripts").glob("*/*.py"))


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(PACKAGE_DIR.parent, tmp_path / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "workflow"


def hash_in(workflow, script=SCRIPT):
    program = f"from confuselt.code_hash import code_hash; from pathlib import Path; print(code_hash(Path('{script}')))"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=workflow,
        env={"PYTHONPATH": str(workflow)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_comments_docstrings_and_plumbing_are_outside(copy):
    before = hash_in(copy)
    edit(copy / "confuselt/pretrain/loss.py", "    logits = scale", "    # a comment\n    logits   = scale")
    edit(copy / "confuselt/pretrain/loss.py", "Mean of the two directions.", "Another sentence.")
    edit(copy / "confuselt/progress.py", "every: float = 20.0", "every: float = 5.0")
    assert hash_in(copy) == before


def test_log_lines_are_outside(copy):
    before = hash_in(copy, "scripts/split/make_folds.py")
    module = copy / "confuselt/split/folds.py"
    edit(module, "%d patients of %s are not in the cohort, first %s", "%d of %s are unknown: %s")
    edit(
        module,
        "    if absent:\n        log.warning",
        "    if absent:\n        log.info('%d', len(absent))\n        log.warning",
    )
    edit(
        copy / "confuselt/split/roles.py",
        "import pandas as pd\n",
        "import logging\n\nimport pandas as pd\n\nlog = logging.getLogger(__name__)\n",
    )
    assert hash_in(copy, "scripts/split/make_folds.py") == before
    edit(module, "        return 0.0", "        return 1.0")
    assert hash_in(copy, "scripts/split/make_folds.py") != before


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        ("log.info('a %s', 1)", False),
        ("warnings.warn('a', stacklevel=2)", False),
        ("logging.captureWarnings(True)", False),
        ("log.append(1)", True),
        ("warnings.simplefilter('error')", True),
        ("log.info('%d', (n := 3))", True),
        ("found.append(log.info('a'))", True),
    ],
)
def test_only_statements_that_log_are_stripped(line, stays, tmp_path):
    (tmp_path / "with.py").write_text(f"if x:\n    {line}\n")
    (tmp_path / "without.py").write_text("if x:\n    pass\n")
    assert (code_hash(tmp_path / "with.py") != code_hash(tmp_path / "without.py")) is stays


def test_a_template_belongs_to_the_module_that_names_it(copy):
    report, arm = "scripts/evaluate/write_report.py", "scripts/finetune/finetune_arm.py"
    before = {script: hash_in(copy, script) for script in (report, arm)}
    template = copy / "confuselt/evaluate/report.html.j2"
    template.write_text(template.read_text() + "<!-- one more line -->\n")
    assert hash_in(copy, report) != before[report] and hash_in(copy, arm) == before[arm]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_no_job_imports_the_config(script):
    """Or else a new key of one stage would rerun the others."""
    assert not [name for name in closure(script)[0] if name.startswith("confuselt.config")]


@pytest.mark.parametrize(
    ("module", "old", "new", "script", "reached"),
    [
        ("confuselt/pretrain/loss.py", "(to_rna + to_wsi) / 2", "(to_rna + to_wsi) / 3", SCRIPT, True),
        ("confuselt/model/abmil.py", "torch.exp(scores - top[bag])", "torch.exp(scores)", SCRIPT, True),
        ("confuselt/evaluate/answers.py", "Does a second modality help?", "Does it?", SCRIPT, False),
        ("confuselt/finetune/cox.py", "clamp_min(1)", "clamp_min(2)", SCRIPT, False),
        ("confuselt/evaluate/report.py", '"main_metrics"', '"main_metric"', "scripts/finetune/finetune_arm.py", False),
        ("confuselt/finetune/cox.py", "clamp_min(1)", "clamp_min(2)", "scripts/finetune/finetune_arm.py", True),
    ],
)
def test_an_edit_reaches_exactly_the_scripts_that_import_it(copy, module, old, new, script, reached):
    before = hash_in(copy, script)
    edit(copy / module, old, new)
    assert (hash_in(copy, script) != before) is reached


def test_a_new_version_of_a_decisive_package_changes_the_hash(monkeypatch):
    script = PACKAGE_DIR.parent / SCRIPT
    before = code_hash(script)
    code_hash.cache_clear()
    monkeypatch.setattr("confuselt.code_hash.versions", lambda names: dict.fromkeys(names, "0"))
    assert code_hash(script) != before
    code_hash.cache_clear()
    _, foreign = closure(script)
    assert "torch" in foreign and "torchsurv" not in foreign
