"""A slide with too few or too many nuclei is said."""

import pandas as pd
import pytest

from confuselt.cells.plausible import odd_cells


def index(*densities, status="ok"):
    """Slides with such densities, the last one of this status."""
    table = pd.DataFrame({"nuclei_mm2": densities, "status": "ok"})
    table.loc[len(table) - 1, "status"] = status
    return table


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (20.0, "20 nuclei per mm² of tissue in the median of its tiles, which stained tissue in focus hardly has"),
        (0.0, "0 nuclei per mm²"),
        (
            30_000.0,
            "30,000 nuclei per mm² of tissue in the median of its tiles, which stained tissue in focus hardly has",
        ),
        (300.0, "300 nuclei per mm² of tissue in the median of its tiles, most slides have about 3,000"),
        (700.0, None),
        (12_000.0, None),
        (None, None),
    ],
)
def test_too_few_and_too_many_nuclei_have_their_words(found, words):
    said = odd_cells(index(2000.0, 3000.0, 3000.0, 3500.0, 4000.0, found))
    assert said[:5].isna().all()
    assert pd.isna(said[5]) if words is None else said[5].startswith(words)


def test_few_slides_have_no_usual_density_and_excluded_ones_no_say():
    assert odd_cells(index(3000.0, 3000.0, 300.0)).isna().all()
    assert odd_cells(index(3000.0, 3000.0, 3000.0, 3000.0, 3000.0, 2.0, status="excluded")).isna().all()
    assert odd_cells(index(3000.0)[:0]).empty
