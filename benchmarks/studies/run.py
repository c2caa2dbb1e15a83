"""Statistical studies on simulated cohorts: resumable per draw, a table with the code hash at the end.

``make study NAME=features`` runs what is missing and rewrites the study's part of benchmarks/STUDIES.md. The numbers of
a draw are kept in results/studies/NAME/draws/ while code and config stay the same.
"""

import argparse
import json
import logging
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import cheap
import demo
import full
from cheap_tables import APART, coverage_table, false_table, power_table

from confuselt.code_hash import code_hash
from confuselt.config.root import Config
from confuselt.progress import progress
from confuselt.stamp import config_hash

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "benchmarks/STUDIES.md"
WIDTH = 120  # of prose
NULLS = {
    "effect 0": {"effect": 0},
    "modalities redundant": {"modalities": "redundant"},
    "cells redundant": {"cells": "redundant"},
    "shared irrelevant": {"shared": "irrelevant"},
}
# Scripts behind the numbers of a full chain: those of a cohort of simulated features, up to its metrics.
CHAIN = (
    "simulate/simulate_cohort",
    "acquire/read_sheets",
    "acquire/read_outcomes",
    "embed/import_tiles",
    "cells/import_cells",
    "rna/gather_rna",
    "rna/normalise_rna",
    "split/make_folds",
    "pack/pack_bags",
    "pretrain/pretrain_towers",
    "finetune/finetune_arm",
    "evaluate/score_arms",
)
# Effects at which the modality contrast is near what can be detected (looked for on seeds from 9000 on, which no study
# uses).
PLANTED = {"os": (1.2, 1.5, 2.0, 2.5), "pam50": (0.2, 0.3, 0.35, 0.4)}
CHEAP = {
    "acquire": {"source": "simulate"},
    "tasks": full.TASKS,
    "simulate": {
        "patients": 300,
        "sites": 30,
        "tiles": 1,
        "genes": 100,
        "without_slide": 0,
        "without_rna": 0,
        "second_slide": 0,
        "events": 0.35,
    },
    "split": {"folds": 5, "repeats": 5},
    "evaluate": {"primary": "os", "draws": 500},
}


@dataclass(frozen=True)
class Study:
    """Draws and what they show.

    Attributes
    ----------
    about : str
        Sizes, in words.
    draws : list of (level, seed, config)
        Fixed beforehand. `config` is a whole config of the workflow, or ``simulate`` keys of the cheap chain.
    table : callable
        Draws to (lines, whether the claim held).
    cheap : bool
    how : module
        Of a whole chain: its ``run`` says what of a finished run is kept.
    chain : tuple of str
        Scripts behind its numbers.
    """

    about: str
    draws: list[tuple[str, int, dict]]
    table: Callable[[list[dict]], tuple[list[str], bool]]
    cheap: bool
    how: ModuleType = full
    chain: tuple[str, ...] = CHAIN


def _full(simulate: dict, folds: int) -> dict:
    return {**full.COMMON, "simulate": simulate, "split": {"folds": folds}}


STUDIES = {
    "features": Study(
        "what a second modality adds must be found where it is planted; 1,000 patients, 30 sites, effect 1, 5 folds",
        [("planted", s, _full({"patients": 1000, "sites": 30}, 5)) for s in range(101, 106)],
        full.features_table,
        False,
    ),
    "null": Study(
        "nothing to learn: no arm may leave 0.5; 200 patients, 20 sites, effect 0, 3 folds",
        [("effect 0", s, _full({**full.SMALL, "effect": 0}, 3)) for s in range(201, 221)],
        full.null_table,
        False,
    ),
    "alarm": Study(
        "two draws of each null through the full chain; 200 patients, 20 sites, 3 folds",
        [(name, s, _full({**full.SMALL, **keys}, 3)) for name, keys in NULLS.items() for s in (301, 302)],
        full.alarm_table,
        False,
    ),
    "demo": Study(
        (
            "what the demo promises to show, on cohorts of five seeds; "
            "config/demo.yaml from pixels on, 180 patients, 24 sites"
        ),
        [("demo", s, demo.CONFIG) for s in range(1, 6)],
        demo.table,
        False,
        demo,
        (*CHAIN, *demo.CHAIN),
    ),
    "coverage": Study(
        (
            "intervals of differences on cohorts with nothing to learn; "
            "cheap chain, 300 patients, 30 sites, 5 repeats of 5 folds"
        ),
        [("effect 0", s, {"effect": 0}) for s in range(1001, 2001)],
        coverage_table,
        True,
    ),
    "false-yes": Study(
        (
            "verdicts where there is nothing to find, 200 draws of each null; "
            "cheap chain, 300 patients, 30 sites, 5 repeats of 5 folds"
        ),
        [(name, s, keys) for name, keys in NULLS.items() for s in range(3001, 3201)],
        false_table,
        True,
    ),
    "power": Study(
        (
            "planted differences between two modalities and the better one, 100 per task, "
            "and as many draws that tell what is expected; cheap chain, 300 patients, 30 sites, 5 repeats of 5 folds"
        ),
        [
            (f"{task}, effect {e}{apart}", first + s, {"effect": e})
            for first, apart in ((5001, ""), (6001, APART))
            for task, effects in PLANTED.items()
            for i, e in enumerate(effects)
            for s in range(25 * i, 25 * i + 25)
        ],
        power_table,
        True,
    ),
}


def dotted(simulate: dict, seed: int) -> dict:
    """Config keys of a draw of the cheap chain, as scripts get them."""
    given = {**CHEAP, "simulate": {**CHEAP["simulate"], **simulate, "seed": seed}, "seed": seed}
    dump = Config.model_validate(given).model_dump(mode="json", by_alias=True)
    return {
        f"{block}.{name}": v for block in ("simulate", "split", "tasks", "evaluate") for name, v in dump[block].items()
    } | {"seed": seed}


def key_of(study: Study, config: dict, seed: int) -> str:
    """Hash of a draw's config and of all code that its numbers depend on."""
    if study.cheap:
        return config_hash([code_hash(Path(cheap.__file__)), dotted(config, seed)])
    # With every default written out: an edited default is another config.
    whole = Config.model_validate(config).model_dump(mode="json", by_alias=True)
    return config_hash(
        [
            [code_hash(ROOT / f"workflow/scripts/{script}.py") for script in study.chain],
            code_hash(Path(full.__file__)),
            whole,
        ]
    )


def _draw(name: str, level: str, seed: int, config: dict) -> dict:
    """Numbers of one draw: reused if they were made by the same code and config."""
    study = STUDIES[name]
    kept, key = (
        ROOT / "results/studies" / name / "draws" / f"{level.replace(' ', '-').replace(',', '')}-{seed}.json",
        key_of(study, config, seed),
    )
    if kept.exists() and (found := json.loads(kept.read_text()))["key"] == key:
        return found
    made = (
        cheap.draw(dotted(config, seed))
        if study.cheap
        else study.how.run(kept.parents[1] / f"run-{seed}", config, seed)
    )
    draw = {"key": key, "level": level, "seed": seed, **made}
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    partial.write_text(json.dumps(draw))
    partial.replace(kept)
    return draw


def run_study(name: str, most: int | None) -> list[dict]:
    """All draws: cheap ones side by side on two cores, whole chains one after the other (each uses both)."""
    wanted = STUDIES[name].draws[:most]
    if not STUDIES[name].cheap:
        return [_draw(name, *one) for one in progress(wanted, name)]
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(_draw, name, *one) for one in wanted]
        return [job.result() for job in progress(jobs, name)]


def _wrapped(line: str) -> str:
    if line.startswith("|"):  # a row of a table
        return line
    return textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False)


def write_part(name: str, draws: list[dict]) -> bool:
    """Rewrite the part of STUDIES.md between the study's markers; True where its claim held."""
    study = STUDIES[name]
    lines, held = study.table(draws)
    seeds = sorted({s for _, s, _ in study.draws})
    ends = [(a, b) for a, b in zip(seeds, seeds[1:], strict=False) if b > a + 1]
    ranges = " and ".join(
        f"{a} to {b}"
        for a, b in zip([seeds[0], *(b for _, b in ends)], [*(a for a, _ in ends), seeds[-1]], strict=True)
    )
    key = config_hash(sorted({d["key"] for d in draws}))
    head = [
        f"## {name}",
        "",
        f"{study.about[0].upper()}{study.about[1:]}. {len(draws)} of {len(study.draws)} draws, "
        f"seeds {ranges}, fixed beforehand. "
        f"Code and config hash `{key}`. Command: `make study NAME={name}`. Claim {'held' if held else 'DID NOT HOLD'}.",
        "",
    ]
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text, part = TABLE.read_text(), "\n".join([begin, *map(_wrapped, [*head, *lines]), end])
    if begin in text:
        text = text[: text.index(begin)] + part + text[text.index(end) + len(end) :]
    else:
        text = text.rstrip() + "\n\n" + part + "\n"
    TABLE.write_text(text)
    print("\n".join(lines))
    return held


def main() -> None:
    """Run the missing draws of a study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(STUDIES))
    parser.add_argument("--draws", type=int, default=None, help="only the first so many")
    parser.add_argument("--no-table", action="store_true", help="leave STUDIES.md as it is")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    draws = run_study(given.name, given.draws)
    if len(draws) < len(STUDIES[given.name].draws):
        print(f"{len(draws)} of {len(STUDIES[given.name].draws)} draws are done: {TABLE.name} is written when all are")
    elif not given.no_table:
        sys.exit(0 if write_part(given.name, draws) else 1)


if __name__ == "__main__":
    main()
