"""TRIPOD+AI, items 20 to 27: patients, models, performance, discussion."""

from confuselt.report.answers import answers, cannot_answer
from confuselt.report.checklist import FILLED, PART, Item, Said, yours
from confuselt.report.run import Run
from confuselt.report.sections.people import cohort_facts
from confuselt.report.tally import (
    counted,
    covariates_in_words,
    events_per_fold,
    fold_spans,
    follow_up,
    listed,
    looked_at_by,
    modalities_in_words,
    not_looked_at,
    outcomes_in_words,
    planned_arms,
    range_of,
)


def _flow(run: Run) -> Said:
    facts = cohort_facts(run)
    words = f"{facts['patients']:,} patients are used and {facts['excluded']:,} were left out, each with a reason; "
    times = f" {follow_up(run)}" if run.endpoints else ""
    return Said(FILLED, f"{words}{modalities_in_words(run)}. Outcomes: {outcomes_in_words(run)}.{times}", "people")


def _characteristics(run: Run) -> Said:
    words = (
        f"Outcomes, modalities, slides, RNA and sites are counted. Clinical covariates: {covariates_in_words(run)}. A "
        "table of patients' characteristics is the authors'."
    )
    return Said(PART, words, "people")


def _compared(run: Run) -> Said:
    words = (
        "Every patient is trained on and tested in turn, so that over all folds both are the same people; test folds "
        "are compared by their counts alone."
    )
    return Said(PART, words, "people")


def _sizes(run: Run) -> Said:
    spans = fold_spans(run)
    words = f"Per fold: {spans['train']} patients train, {spans['inner']} tune, {spans['test']} are tested."
    events = f" Events of a test fold: {events_per_fold(run)}." if run.endpoints else ""
    return Said(FILLED, words + events, "people")


def _specification(run: Run) -> Said:
    words = (
        f"{len(run.models)} of {counted(len(planned_arms(run)), 'arm')} could be trained; each is kept whole, per "
        "repeat and fold, and serves other patients by the target predict. How others get it is the authors' to say."
    )
    return Said(PART, words)


def _performance(run: Run) -> Said:
    found = [
        f"{task}: {'C' if metric == 'harrell_c' else 'macro AUC'} {between}"
        for task, metric in run.headline
        if (between := range_of(run, task, metric))
    ]
    if not found:
        return Said(PART, "No arm has a value for any task; the reasons are listed.", "performance")
    words = f"Over all arms and baselines, {'; '.join(found)}; each with a 95 % interval where one says anything."
    groups = looked_at_by(run)
    told = f"Within parts of the cohort by {', '.join(groups)}." if groups else f"{not_looked_at(run)}."
    return Said(PART, f"{words} {told} Groups that these columns do not tell are not looked at.", "performance")


def _between_sites(run: Run) -> Said:
    curves = run.tables["curves"]
    rows = curves[(curves["curve"] == "within-site") & curves["value"].notna()]
    if rows.empty:
        return Said(PART, "Not examined: no site is known, or no endpoint could be scored within sites.", "believed")
    said = [f"{task} {own.min():.2f} to {own.max():.2f}" for task, own in rows.groupby("task")["value"]]
    words = (
        f"C within sites, over arms: {listed(said)}; without the largest site beside it. Sites that are large enough "
        "have values of their own."
    )
    return Said(PART, words, "believed")


def _updating(run: Run) -> Said:
    return Said(FILLED, "No model was updated.")


def _interpretation(run: Run) -> Said:
    told = answers(run.tables["comparisons"], run.cfg)
    words = " ".join(f"{a['question']} {a['verdict'].capitalize()}." for a in told)
    return Said(
        PART, f"{words} What that means beside other studies, and for fairness, is the authors' to say.", "found"
    )


def _limitations(run: Run) -> Said:
    n = len(cannot_answer(run.tables, run.bags, run.cfg))
    words = f"What these data cannot answer: {counted(n, 'sentence')} of the page. There is more that no program knows."
    return Said(PART, words, "believed")


def _poor_input(run: Run) -> Said:
    words = (
        "A slide or sample that cannot be used is left out with a reason, a missing modality is masked, and predict "
        "turns away patients on another scale. What care should do then is the authors' to say."
    )
    return Said(PART, words)


ITEMS = (
    Item("20a", "Results", "flow of patients, outcomes, follow-up", _flow),
    Item("20b", "Results", "characteristics of patients, overall and by source", _characteristics),
    Item("20c", "Results", "predictors in evaluation beside those in development", _compared),
    Item("21", "Results", "patients and events of every analysis", _sizes),
    Item("22", "Results", "the models themselves, so that others can use them", _specification),
    Item("23a", "Results", "performance with intervals, in groups too", _performance),
    Item("23b", "Results", "differences of performance between clusters", _between_sites),
    Item("24", "Results", "results of updating", _updating),
    Item("25", "Discussion", "what the results mean", _interpretation),
    Item("26", "Discussion", "limitations", _limitations),
    Item("27a", "Discussion", "what to do with poor or missing input in use", _poor_input),
    Item("27b", "Discussion", "what users do, and what they must know", yours("Not known to the run.")),
    Item("27c", "Discussion", "what should be done next", yours("Not known to the run.")),
)
