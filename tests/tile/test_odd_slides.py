"""What is odd about a slide is said."""

import pandas as pd
import pytest

from confuselt.report.slides import unlike_their_site
from confuselt.tile.plausible import odd_slides

PLAIN = {
    "status": "ok",
    "mpp": 0.25,
    "mpp_file": 0.25,
    "objective": 40.0,
    "tissue_share": 0.3,
    "stain": "H&E",
}


def index(**odd):
    """Six plain slides; the last one is odd."""
    rows = [{**PLAIN, "slide_id": f"s{i}", "patient_id": f"P{i}", "picture": f"{i}"} for i in range(6)]
    rows[-1] |= odd
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (
            {"mpp": 0.5},
            "the sheet says 0.5 µm per pixel, the file 0.25; 0.5 µm per pixel, but the file says 40x, which",
        ),
        ({"mpp": 0.5, "mpp_file": 0.5}, "0.5 µm per pixel, but the file says 40x, which is about 0.25"),
        ({"objective": 20.0}, "0.25 µm per pixel, but the file says 20x, which is about 0.5"),
        ({"stain": "brown"}, "its stain looks brown, that of most slides H&E"),
        ({"tissue_share": 0.99}, "99% of it is taken for tissue; look at its picture"),
        ({"picture": "2"}, "the same pixels as slide s2 of patient P2: one patient under two names"),
        ({"picture": "2", "patient_id": "P2"}, "the same pixels as slide s2 of the same patient"),
    ],
)
def test_each_oddity_has_its_words(odd, words):
    said = odd_slides(index(**odd))
    assert said.iloc[-1].startswith(words)
    assert said.notna().sum() == (2 if "picture" in odd else 1)


@pytest.mark.parametrize(
    "fine",
    [{}, {"objective": None, "mpp_file": None}, {"mpp": 0.2275, "mpp_file": 0.2275}, {"mpp": 0.253, "mpp_file": 0.25}],
)
def test_what_is_usual_is_not_odd(fine):
    assert odd_slides(index(**fine)).isna().all()


def test_excluded_slides_and_small_cohorts_are_no_measure():
    table = index(status="excluded", picture="2", stain=None)
    assert odd_slides(table).isna().all()
    assert odd_slides(index(stain="brown")[3:]).isna().all() and odd_slides(index()[:0]).empty


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"mpp": 0.5}, "Slide s5: 0.5 µm per pixel; most slides of its site A have 0.25 µm per pixel."),
        ({"stain_level": 0.05}, "Slide s5: a stain of density 0.05; most slides of its site A have a stain of density"),
        ({"mpp": 0.26, "stain_level": 0.4}, None),
        ({"mpp": 0.5, "status": "excluded"}, None),
    ],
)
def test_a_slide_unlike_those_of_its_site_is_said(odd, words):
    table = index(**odd).assign(stain_level=[0.2, 0.21, 0.25, 0.3, 0.2, odd.get("stain_level", 0.2)])
    site = pd.Series(dict.fromkeys(table["patient_id"], "A"))
    said = unlike_their_site(table, site)
    assert [s[: len(words)] for s in said] == [words] if words else not said
    assert not unlike_their_site(table[2:], site), "four slides tell nothing"
    assert not unlike_their_site(table, site.iloc[:0]), "a patient without a site has none"
