"""Can it be believed: controls, leakage, sites, the plan; and what these data cannot answer."""

from pathlib import Path

import pandas as pd

from confuselt.controls.names import MISPAIRED, PERMUTED
from confuselt.evaluate.intervals import useless
from confuselt.evaluate.plan import read_plan
from confuselt.report.answers import cannot_answer, torn_sites
from confuselt.report.found import CHANCE
from confuselt.report.run import Run
from confuselt.report.section import Content, Section, pictures
from confuselt.report.site_figures import leaky_figure, site_figure
from confuselt.report.tally import several_sites

FORGIVEN = 0.1  # share of the intervals of a control


def make(run: Run) -> Content:
    """See `Section.make`."""
    tables, ticks = run.tables, safeguards(run)
    plan = read_plan(run.sources.plan)
    sites = {
        f"site_{name}": (site_figure(tables["curves"], tables["metrics"], name), f"C of {name} by site")
        for name in run.endpoints
    }
    leaky = leaky_figure(tables["curves"])
    return Content(
        held(ticks),
        {
            "ticks": ticks,
            "plan": {**plan, "changed": _changed(run, plan["hash"])},
            "cannot": cannot_answer(tables, run.bags, run.cfg),
            "probe": probe_summary(tables["curves"]),
            "several_sites": several_sites(run),
        },
        pictures(leaky=(leaky, "What choosing the epoch on the test fold does to permuted outcomes"), **sites),
    )


def safeguards(run: Run) -> list[dict]:
    """Ticks ``title, state, said``: what would show if these numbers were not to be believed."""
    tables, plan = run.tables, read_plan(run.sources.plan)["hash"]
    permuted, mispaired = (
        table[table[by].isin(kinds) & (table["fold"] == -1) & (table["status"] == "ok")]
        for table, by, kinds in ((tables["metrics"], "arm", PERMUTED), (tables["retrieval"], "model", MISPAIRED))
    )
    permuted = permuted.assign(chance=CHANCE)
    # Recall at another k has another chance, so that a mean over several stands beside none of them.
    mispaired = mispaired[(mispaired["stratum"] == "all") & (mispaired["k"] == run.cfg["evaluate.plan"]["k"])]
    return [
        _at_chance("permuted outcomes", permuted[permuted["metric"].isin(["harrell_c", "auc_macro"])], "value"),
        _at_chance("shuffled pairs", mispaired, "recall"),
        _plan_tick(plan, _changed(run, plan)),
        _sites_tick(tables["folds"]),
    ]


def held(ticks: list[dict]) -> str:
    """How many safeguards hold, and which do not."""
    good = sum(tick["state"] == "yes" for tick in ticks)
    others = "; ".join(tick["title"] for tick in ticks if tick["state"] != "yes")
    return f"{good} of {len(ticks)} safeguards hold" + (f"; not, or not known: {others}." if others else ".")


def _changed(run: Run, plan: str) -> list[str]:
    """Arms that were trained under another plan."""
    return sorted(arm for arm, model in run.models.items() if model["plan"] != plan)


def _at_chance(title: str, rows: pd.DataFrame, value: str) -> dict:
    """A tick: do the intervals of a negative control hold chance?"""
    rows = rows[[not useless(low, high) for low, high in zip(rows["low"], rows["high"], strict=True)]]
    if rows.empty:
        return {"title": title, "state": "open", "said": "no such control stands beside these numbers"}
    far = rows[(rows["low"] > rows["chance"]) | (rows["high"] < rows["chance"])]
    said = f"{len(rows) - len(far)} of {len(rows)} intervals hold chance, mean {rows[value].mean():.2f}"
    # One in twenty of 95 % intervals misses what it is of: of few, none may; of many, one in ten.
    return {"title": title, "state": "yes" if len(far) <= int(FORGIVEN * len(rows)) else "no", "said": said}


def _plan_tick(plan: str, changed: list[str]) -> dict:
    said = f"{plan}, written before any model ran. " + (
        f"The plan was changed after {', '.join(changed)} had been trained: take the verdicts as exploratory."
        if changed
        else "Every arm was trained under it."
    )
    return {"title": "analysis plan", "state": "no" if changed else "yes", "said": said}


def _sites_tick(folds: pd.DataFrame) -> dict:
    title = "sites kept apart"
    if folds["site"].isna().all():
        return {"title": title, "state": "open", "said": "no site is known"}
    if folds["site"].nunique() == 1:
        return {"title": title, "state": "open", "said": "all patients are of one site"}
    torn = torn_sites(folds)
    said = f"{torn} sites are tested in more than one fold" if torn else "no site is in training and test of a fold"
    return {"title": title, "state": "no" if torn else "yes", "said": said}


def probe_summary(curves: pd.DataFrame) -> list[dict]:
    """How well sites can be read off the embeddings: mean over folds beside chance."""
    rows = curves[curves["curve"] == "site-probe"]
    mean = rows.groupby(["arm", "draw", "inputs"], sort=True).agg(
        value=("value", "mean"), chance=("x", "mean"), folds=("fold", "nunique")
    )
    return mean.reset_index().to_dict("records")


SECTION = Section("believed", "Can it be believed", Path(__file__).with_name("believed.html.j2"), make)
