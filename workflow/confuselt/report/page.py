"""Build the benchmark report: sections in the order in which people ask, on one page that needs nothing else."""

import base64
from collections.abc import Callable, Iterable
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from confuselt.evaluate.intervals import useless
from confuselt.report.layers import VIEWER
from confuselt.report.run import Run
from confuselt.report.section import Picture, Section
from confuselt.report.sections import believed, everything, found, looked, people, performance, reported
from confuselt.report.sections.people import cohort_facts
from confuselt.report.svg import inline
from confuselt.report.tally import counted
from confuselt.report.task_words import spelt

HERE = Path(__file__).parent
UNBOUNDED = ("observed_expected", "calibration_slope")  # metrics that may be more than 1
PAGE, PARTS = "page.html.j2", ("page.css.j2", "page.js.j2")
SECTIONS = (
    found.SECTION,
    believed.SECTION,
    people.SECTION,
    performance.SECTION,
    looked.SECTION,
    reported.SECTION,
    everything.SECTION,
)


def build_report(run: Run) -> tuple[str, dict[str, Figure]]:
    """HTML text, and its figures by name."""
    cfg = run.cfg
    shared = {"cfg": cfg, "primary": run.primary, "bags": run.bags, "slide_made": run.sources.grids is not None}
    return rendered(f"{cfg['experiment']}: benchmark on cohort {cfg['cohort']}", SECTIONS, run, shared, lead_of(run))


def lead_of(run: Run) -> str:
    """Who stands behind the numbers, before anything else."""
    facts, cfg = cohort_facts(run), run.cfg
    events = "".join(
        f", {endpoint['events']} events of {spelt(endpoint['task'])}, the primary endpoint"
        for endpoint in facts["endpoints"]
        if endpoint["task"] == run.primary
    )
    simulated = "Simulated data, no real patients. " if cfg["acquire.source"] == "simulate" else ""
    folds = f"tested in {cfg['split.folds']} folds, {cfg['split.repeats']} times over"
    sites = f" of {counted(facts['sites'], 'site')}" if facts["sites"] else ""
    return f"{simulated}{facts['patients']} patients{sites}{events}; {folds}."


def rendered(
    title: str, sections: Iterable[Section], about: object, shared: dict, lead: str = ""
) -> tuple[str, dict[str, Figure]]:
    """HTML text of a page, and its figures by name.

    Parameters
    ----------
    title : str
    sections : iterable of Section
    about : object
        What sections are made of.
    shared : dict
        Facts for all templates.
    lead : str
        What stands below the title.
    """
    environment, shown, figures = templates(), [], {}
    for section in sections:
        content = section.make(about)
        facts = {**shared, **content.facts, "pictures": content.pictures, "picture": _drawing(content.pictures)}
        body = environment.get_template(section.template.name).render(facts)
        shown.append({"section": section, "result": content.result, "body": Markup(body)})
        figures |= {name: picture.figure for name, picture in content.pictures.items()}
    return environment.get_template(PAGE).render(title=title, lead=lead, sections=shown), figures


def templates() -> jinja2.Environment:
    """Where templates are found, how they write numbers, and what shows slides in them."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE, HERE / "sections"]),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"num": _number, "spelt": spelt}
    environment.globals |= {"interval": _interval, "unbounded": UNBOUNDED, "viewer": VIEWER}
    return environment


def _drawing(pictures: dict[str, Picture]) -> Callable[[str, str], Markup]:
    """What templates call: a picture of the section by name, with its caption; nothing where there is none."""

    def drawn(name: str, caption: str) -> Markup:
        if name not in pictures:
            return Markup("")
        picture, link = pictures[name], ""
        if picture.data is not None:
            csv = base64.b64encode(picture.data.to_csv(index=False).encode()).decode()
            link = f' <a download="{escape(name)}.csv" href="data:text/csv;base64,{csv}">data</a>'
        plot = f'<div class="plot" tabindex="0" role="img" aria-label="{escape(picture.alt)}">'
        return Markup(
            f'<figure id="figure-{escape(name)}">{plot}{inline(picture.figure, name)}</div>'
            f"<figcaption>{escape(caption)}{link}</figcaption></figure>"
        )

    return drawn


def _number(value: object, digits: int = 2) -> str:
    if value is None or (isinstance(value, float) and not np.isfinite(value)) or value is pd.NA:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _interval(low: float, high: float, bounded: bool = True, digits: int = 2) -> str:
    """An interval as the tables show it; a dash where it says nothing.

    One of C, AUC or recall says nothing where it holds all that they can be.
    """
    if useless(low, high) if bounded else not (np.isfinite(low) and np.isfinite(high)):
        return "–"
    return f"[{low:.{digits}f}, {high:.{digits}f}]"
