"""The code hash sees what changes results and nothing else."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, script
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from confuselt import code_hash as hashing
from confuselt.code_hash import PACKAGE_DIR, PLUMBING, Code, code_hash
from confuselt.config.root import Config
from confuselt.settings import _literal, backends
from confuselt.settings import settings as cfg_of

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
    edit(
        copy / "confuselt/pretrain/objective.py",
        "        logits = self.scale",
        "        # a comment\n        logits   = self.scale",
    )
    edit(copy / "confuselt/pretrain/objective.py", "Mean of the two directions.", "Another sentence.")
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


REPORT = "scripts/evaluate/write_report.py"
PAGES = (REPORT, "scripts/evaluate/write_patient.py", "scripts/predict/write_predicted.py")
# By each: whose page it is on at least. What stands beside it is hashed with it: more may change, but no arm.
TEMPLATES = {
    "page.css.j2": set(PAGES),
    "viewer.html.j2": set(PAGES[:2]),
    "sections/believed.html.j2": {REPORT},
    "patient_who.html.j2": {PAGES[1]},
    "predicted_far.html.j2": {PAGES[2]},
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_belongs_to_the_modules_that_name_it(copy, template):
    scripts = (*PAGES, "scripts/finetune/finetune_arm.py")
    before = {script: hash_in(copy, script) for script in scripts}
    edited = copy / "confuselt/report" / template
    edited.write_text(edited.read_text() + "<!-- one more line -->\n")
    changed = {script for script in scripts if hash_in(copy, script) != before[script]}
    assert TEMPLATES[template] <= changed <= set(PAGES)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_no_job_imports_the_config(script):
    """Or else a new key of one stage would rerun the others."""
    assert not [name for name in Code(script).modules if name.startswith("confuselt.config")]


@pytest.mark.parametrize(
    ("module", "old", "new", "script", "reached"),
    [
        ("confuselt/pretrain/objective.py", "(to_rna + to_wsi) / 2", "(to_rna + to_wsi) / 3", SCRIPT, True),
        ("confuselt/model/abmil.py", ".softmax(1)", ".softmax(0)", SCRIPT, True),
        ("confuselt/report/questions.py", "Does a second modality help?", "Does it?", SCRIPT, False),
        ("confuselt/survival/cox.py", "clamp_min(1)", "clamp_min(2)", SCRIPT, False),
        ("confuselt/report/page.py", '"slide_made"', '"slides_made"', "scripts/finetune/finetune_arm.py", False),
        ("confuselt/survival/cox.py", "clamp_min(1)", "clamp_min(2)", "scripts/finetune/finetune_arm.py", True),
    ],
)
def test_an_edit_reaches_exactly_the_scripts_that_import_it(copy, module, old, new, script, reached):
    before = hash_in(copy, script)
    edit(copy / module, old, new)
    assert (hash_in(copy, script) != before) is reached


def test_a_new_version_of_a_decisive_package_changes_the_hash(monkeypatch, tmp_path):
    script = PACKAGE_DIR.parent / SCRIPT
    monkeypatch.setattr(hashing, "MEMORY", tmp_path / "code_hash.json")
    before = code_hash(script)
    for function in (code_hash, hashing._package):
        function.cache_clear()
    monkeypatch.setattr("confuselt.code_hash.versions", lambda names: dict.fromkeys(names, "0"))
    assert code_hash(script) != before
    for function in (code_hash, hashing._package):
        function.cache_clear()
    foreign = Code(script).foreign
    assert "torch" in foreign and "torchsurv" not in foreign


def test_a_package_counts_only_where_a_definition_that_is_used_uses_it():
    """`finetune_arm` reads modules that import lifelines and scikit-learn for others."""
    scripts = PACKAGE_DIR.parent / "scripts"
    assert "lifelines" in Code(scripts / "finetune/fit_clinical_plus.py").foreign
    assert not {"lifelines", "sklearn"} & Code(scripts / "finetune/finetune_arm.py").foreign


# --- definitions, in the real scripts


def test_a_moved_module_changes_nothing(copy):
    """The scaler goes to another room, and every import of it along, those within functions too."""
    scripts = [SCRIPT, "scripts/finetune/fit_baseline.py", "scripts/rna/normalise_rna.py"]
    before = {script: hash_in(copy, script) for script in scripts}
    (copy / "confuselt/elsewhere").mkdir()
    (copy / "confuselt/elsewhere/__init__.py").touch()
    (copy / "confuselt/model/scaler.py").rename(copy / "confuselt/elsewhere/scaler.py")
    for path in copy.rglob("*.py"):
        path.write_text(path.read_text().replace("confuselt.model.scaler", "confuselt.elsewhere.scaler"))
    assert {script: hash_in(copy, script) for script in scripts} == before


def test_an_edit_of_a_definition_that_is_not_used_changes_nothing(copy):
    """Both scripts import both modules' neighbours; each uses other definitions of them."""
    arm, split = "scripts/finetune/finetune_arm.py", "scripts/split/make_folds.py"
    before = {script: hash_in(copy, script) for script in (arm, split)}
    with (copy / "confuselt/sheets/read.py").open("a") as handle:
        handle.write("\n\ndef of_nobody():\n    return 1\n")
    edit(copy / "confuselt/split/folds.py", "0.6 * total[0]", "0.7 * total[0]")
    after = {script: hash_in(copy, script) for script in (arm, split)}
    assert after[arm] == before[arm] and after[split] != before[split]


def constants(code):
    """(node, statement, place of the constant in it) of every number and every string in a definition that is used."""
    found = []
    for node in sorted(code.links):
        for at, statement in enumerate(code._definition(node).statements):
            inside = [n for n in ast.walk(statement) if isinstance(n, ast.Constant)]
            found += [(node, at, i) for i, n in enumerate(inside) if isinstance(n.value, str | int | float | bytes)]
    return found


REAL = ["pretrain/pretrain_towers", "split/make_folds", "acquire/read_sheets", "rna/normalise_rna", "tile/cut_tiles"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_constant_of_any_definition_that_is_used_changes_the_hash(data, monkeypatch):
    """The mutant is one constant, wherever it stands: nothing that a script uses is missed."""
    script = PACKAGE_DIR.parent / f"scripts/{data.draw(st.sampled_from(REAL))}.py"
    code = Code(script)
    node, at, place = data.draw(st.sampled_from(constants(code)))
    definition = code._definition(node)
    before = code.seals()
    constant = [n for n in ast.walk(definition.statements[at]) if isinstance(n, ast.Constant)][place]
    told, value = constant.value, constant.value
    try:
        constant.value = value + (b"x" if isinstance(value, bytes) else "x" if isinstance(value, str) else 1)
        for kept in ("content", "texts", "chains"):
            definition.__dict__.pop(kept, None)
        assert Code(script).seals() != before
    finally:
        constant.value = told
        for kept in ("content", "texts", "chains"):
            definition.__dict__.pop(kept, None)


def ran(step, *arguments, **named):
    """Top-level definitions of the package of which some code ran."""
    codes, before = set(), sys.getprofile()
    sys.setprofile(lambda frame, event, _: codes.add(frame.f_code))
    try:
        step(*arguments, **named)
    finally:
        sys.setprofile(before)
    inside = [c for c in codes if c.co_filename.startswith(f"{PACKAGE_DIR}/") and not c.co_qualname.startswith("<")]
    modules = [Path(c.co_filename).relative_to(PACKAGE_DIR.parent).with_suffix("") for c in inside]
    found = {(".".join(m.parts), c.co_qualname.split(".")[0]) for m, c in zip(modules, inside, strict=True)}
    return {node for node in found if node[0] not in PLUMBING}


def test_what_ran_was_followed(tmp_path):
    """From tables to store and folds: every function that truly runs is one that the hash has found."""
    config = Config.model_validate({**TINY, "acquire": {"source": "local"}, "data": str(tmp_path)})
    files = {k: tmp_path / f"{k}.out" for k in ("slides", "samples", "outcomes", "patients", "covariates", "folds")}
    streams = {s: {k: tmp_path / f"{s}.{k}" for k in ("index", "features")} for s in ("tile", "cells")}
    clinical = tmp_path / "clinical.csv"
    tables = {
        "tile_table": "tile_features.parquet",
        "cells_table": "cell_features.parquet",
        "rna_matrix": "rna.parquet",
    }
    tables = {k: tmp_path / name for k, name in tables.items()}
    simulated = dict(zip(("tile", "cells", "rna"), tables.values(), strict=True))
    calls = {
        "simulate/simulate_cohort": {**simulated, "clinical": clinical, "truth": tmp_path / "truth.parquet"},
        "acquire/read_sheets": {
            "slides": files["slides"],
            "rna": files["samples"],
            "clinical_table": clinical,
            **tables,
        },
        "acquire/read_outcomes": {
            "slides": files["slides"],
            "rna": files["samples"],
            "outcomes": files["outcomes"],
            "patients": files["patients"],
            "calls": [],
            "clinical_table": clinical,
        },
        "acquire/read_covariates": {"clinical_table": clinical, "covariates": files["covariates"]},
        "embed/import_tiles": {"slides": files["slides"], **streams["tile"]},
        "cells/import_cells": {"slides": files["slides"], **streams["cells"]},
        "pack/pack_bags": {
            **{f"{s}_{k}": path for s, paths in streams.items() for k, path in paths.items()},
            "store": tmp_path / "store.h5",
        },
        "rna/gather_rna": {
            "samples": files["samples"],
            "rna_matrix": tables["rna_matrix"],
            "counts": tmp_path / "counts.h5ad",
            "index": tmp_path / "rna.index",
        },
        "split/make_folds": {k: files[k] for k in ("outcomes", "patients", "folds")},
    }
    for name, arguments in calls.items():
        path, main = PACKAGE_DIR.parent / f"scripts/{name}.py", script(name).main
        given = {"cfg": cfg_of(path, config)} if "cfg" in main.__annotations__ else {}
        used = ran(main, **arguments, **given)
        assert used and used <= set(Code(path).links), name


# --- definitions, in small packages

BASE = {
    "scripts/a.py": "from confuselt.one import f\n\ndef main():\n    return f(1)\n",
    "confuselt/__init__.py": "",
    "confuselt/one.py": "from confuselt.two import g, unused\n\nN = 3\n\ndef f(x):\n    return g(x) + N\n"
    "\ndef other():\n    return unused()\n",
    "confuselt/two.py": "def g(x):\n    return x\n\ndef unused():\n    return 5\n",
    "confuselt/sub/__init__.py": "",
}


def sealed(folder, files, old="", new=""):
    """Seals of scripts/a.py of a small package; ``old`` is "module: text", the text becomes `new`."""
    files = {**BASE, **files}
    if old:
        module, _, text = old.partition(": ")
        name = f"confuselt/{module}.py"
        assert text in files[name], old
        files[name] = files[name].replace(text, new)
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    # Paths are known by their text within one process.
    from confuselt.code_hash import _text

    _text.cache_clear()
    return Code(folder / "scripts/a.py", folder).seals()


CLASSES = """from dataclasses import dataclass, field
from functools import cache

from confuselt.two import g

START = 4

@dataclass
class Kept:
    size: int = START
    rows: list = field(default_factory=lambda: [7])

    def first(self, at=g(11)):
        return self.deep(at)

    @staticmethod
    def deep(at):
        return at + 12

def doubled(function):
    return lambda x: function(x) * 2

def plain(function):
    return function

@doubled
def f(x):
    return Kept(x).first()
"""
LAZY = """def f(x):
    from confuselt.two import g as h
    import confuselt.three

    return h(x) + confuselt.three.k()
"""
THREE = {"confuselt/three.py": "def k():\n    return 31\n\ndef m():\n    return 32\n"}


def one(*lines):
    """confuselt/one.py of these lines, beside a third module."""
    return {"confuselt/one.py": "\n".join(lines) + "\n", **THREE}


FUNCTION = "def f(x):"
PATCHED = {"confuselt/three.py": "import os\n\nos.environ['A'] = '1'\n"}
LISTED = {
    "confuselt/two.py": "LIST = []\n\ndef listed(g):\n    LIST.append(g)\n    return g\n",
    "confuselt/three.py": "from confuselt.two import listed\n\n@listed\ndef a():\n    return 1\n",
}
ALIKE = {
    "confuselt/two.py": "N = 1\n\ndef g(x):\n    return N\n",
    "confuselt/three.py": "N = 2\n\ndef g(x):\n    return N\n\ndef h(x):\n    return g(x)\n",
}
TRIED = one(
    "try:", "    from confuselt.three import k as f", "except ImportError:", "    from confuselt.two import g as f"
)
ATTRIBUTE = one("from confuselt import three", FUNCTION, "    return three.k()")
DOTTED = one("import confuselt.three", FUNCTION, "    return confuselt.three.k()")
EXPORTED = {**one("from confuselt.sub import k as f"), "confuselt/sub/__init__.py": "from confuselt.three import k\n"}
STARRED = {**EXPORTED, "confuselt/sub/__init__.py": "from confuselt.three import *\n"}
SHADOWED = one("N = 3", FUNCTION, "    def inner(N):", "        return N", "    return inner(x) + N")
OF_TWO = "from confuselt.two import g\nfrom confuselt.three import h, g as g3"
OF_THREE = "from confuselt.two import g as g3\nfrom confuselt.three import h, g"


@pytest.mark.parametrize(
    ("files", "old", "new", "changes"),
    [
        # what is used, and what is not
        ({}, "two: return x", "return x + 1", True),
        ({}, "two: return 5", "return 6", False),
        ({}, "one: N = 3", "N = 4", True),
        ({}, "one: return unused()", "return unused() + 1", False),
        ({}, "one: def other", "import torch\n\ndef other", False),
        # classes, decorators, defaults, fields
        ({"confuselt/one.py": CLASSES}, "one: at + 12", "at + 13", True),
        ({"confuselt/one.py": CLASSES}, "one: START = 4", "START = 5", True),
        ({"confuselt/one.py": CLASSES}, "one: [7]", "[8]", True),
        ({"confuselt/one.py": CLASSES}, "one: g(11)", "g(12)", True),
        ({"confuselt/one.py": CLASSES}, "one: * 2", "* 3", True),
        ({"confuselt/one.py": CLASSES}, "one: @doubled", "@plain", True),
        ({"confuselt/one.py": CLASSES}, "one:     return function\n", "    return None\n", False),
        ({"confuselt/one.py": CLASSES}, "two: return x", "return x + 1", True),
        # imports within functions
        ({"confuselt/one.py": LAZY, **THREE}, "two: return x", "return x + 1", True),
        ({"confuselt/one.py": LAZY, **THREE}, "three: return 31", "return 33", True),
        ({"confuselt/one.py": LAZY, **THREE}, "three: return 32", "return 33", False),
        # a name of the module that is a local elsewhere
        (SHADOWED, "one: N = 3", "N = 4", True),
        # attributes of modules
        (ATTRIBUTE, "three: 31", "33", True),
        (ATTRIBUTE, "three: 32", "33", False),
        (one("import confuselt.three as t", FUNCTION, "    return t.k()"), "three: 31", "33", True),
        (DOTTED, "three: 31", "33", True),
        (DOTTED, "three: 32", "33", False),
        # a module that is handed on, or asked by name, counts as a whole
        (one("from confuselt import three", FUNCTION, "    return getattr(three, x)()"), "three: 32", "33", True),
        (one("from confuselt import three", FUNCTION, "    return list([three])"), "three: 32", "33", True),
        (one("import importlib", FUNCTION, "    importlib.import_module('confuselt.three')"), "three: 32", "33", True),
        (one("A = 1", FUNCTION, "    return globals()[x]"), "one: A = 1", "A = 2", True),
        (one("from confuselt.three import *", FUNCTION, "    return k()"), "three: 31", "33", True),
        (one("import confuselt", FUNCTION, "    return print(confuselt)"), "three: 32", "33", True),
        # re-exports
        (EXPORTED, "three: 31", "33", True),
        (EXPORTED, "three: 32", "33", False),
        (STARRED, "three: 31", "33", True),
        # what a module does when it is imported, whoever imports it
        ({**one("import confuselt.three", FUNCTION, "    return x"), **PATCHED}, "three: '1'", "'2'", True),
        (one("LIST = {}", "LIST['a'] = 1", FUNCTION, "    return LIST"), "one: = 1", "= 2", True),
        (
            {**one("import confuselt.three", "from confuselt.two import LIST", FUNCTION, "    return LIST"), **LISTED},
            "three: return 1",
            "return 2",
            True,
        ),
        (TRIED, "two: return x", "return x + 1", True),
        (TRIED, "three: 31", "33", True),
        # two definitions that say the same are told apart by what they use
        ({**one(OF_TWO, FUNCTION, "    return g(x), g3(x), h(x)"), **ALIKE}, f"one: {OF_TWO}", OF_THREE, True),
        # where a name comes from, outside the package
        (one("from numpy import dot", FUNCTION, "    return dot(x)"), "one: numpy", "scipy", True),
        (one("from numpy import dot", FUNCTION, "    return x"), "one: numpy", "scipy", False),
        # docstrings, comments, order
        ({}, "one: def f(x):\n", "def f(x):\n    'Words.'\n    # more\n", False),
        (
            {},
            "two: def g(x):\n    return x\n\ndef unused():\n    return 5\n",
            "def unused():\n    return 5\n\ndef g(x):\n    return x\n",
            False,
        ),
    ],
)
def test_a_hash_follows_names(files, old, new, changes, tmp_path):
    before = sealed(tmp_path / "code", files)
    assert (sealed(tmp_path / "code", files, old, new) != before) is changes


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_who_loads_modules_by_name_says_which(script):
    """Else their code would be in no hash."""
    loads = any("import_module" in "".join(chain) for chain in _chains(Code(script)))
    others = script.stem == "stream_slides"  # its code is that of three scripts beside its own
    assert loads == bool(_literal(script, "BACKENDS")) or others


def _chains(code):
    return [chain for node in code.links for chain in code._definition(node).chains]


def test_backends_are_named_by_the_config_and_by_rows(tmp_path):
    (tmp_path / "a.py").write_text('BACKENDS = ("confuselt.x.{embed.encoder}", "confuselt.y.{rows.reader}")')
    cfg = {"embed.encoder": "efficientnet-lite0", "rows": [{"reader": "b"}, {"reader": "a"}, {"reader": "b"}]}
    assert backends(tmp_path / "a.py", cfg) == ("confuselt.x.efficientnet_lite0", "confuselt.y.a", "confuselt.y.b")
    (tmp_path / "b.py").write_text("READS = ()")
    assert backends(tmp_path / "b.py", {}) == ()
    with pytest.raises(ValueError, match="there is no module confuselt.slides.readers.none"):
        code_hash(SCRIPTS[0], ("confuselt.slides.readers.none",))


def test_a_backend_counts_and_those_beside_it_do_not(copy):
    def found(*names):
        program = (
            "from confuselt.code_hash import code_hash; from pathlib import Path; "
            f"print(code_hash(Path('scripts/tile/cut_tiles.py'), {names!r}))"
        )
        run = [sys.executable, "-c", program]
        return subprocess.run(run, cwd=copy, env={"PYTHONPATH": str(copy)}, capture_output=True, text=True, check=True)

    tiled, plain = ("confuselt.slides.readers.tiled_tiff",), ("confuselt.slides.readers.openslide",)
    before = found(*tiled).stdout, found(*plain).stdout
    assert before[0] != before[1]
    edit(copy / "confuselt/slides/readers/tiled_tiff.py", '"no JPEG"', '"none"')
    assert found(*tiled).stdout != before[0] and found(*plain).stdout == before[1]


def test_plumbing_is_outside_however_it_is_brought(tmp_path):
    files = {"confuselt/stamp.py": "def s():\n    return 1\n"}
    for one in ("from confuselt.stamp import s\n", "from confuselt import stamp\n", "import confuselt.stamp\n"):
        files["confuselt/one.py"] = one + "\n\ndef f(x):\n    return x\n"
        before = sealed(tmp_path / "code", files)
        assert sealed(tmp_path / "code", files, "stamp: 1", "2") == before


def test_templates_that_a_template_names_belong_to_it(tmp_path):
    files = {
        "confuselt/one.py": "def f(x):\n    return open('page.j2')\n\ndef other():\n    return 'letter.j2'\n",
        "confuselt/page.j2": "{% include 'part.j2' %}",
        "confuselt/part.j2": "part",
        "confuselt/letter.j2": "letter",
    }
    before = sealed(tmp_path / "code", files)
    assert sealed(tmp_path / "code", {**files, "confuselt/part.j2": "other"}) != before
    assert sealed(tmp_path / "code", {**files, "confuselt/letter.j2": "other"}) == before


def test_what_was_found_is_remembered_until_something_changes(copy):
    memory, module = copy / "confuselt/__pycache__/code_hash.json", copy / "confuselt/pretrain/objective.py"
    before = hash_in(copy)
    kept = json.loads(memory.read_text())
    assert set(kept["scripts"].values()) == {before}
    kept["scripts"] = dict.fromkeys(kept["scripts"], "what is remembered is believed")
    memory.write_text(json.dumps(kept))
    assert hash_in(copy) == "what is remembered is believed"
    text = module.read_text()
    module.write_text(text.replace("self.scale", "self.size"))
    other = hash_in(copy)
    assert other not in (before, "what is remembered is believed")
    module.write_text(text)
    assert hash_in(copy) == before, "what was remembered of other files is no longer"


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"package": 1}'])
def test_a_memory_that_cannot_be_read_or_written_costs_time_alone(copy, spoilt):
    before = hash_in(copy)
    memory = copy / "confuselt/__pycache__/code_hash.json"
    memory.write_text(spoilt)
    assert hash_in(copy) == before
    shutil.rmtree(memory.parent)
    memory.parent.touch()  # no folder, nor can one be made
    assert hash_in(copy) == before
    (copy / "confuselt/.#genes.py").symlink_to("nobody@nowhere")  # an editor's lock
    (copy / "confuselt/gone.py").symlink_to("nowhere.py")
    assert hash_in(copy) == before


def test_no_edit_is_hidden_by_what_is_remembered(copy):
    script = "scripts/evaluate/write_report.py"
    template = copy / "confuselt/report/page.html.j2"
    hashes = [hash_in(copy, script)]
    for path, old, new in (
        (template, "<nav", "<nav "),
        (copy / script, "__main__", "__no__"),
        (copy / "confuselt/evaluate/plan.py", "def read_plan(path", "def read_plan(file"),
    ):
        edit(path, old, new)
        hashes.append(hash_in(copy, script))
    assert len(set(hashes)) == len(hashes), hashes
