"""Encoders that read tiles of slides, with the side of a tile in pixels.

Any other name stands for features that came with the cohort.
"""

SLIDE_ENCODERS = {"efficientnet-lite0": 224}
