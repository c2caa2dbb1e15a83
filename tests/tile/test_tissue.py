"""Glass, filler and tissue: the same tissue whatever the glass, the filler and the cast; filler is none."""

import cv2
import numpy as np
import pytest
from conftest import shared

from confuselt.simulate.histology import Section, draw
from confuselt.slides.slide import Slide
from confuselt.tile import tissue as module
from confuselt.tile.tissue import MPP, find_filler, find_tissue

H, W = 300, 400


def jpeg(image, quality=80):
    """As a slide keeps it."""
    return cv2.imdecode(
        cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
    )[..., ::-1].copy()


def slide(glass=(243, 243, 243), tissue=0.35, filler=None, pale=0.0, seed=0):
    """A low-power picture of H&E tissue on glass.

    `tissue` is the radius as a share of the width, `pale` the share of stain that is missing. Returns the picture,
    where tissue is, and where filler is: the right fifth and two steps at the left, as unscanned fields lie.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:H, :W]
    angle = np.arctan2(y - H / 2, x - W / 2)
    there = np.hypot(x - W / 2, y - H / 2) < W * tissue * (1 + 0.1 * np.sin(5 * angle))
    texture = cv2.GaussianBlur(rng.normal(size=(H, W)), (0, 0), 2) * 4
    density = np.array([0.10, 0.33, 0.20]) * (1 - pale) * np.clip(1 + 0.3 * texture, 0.6, 2)[..., None]
    image = np.asarray(glass) * np.where(there[..., None], 10**-density, 1.0) + rng.normal(0, 1, (H, W, 3))
    empty = np.zeros((H, W), bool)
    if filler is not None:
        empty[:, int(0.8 * W) :] = empty[:80, :60] = empty[:40, 60:90] = True
        image[empty] = filler
    return np.clip(np.round(image), 0, 255).astype(np.uint8), there & ~empty, empty


def check(image, truth, filler, least=0.9):
    """Tissue where it was drawn, none in the filler, no pen anywhere."""
    found, pen = find_tissue(image, MPP)
    assert not pen.any() and not (found & cv2.erode(filler.astype(np.uint8), np.ones((5, 5))).astype(bool)).any()
    assert (found & truth).sum() / (found | truth).sum() > least
    return found


FILLERS = {"white": (255, 255, 255), "black": (0, 0, 0)}


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("level", [150, 165, 180, 200, 220, 235, 246, 250])
def test_filler_beside_glass_of_any_grey(level, filler):
    for save in (lambda image: image, jpeg):
        image, truth, empty = slide((level,) * 3, filler=FILLERS[filler])
        check(save(image), truth, empty)


@pytest.mark.parametrize(
    "glass",
    [
        (150, 150, 150),
        (180, 180, 180),
        (246, 246, 246),
        (255, 255, 255),
        (235, 225, 200),
        (205, 215, 235),
        (242, 226, 240),
    ],
)
@pytest.mark.parametrize("pale", [0.0, 0.6])
def test_no_filler_and_glass_of_any_grey_or_cast(glass, pale):
    """Overexposed glass too: it is no filler, and pale tissue beside it stays."""
    image, truth, empty = slide(glass, pale=pale)
    for seen in (image, jpeg(image)):
        assert not find_filler(seen).any()
        check(seen, truth, empty, 0.85)


@pytest.mark.parametrize("filler", [None, *FILLERS])
@pytest.mark.parametrize("glass", [200, 243])
def test_hardly_any_glass(glass, filler):
    image, truth, empty = slide((glass,) * 3, tissue=0.8, filler=FILLERS.get(filler))
    found = check(image, truth, empty)
    assert (~truth & ~empty).mean() < 0.02 < found.mean()


def test_tissue_at_the_edge_of_the_filler_and_filler_on_every_side():
    image, truth, empty = slide((190, 190, 190), tissue=0.5, filler=(255, 255, 255))
    image[:12] = image[-12:] = 255
    empty[:12] = empty[-12:] = True
    check(jpeg(image), truth & ~empty, empty)
    everything = np.full((H, W, 3), 255, np.uint8)
    assert not find_filler(everything).any() and not find_tissue(everything, MPP)[0].any()


def test_what_is_straight_by_chance_is_no_filler():
    """A pen's stroke, a dark fold and holes in the tissue stay what they are."""
    image, truth, _ = slide((255, 255, 255))
    cv2.line(image, (20, 280), (380, 250), (20, 20, 20), 9)
    cv2.circle(image, (200, 150), 20, (255, 255, 255), -1)
    assert not find_filler(image).any()
    assert find_tissue(image, MPP)[1].any()


def test_simulated_sections_with_filler(tmp_path):
    """Drawn at level 0, black and white filler put beside: the same tissue as without."""
    drawn = draw(Section(2000, 1500, 0.5), np.random.default_rng(3))
    wanted = find_tissue(cv2.resize(drawn.image, (250, 188), interpolation=cv2.INTER_AREA), MPP)[0]
    for colour in (0, 255):
        wider = cv2.copyMakeBorder(drawn.image, 0, 400, 0, 600, cv2.BORDER_CONSTANT, value=(colour,) * 3)
        found, pen = find_tissue(jpeg(cv2.resize(wider, (325, 238), interpolation=cv2.INTER_AREA)), MPP)
        assert (
            not pen.any()
            and found[:188, :250][wanted].mean() > 0.97
            and (found.sum() - wanted.sum()) < 0.03 * wanted.sum()
        )


def test_mutants_are_caught(monkeypatch):
    """Glass measured on everything, as before; only on what is not white; filler that counts as slide."""
    grey = slide((180, 180, 180), filler=(255, 255, 255))
    black = slide(filler=(0, 0, 0))
    pale = slide((255, 255, 255), pale=0.6)
    pale[0][~pale[1]] = 255
    check(*grey), check(*black), check(*pale, 0.85)
    before = lambda image, _: np.maximum(np.percentile(image.reshape(-1, 3), 95, axis=0), 200).astype(np.float32)  # noqa: E731
    for mutant, victim in (
        ({"glass_colour": before}, grey),
        (
            {
                "glass_colour": lambda image, _: np.percentile(image[(image < 255).any(2)], 95, axis=0).astype(
                    np.float32
                )
            },
            pale,
        ),
        ({"find_filler": lambda image: np.zeros(image.shape[:2], bool)}, grey),
        ({"find_filler": lambda image: np.zeros(image.shape[:2], bool)}, black),
    ):
        with monkeypatch.context() as patch:
            for name, value in mutant.items():
                patch.setattr(module, name, value)
            with pytest.raises(AssertionError):
                check(*victim, 0.85)


def test_a_real_slide_with_white_filler():
    """Its glass is (242, 238, 241); OpenSlide says nothing of its filler, which lies in steps around."""
    image = Slide(shared("slides", "TCGA-CR-7395-J2K-no-mpp.svs"), 0.25).whole(MPP)
    filler = find_filler(image)
    assert 0.19 < filler.mean() < 0.26 and (filler >= (image == 255).all(2)).mean() > 0.999
    wanted, _ = find_tissue(image, MPP)
    assert not (wanted & filler).any() and 0.6 < wanted.mean() < 0.7
    # The same slide under a darker lamp; its filler stays white.
    for level in (1.0, 0.8, 0.65):
        darker = np.where(filler[..., None], image, np.round(image * level).astype(np.uint8))
        darker[(image == 255).all(2)] = 255
        found, pen = find_tissue(darker, MPP)
        assert not pen.any() and (found & wanted).sum() / (found | wanted).sum() > 0.97


def test_a_real_slide_without_filler():
    image = Slide(shared("slides", "CMU-1-Small-Region.svs")).whole(MPP)
    assert not find_filler(image).any() and 0.37 < find_tissue(image, MPP)[0].mean() < 0.4
