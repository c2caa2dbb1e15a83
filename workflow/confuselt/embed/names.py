"""Encoders that read tiles of slides, with the side of a tile in pixels: a file of `encoders/` each.

Any other name stands for features that came with the cohort. Only the config looks here, so that a name more changes
no job.
"""

SLIDE_ENCODERS = {"efficientnet-lite0": 224}
