"""Start one step: the same ``main(...)`` runs under Snakemake, by hand, and in a test.

Under Snakemake the arguments are looked up by name among the job's inputs,
outputs, wildcards, resources, ``cfg`` and ``threads``. By hand they come from the
command line, and ``cfg`` from ``--configfile`` through the script's own ``READS``.
Outputs (arguments annotated `Output`) are written under a temporary name in the
same folder and renamed only after ``main`` returned: a killed job leaves nothing
half-written under a final name. An argument annotated `Parts` is a hidden folder beside
the first output, where a job keeps what it need not do again; it is removed last of all.
"""

import argparse
import inspect
import json
import logging
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, NewType

from confuselt.code_hash import DECISIVE, code_hash, distributions
from confuselt.progress import no_bars
from confuselt.settings import backends, load_config, settings
from confuselt.stamp import config_hash, get_stamp, plain, set_stamp, versions

Output = NewType("Output", Path)
Parts = NewType("Parts", Path)
OUTPUTS = (Output, Output | None, list[Output])
LISTS = (list[Path], list[Output])
NONE = inspect.Parameter.empty  # instead of a default
ELSEWHERE = ("data", "rows")  # what differs between two places of the same run: no setting that a file keeps
SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
log = logging.getLogger("confuselt")


def run_step(main: Callable[..., None], scope: dict[str, Any]) -> None:
    """Run `main` of a script.

    Parameters
    ----------
    main : callable
        Its annotations say how an argument is filled: `Output`, ``list[Output]``, `Parts`, ``Path``, ``list[Path]``,
        ``str``, ``int``, ``dict`` (cfg). A dataclass is filled field by field in the same way.
    scope : dict
        The script's ``globals()``; holds ``snakemake`` in a job, and ``READS``.
    """
    script = Path(scope["__file__"])  # Snakemake sets it back to the real script
    snakemake = scope.get("snakemake")
    if snakemake is not None:
        _log_to(snakemake.log[0] if snakemake.log else None, snakemake.log.get("speed"))
    try:
        values = _from_snakemake(main, snakemake) if snakemake is not None else _from_command_line(main, scope)
        execute(main, values, script)
    except SystemExit:  # --help, or arguments that argparse has explained
        raise
    except BaseException:
        log.exception("%s failed", script.stem)
        raise


def execute(main: Callable[..., None], values: dict[str, Any], script: Path) -> None:
    """Call `main` with temporary output names, then move every output to its place."""
    cfg = values.get("cfg", {})
    set_stamp({**_maker(script, cfg), **versions(distributions(DECISIVE))})
    random.seed(cfg.get("seed", 0))
    outputs = {
        name: values[name] for name, kind in _kinds(main).items() if kind in OUTPUTS and values.get(name) is not None
    }
    final = [Path(path) for given in outputs.values() for path in (given if isinstance(given, list) else [given])]
    for path in final:
        path.parent.mkdir(parents=True, exist_ok=True)
    partial = {
        name: [_partial(p) for p in given] if isinstance(given, list) else _partial(given)
        for name, given in outputs.items()
    }
    parts = {
        name: final[0].with_name(f".{final[0].stem}.parts") for name, kind in _kinds(main).items() if kind is Parts
    }
    for folder in parts.values():
        folder.mkdir(exist_ok=True)
    main(**grouped(main, {**values, **partial, **parts}))
    for path in final:
        _flush(_partial(path))
    for path in final:
        _partial(path).replace(path)
    for folder in {path.parent for path in final}:
        _flush(folder)
    for folder in parts.values():
        shutil.rmtree(folder)


def _partial(path: Path) -> Path:
    return Path(path).with_name(f".partial.{Path(path).name}")


def _maker(script: Path, cfg: dict) -> dict[str, Any]:
    made = {"stage": script.parent.name, "rule": script.stem, "code": code_hash(script, backends(script, cfg))}
    told = {key: value for key, value in cfg.items() if key not in ELSEWHERE}
    return {**made, "config": config_hash(plain(told)), "settings": plain(told)}


@contextmanager
def acting_as(stage: str, rule: str, cfg: dict) -> Iterator[None]:
    """Stamp what is written meanwhile as the work of another rule, whose backends `cfg` names.

    One job may do what several jobs would do, and keep what they kept.
    """
    before = get_stamp()
    set_stamp({**before, **_maker(SCRIPTS / stage / f"{rule}.py", cfg)})
    try:
        yield
    finally:
        set_stamp(before)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Speed(logging.FileHandler):
    """Of all that is logged, the speed of trainings: a line of JSON each."""

    def __init__(self, path: str) -> None:
        super().__init__(path, mode="w")
        self.addFilter(lambda record: hasattr(record, "speed"))

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(record.speed)


def _log_to(path: str | None, speed: str | None = None) -> None:
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if path:
        handlers = [logging.FileHandler(path, mode="w")]
        no_bars()
    if speed:
        handlers.append(_Speed(speed))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=handlers, force=True
    )
    logging.captureWarnings(True)
    for noisy in ("fontTools", "matplotlib", "numba"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _arguments(main: Callable[..., None]) -> dict[str, tuple[Any, Any]]:
    """Kind and default of every argument; a dataclass among them stands for its fields."""
    found: dict[str, tuple[Any, Any]] = {}
    for name, parameter in inspect.signature(main).parameters.items():
        kind = parameter.annotation
        if is_dataclass(kind):
            found |= {f.name: (f.type, NONE if f.default is MISSING else f.default) for f in fields(kind)}
        else:
            found[name] = kind, parameter.default
    return found


def _kinds(main: Callable[..., None]) -> dict[str, Any]:
    return {name: kind for name, (kind, _) in _arguments(main).items()}


def grouped(main: Callable[..., None], values: dict[str, Any]) -> dict[str, Any]:
    """Values as `main` takes them: those of a dataclass together."""
    values = dict(values)
    for name, parameter in inspect.signature(main).parameters.items():
        kind = parameter.annotation
        if is_dataclass(kind):
            values[name] = kind(**{f.name: values.pop(f.name) for f in fields(kind) if f.name in values})
    return values


def _convert(kind: Any, value: Any) -> Any:
    if value is None or kind is dict:
        return value
    if kind in LISTS:
        return [Path(v) for v in ([value] if isinstance(value, str) else value)]
    if kind in (Output, Path) or kind in (Path | None, Output | None):
        if not isinstance(value, str | Path):  # an input function that may find nothing hands over a list
            return Path(value[0]) if len(value) else None
        return Path(value)
    return kind(value)


def _from_snakemake(main: Callable[..., None], job: Any) -> dict[str, Any]:
    pool: dict[str, Any] = {"threads": job.threads, "cfg": job.params.get("cfg")}
    for part in (job.resources, job.wildcards, job.params, job.input, job.output):
        pool.update(dict(part.items()))
    values: dict[str, Any] = {}
    for name, (kind, default) in _arguments(main).items():
        if name in pool:
            values[name] = _convert(kind, pool[name])
        elif default is not NONE:
            values[name] = default
        elif kind is Parts:  # made by `execute`
            continue
        elif kind == list[Path]:
            values[name] = []
        else:
            raise TypeError(f"the rule gives no '{name}'")
    return values


def _from_command_line(main: Callable[..., None], scope: dict[str, Any]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=main.__doc__ or scope.get("__doc__"))
    kinds = _kinds(main)
    for name, (_, default) in _arguments(main).items():
        if name == "cfg":
            parser.add_argument("--configfile", required=True, type=Path)
            parser.add_argument("--cohort", default=None, help="cohort whose config is used (default: the main one)")
            continue
        if kinds[name] is Parts:
            continue
        optional = default is not NONE
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            required=not optional and kinds[name] != list[Path],
            default=default if optional else None,
            nargs="*" if kinds[name] in LISTS else None,
        )
    given = vars(parser.parse_args())
    _log_to(None)
    values = {name: _convert(kinds[name], given[name]) for name in kinds if name in given}
    for name, kind in kinds.items():
        if kind == list[Path] and values.get(name) is None:
            values[name] = []
    if "cfg" in kinds:
        values["cfg"] = settings(Path(scope["__file__"]), load_config(given["configfile"]), given["cohort"])
    return values
