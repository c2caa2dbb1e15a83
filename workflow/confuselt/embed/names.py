"""Encoders that read tiles of slides; any other name stands for features that came with the cohort."""

SLIDE_ENCODERS = ("efficientnet-lite0",)
