"""RNA at a glance: samples that lie apart are named, whatever the others' scale."""

import numpy as np
import pandas as pd
import pytest

from confuselt.report.rna_page import depth, rna_facts, rna_figure


def index_of(n, seed=0, **changed):
    rng = np.random.default_rng(seed)
    total = rng.lognormal(np.log(4e7), 0.3, n)
    found = pd.DataFrame({"patient_id": [f"p{i}" for i in range(n)], "status": "ok", "n": 500, "total": total})
    found["seen"], found["median"] = rng.integers(440, 460, n), rng.normal(7, 0.1, n)
    for name, value in changed.items():
        found.loc[0, name] = value
    return found


@pytest.mark.parametrize(
    ("changed", "counts"), [({"total": 2e5}, True), ({"seen": 30}, True), ({"median": 2.0}, False)]
)
def test_a_sample_that_lies_apart_is_named_and_drawn(changed, counts):
    samples = depth(index_of(60, **changed), counts)
    assert rna_facts(samples, counts)["apart"] == ["p0"]
    assert any("p0" in text.get_text() for text in rna_figure(samples, counts).axes[0].texts)


def test_an_ordinary_cohort_has_none_and_of_few_or_equal_samples_nothing_is_said():
    assert rna_facts(depth(index_of(60), True), True)["apart"] == []
    assert rna_facts(depth(index_of(6, total=10.0), True), True)["apart"] == []
    equal = index_of(30).assign(total=1e6, seen=450)
    assert rna_facts(depth(equal, True), True)["apart"] == []


def test_excluded_samples_have_no_say():
    index = index_of(60)
    index.loc[index.index[:2], ["status", "total"]] = ["excluded", np.nan]
    samples = depth(index, True)
    assert len(samples) == 58 and rna_facts(samples, True)["depth"]["most"] != "nan"
    assert rna_figure(samples.iloc[:0], True) is None
