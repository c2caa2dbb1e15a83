"""Risk of bias by the questions of PROBAST (Wolff et al. 2019), and of what PROBAST+AI (2025) adds, from a run."""

from confuselt.evaluate.plan import read_plan
from confuselt.report.answers import torn_sites
from confuselt.report.checklist import NO, PROBABLY, UNKNOWN, YES, Item, Said
from confuselt.report.run import Run
from confuselt.report.sections.people import cohort_facts, fold_table
from confuselt.report.tally import (
    CALIBRATION,
    DISCRIMINATION,
    OVERALL,
    balanced_labels,
    changed_arms,
    counted,
    events_per_fold,
    features_in_words,
    fold_spans,
    follow_up,
    from_rna,
    has_rna,
    has_sites,
    lacking,
    listed,
    looked_at_by,
    modalities_in_words,
    not_looked_at,
    outcomes_lacking,
    scored,
    several_sites,
    simulated,
)

ENOUGH = 100  # events, or patients of the smallest class, under which an evaluation is thought too small
FEW = 0.05  # share of patients whose loss is taken for harmless


def _source(run: Run) -> Said:
    if simulated(run):
        return Said(NO, "The cohort is simulated; it says nothing about patients.", "believed")
    return Said(UNKNOWN, "How the patients were gathered is not in the tables.")


def _inclusion(run: Run) -> Said:
    facts = cohort_facts(run)
    total = facts["excluded"] + facts["patients"]
    words = (
        f"The run left out {facts['excluded']:,} of {total:,} patients, for reasons that are listed; why the others "
    )
    return Said(UNKNOWN, f"{words}came into the tables is not known to it.", "people")


def _made_here(run: Run) -> bool:
    """Whether this workflow made the features of slides, nuclei and RNA."""
    cells = run.bags["cells"]
    brought = cells["slides"] > 0 and cells["name"] in ("table", "ready")  # another tool found the nuclei, or more
    return run.sources.grids is not None and run.cfg["rna.matrix"] == "counts" and not brought


def _alike(run: Run) -> Said:
    if not _made_here(run):
        words = "Features of slides, nuclei or RNA came ready-made; how they were made is not known."
        return Said(UNKNOWN, words, "people")
    words = (
        "One program made all features of slides, and one normaliser per fold those of RNA; differences in scanning "
        "and sequencing between sites remain."
    )
    return Said(PROBABLY, words, "people")


def _blind_predictors(run: Run) -> Said:
    if not _made_here(run):
        words = "Features of slides, nuclei or RNA came ready-made; whether outcomes had a part in them is not known."
        return Said(UNKNOWN, words)
    return Said(YES, "Features of slides and RNA were computed here by steps that are not given any outcome.")


def _in_time(run: Run) -> Said:
    return Said(UNKNOWN, "That depends on the use that the models are meant for.")


def _appropriate(run: Run) -> Said:
    return Said(UNKNOWN, "Outcomes were read as the clinical table gives them.", "people")


def _prespecified(run: Run) -> Said:
    if changed := changed_arms(run):
        return Said(NO, f"The plan was changed after {listed(changed)} had been trained.", "believed")
    plan = read_plan(run.sources.plan)["hash"]
    words = (
        f"Outcomes, and the one that decides, stand in plan {plan}, written before any model was trained; whether they "
        "are standard is not known."
    )
    return Said(PROBABLY, words, "believed")


def _independent(run: Run) -> Said:
    if names := from_rna(run):
        words = (
            f"Defined on RNA: {listed(names)}. Arms that are given RNA predict it from its own source, a ceiling and "
            "never evidence. Endpoints are not made of slides or RNA."
        )
        return Said(NO, words, "believed")
    if run.labels:
        return Said(UNKNOWN, f"Whether a class was read off the slides ({listed(run.labels)}) is not in the tables.")
    return Said(YES, "No endpoint is made of slides or RNA.")


def _same_outcome(run: Run) -> Said:
    codes = "The values of each column mean one thing for all patients; "
    return Said(UNKNOWN, f"{codes}whether all centres assessed outcomes alike is not known.", "people")


def _blind_outcome(run: Run) -> Said:
    if names := from_rna(run):
        return Said(NO, f"Defined on RNA: {listed(names)}. Of other outcomes it is not known.", "believed")
    return Said(UNKNOWN, "Whether slides or RNA were known to those who assessed outcomes is not in the tables.")


def _interval(run: Run) -> Said:
    if not run.endpoints:
        return Said(PROBABLY, "A class and the tissue are of one time, if the tables mean the same tumour.")
    return Said(UNKNOWN, f"{follow_up(run)} From when times count is not known.", "people")


def _events(run: Run) -> tuple[str, int]:
    """What decides how large the cohort is: events of the primary endpoint, or the smallest class, with its number."""
    facts = cohort_facts(run)
    if run.primary:
        return f"events of {run.primary}", next(e["events"] for e in facts["endpoints"] if e["task"] == run.primary)
    first = next(x for x in facts["labels"] if x["task"] == run.cfg["evaluate.primary"])
    return f"patients in the smallest class of {first['task']}", min(first["classes"].values(), default=0)


def _enough(run: Run) -> Said:
    what, n = _events(run)
    fold = f" Events of a test fold: {events_per_fold(run)}." if run.endpoints else ""
    genes = ", and genes beside them" if has_rna(run) else ""
    words = (
        f"{n:,} {what}. Features of slides: {features_in_words(run)}{genes}.{fold} At least {ENOUGH} "
        "are commonly asked for to evaluate a model, and more to develop one."
    )
    return Said(PROBABLY if n >= ENOUGH else NO, words, "people")


def _continuous(run: Run) -> Said:
    return Said(YES, "Values are scaled, never cut into groups; groups by risk are for figures alone.", "everything")


def _everybody(run: Run) -> Said:
    facts = cohort_facts(run)
    total = facts["excluded"] + facts["patients"]
    lost = facts["excluded"] + lacking(run).get(run.cfg["evaluate.primary"], 0)
    words = f"{lost:,} of {total:,} patients are left out, or lack {run.cfg['evaluate.primary']}."
    return Said(YES if not lost else PROBABLY if lost <= FEW * total else NO, words, "people")


def _missing(run: Run) -> Said:
    words = (
        f"Of the patients, {modalities_in_words(run)}; a missing modality is masked. {outcomes_lacking(run)} A missing "
        "covariate is the training mean beside a flag; nothing is imputed several times."
    )
    return Said(PROBABLY, words, "people")


def _univariable(run: Run) -> Said:
    return Said(YES, "No predictor was chosen by its relation to an outcome; genes are chosen by how much they vary.")


def _complexities(run: Run) -> Said:
    none = "One site" if has_sites(run) else "No site"
    sites = "Intervals draw whole sites." if several_sites(run) else f"{none} is known: patients count as independent."
    if not run.endpoints:
        return Said(PROBABLY, f"Classes have no follow-up. {sites}", "believed")
    rival = listed((task["name"] for task in run.cfg["tasks.survival"] if task["competing"]), "no endpoint")
    words = f"Censoring is in every loss and measure. Competing events are dealt with for {rival}. {sites}"
    return Said(PROBABLY, words, "believed")


def _measures(run: Run) -> Said:
    task = run.cfg["evaluate.primary"]
    found = scored(run, DISCRIMINATION, task), scored(run, CALIBRATION if run.primary else OVERALL, task)
    words = f"For {task}: {listed([*found[0], *found[1]], 'no measure has a value')}."
    return Said(YES if all(found) else PROBABLY if any(found) else NO, words, "performance")


def _optimism(run: Run) -> Said:
    words = (
        "Every step is fitted within cross-validation; the epoch is chosen on inner patients; test folds are used once."
    )
    if run.cfg["rna.scaled_outside"]:
        return Said(NO, f"{words} But RNA was scaled over all patients before it came, those tested too.", "believed")
    if doubts := _doubts(run):
        return Said(PROBABLY, f"{words} But {'; '.join(doubts)}.", "believed")
    return Said(YES, words, "believed")


def _doubts(run: Run) -> list[str]:
    """By what a test patient may have reached a model before the folds were made."""
    seen = sorted({cohort for bag in run.bags.values() for cohort in bag["trained_on"]})
    doubts = [f"features come from models that saw {listed(seen)}, perhaps these patients"] if seen else []
    if run.cfg["rna.matrix"] != "counts":
        doubts.append("how RNA was scaled before it came is not known")
    if labels := balanced_labels(run):
        doubts.append(f"medians of all patients were used to call {listed(labels)}")
    return doubts


def _same_model(run: Run) -> Said:
    return Said(YES, "What is scored are the trained models themselves; nothing is rounded or written down as points.")


def _apart(run: Run) -> Said:
    if not has_sites(run):
        return Said(UNKNOWN, "No site is known, so that folds cannot keep sites apart.", "believed")
    if torn := torn_sites(run.tables["folds"]):
        return Said(NO, f"Sites tested in more than one fold: {torn}.", "believed")
    return Said(YES, "No site stands in training and test of a fold.", "believed")


def _tuned(run: Run) -> Said:
    inner = fold_spans(run)["inner"]
    words = f"{inner} patients of a fold decide on epochs and grids; in that fold they are not tested."
    return Said(YES, words, "people")


def _external(run: Run) -> Said:
    words = f"Internal evaluation alone, over {counted(len(fold_table(run)), 'test fold')} of one cohort."
    return Said(NO, words, "people")


def _fair(run: Run) -> Said:
    if groups := looked_at_by(run):
        words = f"Within parts of the cohort by {', '.join(groups)}; groups that no column tells are not known."
        return Said(PROBABLY, words, "performance")
    return Said(NO, f"{not_looked_at(run)}.", "performance")


ITEMS = (
    Item("1.1", "Participants", "were the sources of data fit for the question?", _source),
    Item("1.2", "Participants", "were the right patients taken and left out?", _inclusion),
    Item("2.1", "Predictors", "were they defined and measured alike for all?", _alike),
    Item("2.2", "Predictors", "were they measured without knowing the outcome?", _blind_predictors),
    Item("2.3", "Predictors", "are they all at hand when a model would be used?", _in_time),
    Item("3.1", "Outcome", "was it determined in a fit way?", _appropriate),
    Item("3.2", "Outcome", "was it fixed beforehand, or standard?", _prespecified),
    Item("3.3", "Outcome", "is it free of the predictors?", _independent),
    Item("3.4", "Outcome", "was it determined alike for all?", _same_outcome),
    Item("3.5", "Outcome", "was it determined without knowing the predictors?", _blind_outcome),
    Item("3.6", "Outcome", "is the time between predictors and outcome fit?", _interval),
    Item("4.1", "Analysis", "were there enough patients with the outcome?", _enough),
    Item("4.2", "Analysis", "were continuous and categorical predictors treated well?", _continuous),
    Item("4.3", "Analysis", "were all patients analysed?", _everybody),
    Item("4.4", "Analysis", "were missing data treated well?", _missing),
    Item("4.5", "Analysis", "was choice by single associations avoided?", _univariable),
    Item("4.6", "Analysis", "were censoring, competing risks and clusters regarded?", _complexities),
    Item("4.7", "Analysis", "were fit measures of performance reported?", _measures),
    Item("4.8", "Analysis", "was overfitting, and optimism, accounted for?", _optimism),
    Item("4.9", "Analysis", "is the model that is given the one that was fitted?", _same_model),
    Item("AI", "Analysis, machine learning", "are training and test free of shared sites?", _apart),
    Item("AI", "Analysis, machine learning", "were settings tuned on other patients than those tested?", _tuned),
    Item("AI", "Analysis, machine learning", "was a cohort from elsewhere evaluated?", _external),
    Item("AI", "Analysis, machine learning", "was performance looked at in groups of people?", _fair),
)
