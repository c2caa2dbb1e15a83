"""TRIPOD+AI, items 12 to 19: analysis, fairness, output, open science."""

from confuselt.evaluate.plan import read_plan
from confuselt.report.answers import torn_sites
from confuselt.report.checklist import FILLED, PART, YOURS, Item, Said, yours
from confuselt.report.run import Run
from confuselt.report.sections.people import cohort_facts
from confuselt.report.tally import (
    CALIBRATION,
    CALLS,
    DISCRIMINATION,
    OVERALL,
    arms_in_words,
    changed_arms,
    counted,
    fold_spans,
    folds_in_words,
    has_deep,
    has_rna,
    has_sites,
    listed,
    scored,
    seen_before,
    several_sites,
)


def _partition(run: Run) -> Said:
    spans, seen = fold_spans(run), " ".join(seen_before(run))
    unseen = f". {seen}" if seen else ", whom no step has seen."
    words = (
        f"Cross-validation, {folds_in_words(run)}; seed {run.cfg['seed']}. A fold trains on {spans['train']} patients, "
        f"decides when to stop on {spans['inner']} others (asked for: {run.cfg['split.inner']:.0%} of the training "
        f"side), and tests {spans['test']}{unseen}"
    )
    return Said(FILLED, words, "people")


def _functional_form(run: Run) -> Said:
    cfg = run.cfg
    transform, matrix, scaling = cfg["rna.transform"], cfg["rna.matrix"], cfg["rna.scaling"]
    first = f"{transform}, then " if matrix == "counts" or transform == "rank" else ""
    rna = f"; RNA ({matrix}): {first}{scaling} per gene" if has_rna(run) else ""
    how = cfg["pack.scaling_deep"]
    deep = f", deep cell-type features {how}" if has_deep(run) else ""
    words = (
        f"Scaling, fitted on the training patients of each fold: tile features {cfg['pack.scaling_tile']}, cell "
        f"features {cfg['pack.scaling_cells']}{deep}{rna}. No predictor is cut into classes."
    )
    return Said(FILLED, words, "everything")


def _models(run: Run) -> Said:
    loss = " and ".join(
        word for there, word in ((run.endpoints, "Cox partial likelihood"), (run.labels, "cross-entropy")) if there
    )
    words = (
        f"{arms_in_words(run)}; trained by {loss}; the epoch is chosen on the inner part; cross-validation is the "
        "internal validation. Why these models is the authors' to argue."
    )
    return Said(PART, words, "everything")


def _clusters(run: Run) -> Said:
    if not has_sites(run):
        return Said(YOURS, "No site is known to the run, so that it says nothing about differences between centres.")
    if not several_sites(run):
        return Said(YOURS, "One site is known to the run, so that it says nothing about differences between centres.")
    words = f"{counted(cohort_facts(run)['sites'], 'site')}: intervals by drawing whole sites"
    more = ", C within sites and without the largest" if run.endpoints else ""
    return Said(
        PART, f"{words}{more}. Performance at single sites is told for those that are large enough.", "believed"
    )


def _measures(run: Run) -> Said:
    parts = (("Discrimination", DISCRIMINATION), ("calls", CALLS), ("overall", OVERALL), ("calibration", CALIBRATION))
    named = [f"{title}: {listed(found)}" for title, names in parts if (found := scored(run, names))]
    curves = set(run.tables["curves"]["curve"])
    drawn = [w for c, w in (("reliability", "calibration plots"), ("net-benefit", "decision curves")) if c in curves]
    if not named:
        return Said(PART, "No metric has a value in this run.", "performance")
    words = f"{'; '.join(named)}. Drawn: {listed(drawn)}. Models are compared as the plan says, with intervals."
    return Said(FILLED, words, "performance")


def _outputs(run: Run) -> Said:
    survival = "Per endpoint a risk score and a survival curve; figures cut risk at the training patients' median. "
    classes = "Per label a probability of each class, the largest of which is the call. "
    words = (survival if run.endpoints else "") + (classes if run.labels else "")
    return Said(FILLED, f"{words}No threshold was chosen.", "performance")


def _imbalance(run: Run) -> Said:
    counts = {x["task"]: x["classes"] for x in cohort_facts(run)["labels"] if x["classes"]}
    small = [f"{task} {min(c, key=c.get)}, {min(c.values())} of {sum(c.values())}" for task, c in counts.items()]
    least = f"Smallest class: {listed(small)}. " if small else "No class is predicted. "
    return Said(FILLED, f"{least}No patient is weighted or drawn by class; macro AUC counts classes alike.", "people")


def _same_setting(run: Run) -> Said:
    apart = "sites" if has_sites(run) and not torn_sites(run.tables["folds"]) else "patients"
    words = f"By design both are one cohort; test folds hold other {apart}. No other cohort is evaluated here."
    return Said(FILLED, words, "people")


def _protocol(run: Run) -> Said:
    plan = f"Analysis plan {read_plan(run.sources.plan)['hash']}"
    if changed := changed_arms(run):
        return Said(PART, f"{plan} is not the one under which {listed(changed)} had been trained.", "believed")
    words = f"{plan} was written before any model was trained. A protocol beside it is the authors'."
    return Said(PART, words, "believed")


def _code(run: Run) -> Said:
    words = (
        f"ConfuselT, seed {run.cfg['seed']}; every table holds hashes of the code and settings that made it, and "
        "versions of libraries. Where the code can be had is the authors' to say."
    )
    return Said(PART, words, "everything")


def _updated(run: Run) -> Said:
    return Said(FILLED, "No model was updated or recalibrated after it was evaluated.")


def _served(run: Run) -> Said:
    words = (
        "Each test patient is predicted by the models of the fold that did not train on them, with what that fold "
        "fitted of scaling and genes."
    )
    return Said(FILLED, words, "everything")


ITEMS = (
    Item("12a", "Methods", "how data were used to make and to test models", _partition),
    Item("12b", "Methods", "how predictors enter: form, scaling, transformation", _functional_form),
    Item("12c", "Methods", "type of model, steps, tuning, internal validation", _models),
    Item("12d", "Methods", "differences between centres or other clusters", _clusters),
    Item("12e", "Methods", "measures and plots of performance, comparison of models", _measures),
    Item("12f", "Methods", "whether a model was updated after its evaluation", _updated),
    Item("12g", "Methods", "how predictions were computed for the evaluation", _served),
    Item("13", "Methods", "what was done about unequal classes", _imbalance),
    Item(
        "14",
        "Methods",
        "what was done for fairness between groups of people",
        yours("Nothing was done but to tell performance within parts of the cohort; the reasons are the authors'."),
    ),
    Item("15", "Methods", "what a model gives, and how thresholds were chosen", _outputs),
    Item("16", "Methods", "differences between the data of training and of evaluation", _same_setting),
    Item("17", "Methods", "ethical approval and consent", yours("Not known to the run.")),
    Item("18a", "Open science", "who paid, and their part in it", yours("Not known to the run.")),
    Item("18b", "Open science", "conflicts of interest", yours("Not known to the run.")),
    Item("18c", "Open science", "the protocol, and where it can be read", _protocol),
    Item(
        "18d", "Open science", "registration", yours("Not known to the run; the hash of the plan could be deposited.")
    ),
    Item("18e", "Open science", "whether and how data are shared", yours("Not known to the run.")),
    Item("18f", "Open science", "whether and how code is shared", _code),
    Item("19", "Patients and public", "how patients and the public were involved", yours("Not known to the run.")),
)
