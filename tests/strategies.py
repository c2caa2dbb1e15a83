"""Hypothesis strategies shared by the tests of metrics."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def survival(draw, least=4, most=40):
    """Risk, days, event with ties in both and at least one event."""
    n = draw(st.integers(least, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    ties = draw(st.booleans())
    risk = rng.integers(0, 5, n).astype(float) if ties else rng.normal(size=n)
    days = rng.integers(1, 12, n).astype(float) if ties else rng.exponential(100, n)
    event = (rng.random(n) < draw(st.floats(0.1, 1.0))).astype(float)
    event[rng.integers(n)] = 1
    return risk, days, event
