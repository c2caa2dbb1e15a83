"""TRIPOD+AI (Collins et al., BMJ 2024), items 1 to 11: what the study is, its data, patients, outcomes, predictors."""

from confuselt.report.checklist import FILLED, PART, YOURS, Item, Said, yours
from confuselt.report.questions import questions
from confuselt.report.run import Run
from confuselt.report.sections.people import cohort_facts
from confuselt.report.tally import (
    counted,
    covariates,
    covariates_in_words,
    detectable,
    events_per_fold,
    features_in_words,
    follow_up,
    from_rna,
    has_rna,
    has_sites,
    listed,
    modalities_in_words,
    outcomes_in_words,
    outcomes_lacking,
    simulated,
)

SOURCES = {
    "local": "was read from tables of the user's own",
    "gdc": "was fetched from the Genomic Data Commons",
    "simulate": "is simulated: no patient is in it",
}


def _title(run: Run) -> Said:
    tasks = listed([*run.endpoints, *run.labels])
    words = f"Models for {tasks} are developed, and evaluated by cross-validation. The title is the authors'."
    return Said(YOURS, words)


def _objectives(run: Run) -> Said:
    planned = questions(run.cfg["evaluate.plan"]["contrasts"]).values()
    asked = listed(q.asks[0].lower() + q.asks[1:].rstrip("?") for q in planned)
    words = (
        f"The plan asks, above all for {run.cfg['evaluate.primary']}: {asked}. What the models are for is not known."
    )
    return Said(PART, words, "found")


def _source(run: Run) -> Said:
    words = f"Cohort '{run.cfg['cohort']}' {SOURCES[run.cfg['acquire.source']]}; development and evaluation share it."
    if simulated(run):
        return Said(FILLED, f"{words} It stands for nobody.", "believed")
    return Said(PART, f"{words} How these patients were gathered, and for whom they stand, is the authors' to say.")


def _dates(run: Run) -> Said:
    known = f"{follow_up(run)} " if run.endpoints else ""
    return Said(YOURS, f"{known}No date of inclusion or of the end of follow-up is read.", "people")


def _setting(run: Run) -> Said:
    if not has_sites(run):
        return Said(YOURS, "No site is known to the run; number, kind and place of centres are the authors' to say.")
    sites = counted(cohort_facts(run)["sites"], "site")
    return Said(PART, f"{sites}, by the code in the table; their kind and place are the authors' to say.", "people")


def _eligibility(run: Run) -> Said:
    facts = cohort_facts(run)
    words = (
        f"{facts['patients']:,} patients are used and {facts['excluded']:,} were left out, each with a reason. By "
        "which criteria patients came into the tables is the authors' to say."
    )
    return Said(PART, words, "people")


def _preparation(run: Run) -> Said:
    cut, counts = run.sources.grids is not None, run.cfg["rna.matrix"] == "counts"
    slides = "were cut into tiles, with checks of tissue, pen and focus" if cut else "came as features"
    rna = "were checked and normalised per fold" if counts else "came normalised"
    words = f"Slides {slides}" + (f"; values of RNA {rna}" if has_rna(run) else "")
    more = "What was left out or mended is listed. Whether it was alike in all groups of people is not examined."
    return Said(PART, f"{words}. {more}", "people")


def _outcome(run: Run) -> Said:
    said = []
    for task in run.cfg["tasks.survival"]:
        rival = f", competing with {task['competing']}" if task["competing"] else ""
        said.append(f"{task['name']} at {listed(str(d) for d in task['horizons'])} days{rival}")
    said += [f"{task['name']} in the classes {listed(task['classes'])}" for task in run.cfg["tasks.labels"]]
    words = (
        f"Predicted: {'; '.join(said)}. How and when each was assessed, and why it was chosen, is the authors' to say."
    )
    return Said(PART, words, "people")


def _blinded(run: Run) -> Said:
    names = from_rna(run)
    words = f"Defined on RNA, and so not blind to it: {listed(names)}. " if names else ""
    more = "Whether those who assessed outcomes knew slides or RNA is the authors' to say."
    return Said(YOURS, words + more, "believed")


def _choice(run: Run) -> Said:
    genes = run.cfg["rna.genes"]
    which = f"the most variable genes, {genes:,} at most" if genes else "all genes that pass the floor of expression"
    rna = f"Of RNA {which}, chosen in the training patients of each fold. " if has_rna(run) else "There is no RNA. "
    words = (
        f"All features of slides: {features_in_words(run)}. {rna}Clinical covariates, for baselines alone: "
        f"{listed(covariates(run))}. Nothing was chosen by its relation to an outcome."
    )
    return Said(FILLED, words, "everything")


def _predictors(run: Run) -> Said:
    made = {stream: bag["name"] or "not named" for stream, bag in run.bags.items()}
    cells = "from files of another tool" if made["cells"] == "table" else made["cells"]
    words = (
        f"Tile features: {made['tile']}; cell features: {cells}; RNA: {run.cfg['rna.matrix']}. When tissue was taken, "
        "and sequenced or scanned, is the authors' to say."
    )
    return Said(PART, words, "people")


def _read_by(run: Run) -> Said:
    names = covariates(run)
    words = "Features of slides and RNA are computed; no reader judges them. "
    more = f"Who assessed {listed(names)} is the authors' to say." if names else "No clinical covariate is used."
    return Said(PART if names else FILLED, words + more)


def _size(run: Run) -> Said:
    least = run.cfg["evaluate.min_events"]
    words = f"No size was calculated: whoever is in the cohort is used. Outcomes: {outcomes_in_words(run)}. "
    if run.endpoints:
        words += f"Events of a test fold: {events_per_fold(run)}; under {least} in all an endpoint is not compared. "
    if seen := detectable(run):
        words += f"Differences that the planned contrasts would have shown: {seen}. "
    return Said(PART, f"{words}Why this is enough is the authors' to argue.", "people")


def _missing(run: Run) -> Said:
    words = (
        f"Of the patients, {modalities_in_words(run)}; a missing modality is masked, never imputed. "
        f"{outcomes_lacking(run)} Clinical covariates: {covariates_in_words(run)}; a missing one is the mean of the "
        "training patients beside a flag."
    )
    return Said(FILLED, words, "people")


ITEMS = (
    Item("1", "Title", "a title that says what is predicted, in whom, and whether models are made or tested", _title),
    Item("2", "Abstract", "a structured abstract", yours("Its numbers stand in the sections above.")),
    Item("3a", "Introduction", "the medical question, and which models there are", yours("Not known to the run.")),
    Item("3b", "Introduction", "for whom and for what use a model is meant", yours("Not known to the run.")),
    Item("3c", "Introduction", "known inequalities in health", yours("Not known to the run.")),
    Item("4", "Introduction", "the aims", _objectives),
    Item("5a", "Methods", "where the data come from, and for whom they stand", _source),
    Item("5b", "Methods", "dates of inclusion and follow-up", _dates),
    Item("6a", "Methods", "setting, number and place of centres", _setting),
    Item("6b", "Methods", "who could take part", _eligibility),
    Item("6c", "Methods", "treatments, and how they were dealt with", yours("No treatment is read as such.")),
    Item("7", "Methods", "how data were prepared and checked", _preparation),
    Item("8a", "Methods", "outcomes and their time horizon", _outcome),
    Item("8b", "Methods", "who assessed outcomes that need judgement", yours("Not known to the run.")),
    Item("8c", "Methods", "whether outcomes were assessed blind", _blinded),
    Item("9a", "Methods", "which predictors were considered, and any choice among them", _choice),
    Item("9b", "Methods", "what each predictor is, how and when it was measured", _predictors),
    Item("9c", "Methods", "who assessed predictors that need judgement", _read_by),
    Item("10", "Methods", "how the size of the study was arrived at", _size),
    Item("11", "Methods", "how missing data were dealt with", _missing),
)
