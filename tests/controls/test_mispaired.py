"""Mispaired RNA stays in its site where that is asked for."""

import pytest

from confuselt.controls.mispaired import shuffle_pairs


def test_within_site_pairs_stay_in_their_site():
    patients = [f"P{i}" for i in range(40)]
    site = {p: "alone" if i == 0 else "abc"[i % 3] for i, p in enumerate(patients)}

    def within(given):
        assert sorted(given.values()) == sorted(patients) and all(site[p] == site[q] for p, q in given.items())
        assert sum(p == q for p, q in given.items()) < 10

    given = shuffle_pairs(patients, 1, site)
    within(given)
    assert given["P0"] == "P0", "a patient alone on its site keeps its own RNA"
    assert given != shuffle_pairs(patients, 2, site)
    for mutant in (shuffle_pairs(patients, 1), {p: p for p in patients}):
        with pytest.raises(AssertionError):
            within(mutant)
