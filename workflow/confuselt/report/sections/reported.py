"""Reporting checklists: TRIPOD+AI and PROBAST, as far as a run can answer them."""

from pathlib import Path

from confuselt.report import probast, tripod
from confuselt.report.checklist import FILLED, NO, PART, PROBABLY, UNKNOWN, YES, YOURS, answered, count_states
from confuselt.report.run import Run
from confuselt.report.section import Content, Section
from confuselt.report.sections import believed, everything, found, looked, people, performance
from confuselt.report.tally import simulated

TITLES = {
    section.SECTION.name: section.SECTION.title
    for section in (found, believed, people, performance, looked, everything)
}


def make(run: Run) -> Content:
    """See `Section.make`."""
    items, questions = answered(tripod.ITEMS, run), answered(probast.ITEMS, run)
    told = count_states(items, (FILLED, PART, YOURS))
    bias = count_states(questions, (YES, PROBABLY, NO, UNKNOWN))
    return Content(
        f"Of {len(items)} entries of TRIPOD+AI this run fills {told[FILLED]}, {told[PART]} in part, and {told[YOURS]} "
        f"are the authors' to write; of {len(questions)} questions on bias it answers {bias[YES]} with yes, "
        f"{bias[PROBABLY]} with probably, {bias[NO]} with no, and cannot answer {bias[UNKNOWN]}.",
        {"items": items, "questions": questions, "titles": TITLES, "nobody": simulated(run)},
        {},
    )


SECTION = Section("reported", "Reporting checklists", Path(__file__).with_name("reported.html.j2"), make)
