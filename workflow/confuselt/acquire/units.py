"""Units of time, and the resolutions that a slide may have."""

DAYS_PER = {"days": 1.0, "weeks": 7.0, "months": 365.25 / 12, "years": 365.25}
# µm per pixel that a scanner may have: between 100x and 1x.
LEAST_MPP, MOST_MPP = 0.05, 10
