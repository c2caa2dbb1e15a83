"""Groups of slides: the jobs of `tile`, `embed` and `cells`. Which group a slide is in follows from its id alone."""

import hashlib


def group_of(slide_id: str, groups: int) -> int:
    """Group of a slide, 0 to ``groups`` - 1."""
    return int.from_bytes(hashlib.sha256(slide_id.encode()).digest()[:8], "big") % groups
