"""The simulator of slides: what it promises, and frozen, so that later figures are measured against it."""

import cv2
import numpy as np
import openslide
import pandas as pd
import pytest

from confuselt.config.simulate import Simulate
from confuselt.rna.pam50 import call_pam50
from confuselt.simulate.cohort import slide_sheet
from confuselt.simulate.draw_slide import as_found
from confuselt.simulate.histology import TYPES, Section, draw
from confuselt.simulate.sections import centroids, simulate_sections
from confuselt.simulate.svs import write_svs


def cfg(**changes):
    return {f"simulate.{k}": v for k, v in Simulate(**{"patients": 48, "sites": 12, **changes}).model_dump().items()}


@pytest.fixture(scope="module")
def cohort():
    return simulate_sections(cfg())


def test_the_demo_cohort_has_what_folds_need(cohort):
    assert cohort.clinical["pam50"].value_counts().min() >= 9 and cohort.clinical["site"].nunique() >= 12
    slides = cohort.slides.groupby("patient_id").size()
    assert slides.max() == 2 and 40 <= len(slides) < 48 and 40 <= len(cohort.counts) < 48
    assert cohort.counts.shape[1] == 2250 and set(cohort.sections) == set(cohort.slides["slide_id"])


def test_slides_are_known_from_the_config_alone(cohort):
    pd.testing.assert_frame_equal(slide_sheet(cfg()), cohort.slides)
    more = slide_sheet(cfg(patients=49))
    again = simulate_sections(cfg(patients=49)).sections
    assert all(again[s] == what for s, what in cohort.sections.items())
    assert more["slide_id"].str[:7].eq("SIM-001").all() and set(cohort.slides["slide_id"]) <= set(more["slide_id"]), (
        "a 49th patient changes nobody's slides"
    )


def test_subtype_can_be_called_from_rna_by_the_written_centroids(cohort):
    reference = centroids()
    values = np.log2(cohort.counts.div(cohort.counts.sum(axis=1), axis=0) * 1e6 + 1)
    called = call_pam50(values, reference.drop(columns="median"), reference["median"])["call"].to_numpy()
    true = cohort.clinical.set_index("patient_id").loc[cohort.counts.index, "pam50"].to_numpy()
    assert (called == true).mean() > 0.9


def test_the_latent_vector_shows_on_the_slides(cohort):
    truth = cohort.truth.set_index("patient_id")
    first = cohort.slides.drop_duplicates("patient_id").set_index("patient_id")["slide_id"]
    size = np.array([cohort.sections[s][0].size for s in first])
    share = np.array([cohort.sections[s][0].mix[TYPES.index("inflammatory")] for s in first])
    assert np.corrcoef(np.log(size), truth.loc[first.index, "latent_both_0"])[0, 1] > 0.99
    assert np.corrcoef(np.log(share), truth.loc[first.index, "latent_both_1"])[0, 1] > 0.8
    colour = {s: cohort.sections[s][0].stain for s in first}
    site = cohort.clinical.set_index("patient_id").loc[first.index, "site"]
    assert len({(site[p], colour[s]) for p, s in first.items()}) == site.nunique(), "a site has one colour"


def test_a_drawn_section_is_consistent():
    drawn = draw(Section(900, 700, 0.5, artefacts=("pen", "fold", "blur")), np.random.default_rng(0))
    assert (
        drawn.image.shape == (700, 900, 3)
        and drawn.tissue.any()
        and drawn.artefact.any()
        and set(drawn.nuclei["type"]) <= set(TYPES)
    )
    on = drawn.tissue[drawn.nuclei["y"].astype(int), drawn.nuclei["x"].astype(int)]
    assert on.mean() > 0.99
    dense = -np.log10((drawn.image.astype(float) + 1) / 244).mean(2)
    clean = drawn.tissue & ~drawn.artefact
    assert dense[clean].mean() > 0.1 > 0.02 > abs(dense[~drawn.tissue & ~drawn.artefact]).mean() - 0.03


def test_another_tools_table_misses_a_tenth_and_mistypes_a_tenth():
    nuclei = draw(Section(1600, 1200, 0.5), np.random.default_rng(3)).nuclei
    found = as_found(nuclei, np.random.default_rng(4))
    both = found.merge(nuclei, on=["x", "y"])
    assert len(both) == len(found) and len(found) / len(nuclei) == pytest.approx(0.9, abs=0.02)
    assert (both["type_x"] != both["type_y"]).mean() == pytest.approx(0.1, abs=0.02)
    # A wrong type is any of the others.
    assert set(both.loc[both["type_y"] == "neoplastic", "type_x"]) == set(TYPES)


def test_slides_open_as_aperio(tmp_path):
    image = draw(Section(1000, 800, 0.25), np.random.default_rng(1)).image
    write_svs(tmp_path / "a.svs", image, 0.25)
    slide = openslide.OpenSlide(tmp_path / "a.svs")
    assert slide.properties["openslide.vendor"] == "aperio" and float(slide.properties["openslide.mpp-x"]) == 0.25
    assert slide.level_dimensions[:2] == ((1000, 800), (250, 200)) and "thumbnail" in slide.associated_images
    read = np.asarray(slide.read_region((100, 100), 0, (500, 500)).convert("RGB")).astype(int)
    assert np.abs(read - image[100:600, 100:600]).mean() < 5


FROZEN_COLOURS = [
    [232, 224, 236],
    [181, 138, 202],
    [200, 169, 216],
    [229, 216, 234],
    [210, 178, 221],
    [169, 100, 192],
    [189, 153, 209],
    [200, 167, 216],
    [231, 225, 235],
    [201, 158, 214],
    [206, 164, 218],
    [236, 226, 238],
]
FROZEN_COUNTS = [229, 48, 60992537, 59315, 15, 11, 13, 9]


def test_the_simulator_is_frozen(cohort):
    """Later figures are measured against these slides, not with them: a change here is a new simulator, and says so.

    Block means of a drawn section (to one grey level: processors round differently), its nuclei, and sums of the
    tables.
    """
    drawn = draw(Section(800, 600, 0.5, artefacts=("fold",)), np.random.default_rng(7))
    blocks = cv2.resize(drawn.image, (4, 3), interpolation=cv2.INTER_AREA).astype(int)
    np.testing.assert_allclose(blocks.reshape(-1, 3), FROZEN_COLOURS, atol=1)
    sums = [
        len(drawn.nuclei),
        len(cohort.slides),
        int(cohort.counts.to_numpy().sum()),
        int(cohort.clinical["os_days"].sum()),
        *cohort.clinical["pam50"].value_counts().sort_index(),
    ]
    assert sums == FROZEN_COUNTS
