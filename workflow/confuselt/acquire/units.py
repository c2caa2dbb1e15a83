"""Units of time, and the resolutions that a slide may have."""

DAYS_PER = {"days": 1.0, "weeks": 7.0, "months": 365.25 / 12, "years": 365.25}
# µm per pixel that a slide may have: 0.1 is a 100x objective, 2 a 5x one; anything else is a mistake.
LEAST_MPP, MOST_MPP = 0.1, 2.0
