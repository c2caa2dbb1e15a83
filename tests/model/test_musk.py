"""ABMIL on a real multi-instance benchmark."""

import pytest
from conftest import shared
from musk import accuracies


@pytest.mark.full
def test_musk1_accuracy():
    found = accuracies(shared("mil", "musk1.csv"))
    print(
        f"MUSK1, 10-fold x 5: accuracy {found.mean():.3f}, SD over folds {found.std():.3f} "
        "(Ilse 2018, gated: .900 +- .050)"
    )
    assert found.mean() >= 0.86
