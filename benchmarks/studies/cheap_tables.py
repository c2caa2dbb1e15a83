"""Tables of the studies on the cheap chain: coverage, false verdicts, power."""

import numpy as np
from scipy.stats import norm

METHODS = ("patient bootstrap", "site bootstrap", "corrected resampled t", "widest")
APART = ", apart"  # ends the level of draws that tell the expected difference and are not tested
NOMINAL, WANTED, FALSE, POINTS = 0.95, 0.93, 0.05, 0.10
# Which planned contrasts have nothing to find under which null.
NULL_OF = {
    "effect 0": ("modality", "pretraining", "cells"),
    "modalities redundant": ("modality",),
    "cells redundant": ("cells",),
    "shared irrelevant": ("pretraining",),
}


def coverage_table(draws: list[dict]) -> tuple[list[str], bool]:
    """Share of cohorts whose interval holds the expected difference, per method.

    The expectation is 0 for C and AUC, where nothing can be learnt; for recall, which differs between the models, it is
    the mean over all cohorts.
    """
    events = np.array([d["events"] for d in draws])
    lines = [
        (
            f"Events per test fold: least {events[:, 0].min()}, most {events[:, 1].max()}, "
            f"within a cohort on average {events[:, 0].mean():.0f} to {events[:, 1].mean():.0f}."
        ),
        "",
        f"| difference | expected | SD over cohorts | {' | '.join(METHODS)} |",
        "|---|---|---|" + "---|" * len(METHODS),
    ]
    held, short = True, {m: [] for m in METHODS}
    for name in draws[0]["gaps"]:
        values = np.array([d["gaps"][name]["value"] for d in draws])
        expected = values.mean() if name.startswith("R@") else 0.0
        shares = {
            m: np.mean([d["gaps"][name][m][0] <= expected <= d["gaps"][name][m][1] for d in draws]) for m in METHODS
        }
        for method, share in shares.items():
            short[method].append(NOMINAL - share)
        held &= shares["widest"] >= WANTED
        coverage = " | ".join(f"{100 * s:.1f} %" for s in shares.values())
        lines.append(f"| {name.replace('|', ': ')} | {expected:+.3f} | {values.std():.3f} | {coverage} |")
    worst = ", ".join(f"{m} {100 * max(max(s), 0):.1f} points" for m, s in short.items())
    lines += ["", f"Largest shortfall from 95 %: {worst}. Wanted: at least 93 % by the widest interval everywhere."]
    return lines, bool(held)


def nulls(level: str) -> list[tuple[str, str]]:
    """Planned contrasts (question, task) that are null by construction.

    Cells do help retrieval wherever they show what RNA shows; they cannot where they are the tiles again.
    """
    found = [(question, task) for question in NULL_OF[level] for task in ("os", "pam50")]
    return [*found, ("cells", "retrieval")] if level == "cells redundant" else found


def false_table(draws: list[dict]) -> tuple[list[str], bool]:
    """Share of a yes, of a no and of "cannot tell" where there is nothing to find.

    A contrast that some draw could not make is a claim not held. Under "shared irrelevant" the pretrained arm of the
    cheap chain is frozen components without the outcome in them: it is truly worse, and a yes is certain not to come.
    For pretraining "effect 0" is the null that informs.
    """
    lines, held = (
        [
            "| null | question | task | draws | yes | no | cannot tell | mean difference |",
            "|---|---|---|---|---|---|---|---|",
        ],
        True,
    )
    for level in NULL_OF:
        mine = [d for d in draws if d["level"] == level]
        for question, task in nulls(level):
            rows = [r for d in mine for r in d["contrasts"] if (r["question"], r["task"]) == (question, task)]
            said = {
                v: np.mean([r["verdict"] == v for r in rows]) if rows else np.nan for v in ("yes", "no", "cannot tell")
            }
            held &= bool(said["yes"] <= FALSE) and len(rows) == len(mine)
            shares = " | ".join(f"{100 * s:.1f} %" for s in said.values())
            mean = np.mean([r["difference"] for r in rows] or [np.nan])
            lines.append(f"| {level} | {question} | {task} | {len(rows)} | {shares} | {mean:+.4f} |")
    return lines, bool(held)


def power_table(draws: list[dict]) -> tuple[list[str], bool]:
    """How often the modality contrast is found at the first Holm step.

    Beside it stands how often `detectable` says that it would be. With an expected difference d, a test whose
    detectable difference is D has power Phi((z1 + z2) d / D - z1), z1 and z2 being the normal quantiles of the first
    Holm step and of 80 %. d is the mean of other draws of the same plan (levels ending in `APART`): that of the tested
    ones would move with what they find.
    """
    lines = [
        (
            "| task | planted | draws | expected difference (of as many other draws) "
            "| mean difference | mean detectable | power said | power found |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    first, power = norm.isf(0.05 / 2 / 3), norm.ppf(0.8)
    whole: dict[str, list[tuple[float, float]]] = {}
    held = True
    for level in dict.fromkeys(d["level"].removesuffix(APART) for d in draws):
        task = level.split(", ")[0]
        drawn = {name: [d for d in draws if d["level"] == name] for name in (level, level + APART)}
        rows, apart = (
            [r for d in some for r in d["contrasts"] if (r["question"], r["task"]) == ("modality", task)]
            for some in drawn.values()
        )
        held &= bool(rows) and bool(apart) and [len(rows), len(apart)] == [len(some) for some in drawn.values()]
        if not rows or not apart:
            lines.append(f"| {task} | {level.split(', ')[1]} | 0 | not available | | | | |")
            continue
        mean = np.mean([r["difference"] for r in apart])
        said = [norm.cdf((first + power) * mean / r["detectable"] - first) for r in rows]
        found = [r["p"] <= 0.05 / 3 and r["low"] > 0 for r in rows]
        whole.setdefault(task, []).extend(zip(said, found, strict=True))
        difference, detectable = (np.mean([r[column] for r in rows]) for column in ("difference", "detectable"))
        numbers = (
            f"{len(rows)} | {mean:+.3f} | {difference:+.3f} | {detectable:.3f} | "
            f"{100 * np.mean(said):.0f} % | {100 * np.mean(found):.0f} %"
        )
        lines.append(f"| {task} | {level.split(', ')[1]} | {numbers} |")
    held &= bool(whole)
    for task, pairs in whole.items():
        said, found = np.mean(pairs, 0)
        held &= abs(said - found) <= POINTS
        lines += [
            "",
            (
                f"{task}, {len(pairs)} planted differences: power said {100 * said:.0f} %, found {100 * found:.0f} %. "
                "Wanted: within 10 points."
            ),
        ]
    return lines, bool(held)
