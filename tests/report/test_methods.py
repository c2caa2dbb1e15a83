"""What the page says was done is what the run did."""

import re

import pandas as pd
import pytest
from report.cohort_on_disk import Cohort, run_of

from confuselt.report.page import rendered
from confuselt.report.sections import believed, everything, found, people
from confuselt.report.sections.performance import _numberless

OUTSIDE = ("rna", {"matrix": "normalised", "scaled_outside": True, "genes": None})
NOWHERE = (("acquire", {"site": None}), ("split", {"group": "patient"}))


def page(folder, section, cohort):
    """Text of a section."""
    run = run_of(folder, cohort)
    run.__dict__["provenance"] = []
    shared = {"cfg": run.cfg, "bags": run.bags, "primary": run.primary, "slide_made": False}
    return re.sub(r"<[^>]+>", "", rendered("x", [section], run, shared)[0])


@pytest.mark.parametrize(
    ("cohort", "words"),
    [
        (
            Cohort(),
            "RNA came as counts and was normalised by what the training patients of each fold say. A slide tower "
            "(gated attention over tiles) and an RNA tower were pretrained with a symmetric contrastive loss on the "
            "pairs of the training patients, without labels, and fine-tuned for os, pfi, pam50. Every arm",
        ),
        (Cohort(), "whose outcomes and values no step had seen. Contrasts"),
        (
            Cohort(config=(OUTSIDE,)),
            "whose outcomes no step had seen. RNA was scaled over all patients, those tested too, before it came. Co",
        ),
        (
            Cohort(config=(("finetune", {"arms": ["wsi-scratch-cells", "rna-scratch"]}),)),
            "A slide tower (gated attention over tiles) and an RNA tower were trained from scratch for os, pfi, pam50.",
        ),
        (
            Cohort(rna=False),
            "There is no RNA. A slide tower (gated attention over tiles) was trained from scratch for os, pfi, pam50.",
        ),
    ],
)
def test_methods_claim_what_was_done(tmp_path, cohort, words):
    assert words in page(tmp_path, everything.SECTION, cohort)


@pytest.mark.parametrize(
    ("cohort", "intervals", "people_of"),
    [
        (Cohort(), "the widest of patient bootstrap within folds, site bootstrap", "59 patients of 6 sites: 5"),
        (
            Cohort(sites=1, torn=True, config=(("split", {"group": "patient"}),)),
            "the wider of patient bootstrap within folds",
            "59 patients of 1 site: 5",
        ),
        (
            Cohort(sites=0, config=NOWHERE),
            "the wider of patient bootstrap within folds",
            "59 patients, of whom no site is known: 5",
        ),
    ],
)
def test_sites_are_counted_and_drawn_where_there_are_any(tmp_path, cohort, intervals, people_of):
    assert f"Intervals: {intervals}" in page(tmp_path, believed.SECTION, cohort)
    assert people._result(people.cohort_facts(run_of(tmp_path, cohort))).startswith(people_of)


@pytest.mark.parametrize(
    ("cohort", "words"),
    [
        (Cohort(), "the primary endpoint and the first label"),
        (Cohort(labels=()), "the primary endpoint"),
        (Cohort(survival=()), "the label that decides"),
    ],
)
def test_what_the_picture_of_the_answers_is_about(tmp_path, cohort, words):
    assert found._decides(run_of(tmp_path, cohort)) == words


def test_parts_without_a_number_say_why():
    row = {"task": "pam50", "stratum": "stage", "arm": "rna-scratch", "reason": "no patient of Her2"}
    table = pd.DataFrame(
        [row | {"level": "Stage IV", "status": "not available"}, row | {"level": "Stage I", "status": "ok"}]
        + [row | {"level": "Stage I", "status": "not available", "arm": "clinical"}]
        + [row | {"stratum": "site", "level": f"S{i}", "status": "not available"} for i in range(4)]
    )
    assert _numberless(table) == {"pam50": ["stage: Stage IV (no patient of Her2)", "site: 4 parts"]}
