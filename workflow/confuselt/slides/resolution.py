"""The resolutions that a slide may have."""

# µm per pixel: 0.1 is a 100x objective, 2 a 5x one; anything else is a mistake.
LEAST_MPP, MOST_MPP = 0.1, 2.0
