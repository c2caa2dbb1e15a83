"""The page of two experiments side by side: what differs in their results, their predictions, their settings."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from confuselt.evaluate.paired import RETRIEVED, Evaluated, agreement, paired
from confuselt.report.figures import COLOURS, kind_of
from confuselt.report.page import rendered
from confuselt.report.section import Content, Section, pictures

FIRST_LOOK = ("harrell_c", "auc_macro", "recall")
ABSENT = "–"  # a setting that one side does not have


@dataclass(frozen=True)
class Compared:
    """Two experiments.

    Attributes
    ----------
    first, second : Evaluated
    made : tuple of list of dict
        ``evaluate/provenance`` of each.
    """

    first: Evaluated
    second: Evaluated
    made: tuple[list[dict], list[dict]]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """See `paired`."""
        return paired(self.first, self.second)

    @cached_property
    def told(self) -> pd.DataFrame:
        """Rows with a difference and its interval, of the metrics that are looked at first."""
        rows = self.rows[self.rows["metric"].isin(FIRST_LOOK) & self.rows["low"].notna()]
        # Of recall, what the plan counts is not known here: the largest k is shown, the table has all.
        return rows[rows["k"].isna() | (rows["k"] == rows["k"].max())]


def _results(compared: Compared) -> Content:
    rows, told = compared.rows, compared.told
    clear = told[(told["low"] > 0) | (told["high"] < 0)]
    higher = int((clear["difference"] > 0).sum())
    lost = rows[rows["metric"].isin(FIRST_LOOK) & rows["reason"].notna()]
    reasons = lost.groupby("reason").size().reset_index(name="n").to_dict("records")
    names = f"{compared.second.name} minus {compared.first.name}"
    if told.empty:
        result = _nothing(lost)
    else:
        result = (
            f"Of {len(told)} paired differences ({names}) {higher} lie above 0, {len(clear) - higher} below, "
            f"{len(told) - len(clear)} cannot be told from 0."
        )
    return Content(
        result,
        {
            "first": compared.first.name,
            "second": compared.second.name,
            "rows": rows.to_dict("records"),
            "reasons": reasons,
            "tests": len(told),
            "outcomes": _other_outcomes(compared),
        },
        pictures(differences=(_differences(told, names), f"Paired differences, {names}", told)),
    )


def _nothing(lost: pd.DataFrame) -> str:
    """Why no difference can be shown."""
    if lost["difference"].notna().any():
        reasons = sorted(set(lost.loc[lost["difference"].notna(), "reason"]))
        return f"No difference has an interval: {'; '.join(reasons)}."
    return (
        "Nothing is compared: no fold tests the same patients in both experiments, the classes of labels differ, "
        "or they share no arm."
    )


def _other_outcomes(compared: Compared) -> str | None:
    """A sentence where the outcomes of the two may not be the same."""
    contents = [
        {row["settings"].get("content") for row in made if row["rule"] == "read_outcomes"} for made in compared.made
    ]
    if not all(all(side) and side for side in contents):
        return "Outcomes may differ: the content of the table that they were read from is not known of both."
    if contents[0] != contents[1]:
        return "Outcomes may differ: the two were read from tables of another content."
    return None


def _differences(told: pd.DataFrame, names: str) -> Figure | None:
    """A panel per task: difference and interval of every arm and input."""
    if told.empty:
        return None
    tasks = list(dict.fromkeys(told["task"]))
    labels = list(dict.fromkeys(f"{row.arm}  [{row.inputs}]" for row in told.itertuples()))
    figure, axes = plt.subplots(
        1,
        len(tasks),
        figsize=(3.2 + 2.2 * len(tasks), 0.24 * len(labels) + 1.1),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis, task in zip(axes[0], tasks, strict=True):
        axis.axvline(0, color="#888888", lw=1)
        for row in told[told["task"] == task].itertuples():
            y = labels.index(f"{row.arm}  [{row.inputs}]")
            colour = COLOURS["both" if task == RETRIEVED else kind_of(row.arm, row.inputs)]
            axis.plot(np.clip([row.low, row.high], -1, 1), [y, y], color=colour, lw=1.6)
            axis.plot(row.difference, y, "o", color=colour, ms=4)
        axis.set_title(task, fontsize=9, loc="left")
        axis.set_ylim(len(labels) - 0.5, -0.5)
        axis.set_yticks(range(len(labels)), labels, fontsize=8)
    figure.supxlabel(names, fontsize=8)
    return figure


def _agreement(compared: Compared) -> Content:
    rows = agreement(compared.first, compared.second)
    low = rows.loc[rows["value"].idxmin()] if rows["value"].notna().any() else None
    if rows.empty:
        result = "No arm, input and task is predicted by both."
    elif low is None:
        result = f"How alike predictions are is not told: {'; '.join(sorted(set(rows['reason'])))}."
    else:
        result = (
            f"Least alike are the predictions of {low['arm']} with {low['inputs']} for {low['task']}: "
            f"{low['measure']} {low['value']:.2f} over {low['n']} patients."
        )
    return Content(result, {"rows": rows.astype(object).where(rows.notna(), None).to_dict("records")}, {})


def _settings(compared: Compared) -> Content:
    rows = differing(*compared.made)
    keys = {row["key"] for row in rows if row["kind"] == "setting"}
    others = sum(row["kind"] != "setting" for row in rows)
    said = f"Settings that differ: {len(keys)}; rules, hashes of code and versions of libraries that differ: {others}."
    return Content(said, {"rows": rows, "first": compared.first.name, "second": compared.second.name}, {})


def differing(first: list[dict], second: list[dict]) -> list[dict]:
    """Rows ``kind, rule, key, first, second`` of what two experiments were made with that is not the same.

    A rule that only one of them has is a row itself. ``experiment``, the name that they are told apart by, is none.
    """
    sides, rows = [_by_rule(side) for side in (first, second)], []
    for rule in sorted(set(sides[0]) | set(sides[1])):
        a, b = (side.get(rule) for side in sides)
        if a is None or b is None:
            ran = {"first": "ran" if a else ABSENT, "second": "ran" if b else ABSENT}
            rows.append({"kind": "rule", "rule": rule, "key": "", **ran})
            continue
        for kind in ("setting", "code", "version"):
            for key in sorted(set(a[kind]) | set(b[kind])):
                values = [side[kind].get(key, ABSENT) for side in (a, b)]
                if values[0] != values[1] and key != "experiment":
                    named = dict(zip(("first", "second"), values, strict=True))
                    rows.append({"kind": kind, "rule": rule, "key": key, **named})
    return _once(rows)


def _by_rule(made: list[dict]) -> dict[str, dict]:
    found, seen = {}, Counter()
    for row in made:
        name = f"{row['stage']}: {row['rule']}"
        seen[name] += 1
        # Files of one rule may have been made in two ways.
        found[name if seen[name] == 1 else f"{name}, {seen[name]}"] = {
            "setting": {key: json.dumps(value, sort_keys=True) for key, value in _flat(row["settings"]).items()},
            "code": {"code": row["code"]},
            "version": row["versions"],
        }
    return found


def _flat(settings: dict, before: str = "") -> dict[str, object]:
    found = {}
    for key, value in settings.items():
        found |= _flat(value, f"{before}{key}.") if isinstance(value, dict) and value else {f"{before}{key}": value}
    return found


def _once(rows: list[dict]) -> list[dict]:
    """A setting or a library that differs alike in several rules is one row."""
    found: dict[tuple, dict] = {}
    for row in rows:
        alike = (row["kind"], row["key"], row["first"], row["second"])
        key = alike if row["kind"] in ("setting", "version") else (*alike, row["rule"])
        before = found.setdefault(key, row | {"rules": []})
        before["rules"].append(row["rule"])
    return [
        {**row, "rule": "every rule" if row["kind"] == "version" else ", ".join(row["rules"])} for row in found.values()
    ]


HERE = Path(__file__).parent
SECTIONS = (
    Section("results", "What differs", HERE / "compared_results.html.j2", _results),
    Section("agreement", "Do they predict the same", HERE / "compared_agreement.html.j2", _agreement),
    Section("settings", "How they were made", HERE / "compared_settings.html.j2", _settings),
)


def build_compared(experiments: Path, first: str, second: str) -> str:
    """HTML text.

    Parameters
    ----------
    experiments : Path
        Folder of all experiments; of two of them ``evaluate`` is read and nothing else.
    first, second : str
    """
    folders = [experiments / name / "evaluate" for name in (first, second)]
    sides = [Evaluated.read(name, folder) for name, folder in zip((first, second), folders, strict=True)]
    made = tuple(json.loads((folder / "provenance.json").read_text(encoding="utf-8")) for folder in folders)
    html, _ = rendered(f"{first} and {second}", SECTIONS, Compared(*sides, made), {})
    return html
