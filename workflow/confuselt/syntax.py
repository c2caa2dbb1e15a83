"""What a Python file says, as the code hash sees it: its top-level definitions, and the names that each of them uses.

Comments, docstrings, log lines and the paths in imports of the package are outside: they change no result.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property

PACKAGE = "confuselt"
LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
# A function that uses one of these may use any name of its module.
ANY_NAME = frozenset({"globals", "locals", "vars", "eval", "exec", "__import__"})

Source = tuple[str, str | None]  # ("a.b", None) is the module a.b; ("a.b", "c") is what a.b calls c
Chain = tuple[str, ...]  # a name with the attributes behind it: ("np", "linalg", "norm")


def of_package(module: str) -> bool:
    """Whether a dotted name lies in the package."""
    return module.split(".")[0] == PACKAGE


@dataclass(frozen=True)
class Imports:
    """What import statements bring.

    Attributes
    ----------
    names : dict of str to set of Source
        Name to what it may stand for.
    modules : set of str
        Modules that are run.
    stars : set of str
        Modules of which everything is brought.
    """

    names: dict[str, set[Source]] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    stars: set[str] = field(default_factory=set)

    @staticmethod
    def of(nodes: Iterable[ast.AST]) -> "Imports":
        """Collect the imports among `nodes`."""
        found = Imports()
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found.modules.add(alias.name)
                    bound, source = (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
                    found.names.setdefault(bound, set()).add((source, None))
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    raise ValueError(f"line {node.lineno}: relative imports are not followed; write {PACKAGE}.…")
                found.modules.add(node.source)
                for alias in node.names:
                    if alias.name == "*":
                        found.stars.add(node.source)
                        continue
                    found.modules.add(f"{node.source}.{alias.name}")
                    found.names.setdefault(alias.asname or alias.name, set()).add((node.source, alias.name))
        return found


@dataclass(frozen=True)
class Definition:
    """Statements that make one name (or, of a module, those that do more than make names)."""

    name: str
    statements: tuple[ast.stmt, ...]

    @cached_property
    def content(self) -> str:
        """The name and the normalised syntax tree."""
        return "\n".join([self.name, *map(ast.dump, self.statements)])

    @cached_property
    def imports(self) -> Imports:
        """Imports within, e.g. in the body of a function."""
        return Imports.of(node for statement in self.statements for node in ast.walk(statement))

    @cached_property
    def chains(self) -> frozenset[Chain]:
        """Every name that is used within, with the attributes behind it.

        Names of locals are among them: too much, never too little.
        """
        return frozenset(chain for statement in self.statements for chain in _chains(statement))

    @cached_property
    def texts(self) -> frozenset[str]:
        """Every string within."""
        nodes = (node for statement in self.statements for node in ast.walk(statement))
        return frozenset(n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))

    @cached_property
    def takes_any_name(self) -> bool:
        """Whether names may be looked up that are not written."""
        return any(chain[0] in ANY_NAME for chain in self.chains)


@dataclass(frozen=True)
class Module:
    """A file.

    Attributes
    ----------
    own : dict of str to Definition
        What the file defines: functions, classes, assigned names.
    effects : Definition or None
        Statements that count wherever the file is imported: all but imports, definitions and assignments.
    imports : Imports
        Of the top level, those within ``if`` and ``try`` too.
    """

    own: dict[str, Definition]
    effects: Definition | None
    imports: Imports


@cache
def parse(text: str) -> Module:
    """Take a file apart."""
    tree = _strip_logging(_strip_docstrings(ast.parse(text)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            node.source = node.module
            if of_package(node.module):
                node.module = PACKAGE  # where a definition lies is nothing that it says
    imports = [n for s in tree.body if not isinstance(s, _DEFINES) for n in ast.walk(s)]
    brought, own, effects = Imports.of(imports), {}, []
    names = {name for statement in tree.body for name in _bound(statement)}
    names |= {name for name, sources in brought.names.items() if any(of_package(module) for module, _ in sources)}
    for statement in tree.body:
        for name in _bound(statement):
            own.setdefault(name, []).append(statement)
        if _has_effect(statement, names):
            effects.append(statement)
    return Module(
        {name: Definition(name, tuple(statements)) for name, statements in own.items()},
        Definition("", tuple(effects)) if effects else None,
        brought,
    )


_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _bound(statement: ast.stmt) -> set[str]:
    """Names that a top-level statement makes, in whatever depth."""
    if isinstance(statement, _DEFINES):
        return {statement.name}
    found = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found | {n.name for n in ast.walk(statement) if isinstance(n, _DEFINES)}


def _has_effect(statement: ast.stmt, names: set[str]) -> bool:
    """Whether a top-level statement does more than make names.

    A decorator or a base class of the package (one of `names`) may keep a list of what it was given.
    """
    if isinstance(statement, _DEFINES):
        given = [*statement.decorator_list, *getattr(statement, "bases", []), *getattr(statement, "keywords", [])]
        return any(chain[0] in names for node in given for chain in _chains(node))
    if isinstance(statement, ast.Assign):
        return any(not isinstance(leaf, ast.Name) for target in statement.targets for leaf in _leaves(target))
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return not isinstance(statement.target, ast.Name)
    plain = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return not (plain or isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass))


def _leaves(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _leaves(element)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def _chains(node: ast.AST) -> Iterator[Chain]:
    """Names in a tree, each with the attributes that follow it directly."""
    behind: list[str] = []
    at = node
    while isinstance(at, ast.Attribute):
        behind.append(at.attr)
        at = at.value
    if isinstance(at, ast.Name):
        yield (at.id, *reversed(behind))
        return
    if isinstance(at, ast.Global | ast.Nonlocal):
        yield from ((name,) for name in at.names)
    for child in ast.iter_child_nodes(at):
        yield from _chains(child)


def _strip_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, *_DEFINES)) and ast.get_docstring(node, clean=False) is not None:
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
